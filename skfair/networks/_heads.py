"""A network in two parts: a body that makes features, and a head that makes logits of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class CosineHead(nn.Module):
    """Scaled cosines between the features and a vector for each class (CosFace).

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and number of classes.
    scale : float, default=30.0
        What the cosines are multiplied by.
    """

    def __init__(self, n_features: int, n_outputs: int, scale: float = 30.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_outputs, n_features))
        nn.init.xavier_uniform_(self.weight)
        self.scale = scale

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits.

        Parameters
        ----------
        features : Tensor of shape (n, n_features)
            Of any length.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            From ``-scale`` to ``scale``.
        """
        directions = functional.normalize(self.weight)
        return self.scale * functional.linear(functional.normalize(features), directions)


HEADS: dict[str, Callable[..., nn.Module]] = {"linear": nn.Linear, "cosine": CosineHead}


class HeadedNetwork(nn.Module):
    """A body and a head, one after the other.

    Parameters
    ----------
    body : torch.nn.Module
        Returns features of shape (n, n_features).
    head : torch.nn.Module
        Takes them, and returns logits.
    """

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, X: Tensor) -> Tensor:
        """Return the logits.

        Parameters
        ----------
        X : Tensor of shape (n, ...)
            Rows.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits.
        """
        return self.head(self.body(X))
