"""A network that guesses sensitive features from another network's predictions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._inspection import weight_layers

N_MIXTURE_PARAMETERS = 3  # of each Gaussian: its logit, mean and spread


class Adversary(nn.Module):
    """Guesses groups, as logits, and quantities, as mixtures of Gaussians.

    All guesses are the same at first, which of groups are those at chance: the last layer has
    weights of zero, so that no group comes before another by its name.

    Parameters
    ----------
    body : torch.nn.Module
        Takes what is seen of the predictions, and returns one number a group and
        3 * ``n_components`` a quantity. Dropout is turned off in it.
    log_shares : Tensor of shape (n_groups,)
        Logarithm of each group's share of the rows.
    n_continuous : int, default=0
        Number of quantities.
    n_components : int, default=1
        Number of Gaussians of each mixture.
    n_classes : int, default=1
        Number of classes for each of which :meth:`without_looking` has a guess of its own; 1 for
        one guess about everybody.
    """

    def __init__(
        self,
        body: nn.Module,
        log_shares: Tensor,
        n_continuous: int = 0,
        n_components: int = 1,
        n_classes: int = 1,
    ) -> None:
        super().__init__()
        for part in body.modules():
            if isinstance(part, nn.modules.dropout._DropoutNd):
                part.p = 0.0
        self.body = body
        self.n_groups = len(log_shares)
        self.mixtures = n_continuous, N_MIXTURE_PARAMETERS, n_components
        start = torch.zeros(self.mixtures)
        # Gaussians that start at one place would stay together.
        start[:, 1] = torch.special.ndtri(torch.arange(1, n_components + 1) / (n_components + 1))
        self.marginal = nn.Parameter(start.expand(n_classes, *start.shape).clone())
        last = weight_layers(body)[-1]
        guess = torch.cat([log_shares.detach().to(start), start.flatten()])
        if len(last.weight) != len(guess):
            raise ValueError(
                f"adversary must end in a layer of {len(guess)} outputs; the last layer of "
                f"{type(body).__name__} has {len(last.weight)}."
            )
        nn.init.zeros_(last.weight)
        last.bias = nn.Parameter(guess)

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the guesses.

        Parameters
        ----------
        seen : Tensor of shape (n, n_seen)
            What is seen of the predictions.

        Returns
        -------
        logits : Tensor of shape (n, n_groups)
            Of the groups.
        mixtures : Tensor of shape (n, n_continuous, 3, n_components)
            See :func:`~skfair.objectives.pivot.mixture_log_density`.
        """
        return self.divide(self.body(seen))

    def divide(self, guesses: Tensor) -> tuple[Tensor, Tensor]:
        """Divide what the body returned into the logits and mixtures of :meth:`forward`."""
        if self.mixtures[0] == 0:
            return guesses, guesses.new_empty(len(guesses), *self.mixtures)
        return guesses[:, : self.n_groups], guesses[:, self.n_groups :].unflatten(1, self.mixtures)

    def without_looking(self, y: Tensor) -> Tensor:
        """Return the mixtures that are guessed of rows whose prediction is not seen.

        Parameters
        ----------
        y : Tensor of shape (n,) or (n, n_labels)
            Class codes.

        Returns
        -------
        Tensor of shape (n, n_continuous, 3, n_components)
            The same for everybody, or for everybody of a class.
        """
        if len(self.marginal) == 1:
            return self.marginal.expand(len(y), *self.mixtures)
        return self.marginal[y]
