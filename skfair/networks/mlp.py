"""The multi-layer perceptron, with the gradient of its decision with respect to its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

# name -> (activation, its derivative from the pre-activation z and the output h)
ACTIVATIONS: dict[str, tuple[type[nn.Module], Callable]] = {
    "identity": (nn.Identity, lambda z, h: torch.ones_like(z)),
    "logistic": (nn.Sigmoid, lambda z, h: h * (1 - h)),
    "tanh": (nn.Tanh, lambda z, h: 1 - h * h),
    "relu": (nn.ReLU, lambda z, h: (z > 0).to(z.dtype)),
}


class MLP(nn.Module):
    """Multi-layer perceptron that returns logits.

    Parameters
    ----------
    n_features, n_outputs : int
        Width of the input and number of logits.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Width of each hidden layer; empty for a linear model.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Activation of the hidden layers.
    dropout : float in [0, 1), default=0.0
        Share of the hidden units dropped during training.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_layer_sizes: Sequence[int] = (64, 64),
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [n_features, *hidden_layer_sizes]
        self.hidden = nn.ModuleList(
            nn.Linear(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True)
        )
        self.output = nn.Linear(widths[-1], n_outputs)
        for layer in (*self.hidden, self.output):  # as scikit-learn's MLPClassifier
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        # A module for each layer: captum and shap attribute by their hooks.
        self.activations = nn.ModuleList(ACTIVATIONS[activation][0]() for _ in self.hidden)
        self.activation = activation
        self.dropout = dropout

    @property
    def first_layer(self) -> nn.Linear:
        """The layer that sees the input."""
        # a ModuleList does not say of what
        return cast(nn.Linear, self.hidden[0]) if self.hidden else self.output

    def forward(self, X: Tensor) -> Tensor:
        """Return the logits.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits.
        """
        return self.after_first_layer(self.first_layer(X))

    def after_first_layer(self, z: Tensor) -> Tensor:
        """Return the logits for what the first layer returns.

        Parameters
        ----------
        z : Tensor of shape (n, hidden_layer_sizes[0])
            Pre-activations of the first layer.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits.
        """
        followers = [*self.hidden, self.output][1:]
        for activate, layer in zip(self.activations, followers, strict=True):
            h = activate(z)
            if self.dropout:
                h = self._drop(h)
            z = layer(h)
        return z

    def _drop(self, h: Tensor) -> Tensor:
        return functional.dropout(h, self.dropout, self.training)

    def forward_with_gradient_norm(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits, and the norm of the decision's gradient by the chain rule.

        Each layer's factor is written out, so that training differentiates an ordinary forward
        computation instead of a backward pass.

        Parameters
        ----------
        X : Tensor of shape (n, n_features)
            Rows, with respect to which the gradient is taken.

        Returns
        -------
        logits : Tensor of shape (n, n_outputs)
            As :meth:`forward` returns them.
        norm : Tensor of shape (n,)
            Of the gradient of the difference between the two greatest logits.
        """
        _, derivative = ACTIVATIONS[self.activation]
        slopes = []
        for layer, activate in zip(self.hidden, self.activations, strict=True):
            z = layer(X)
            X = activate(z)
            slope = derivative(z, X)
            if self.dropout and self.training:
                mask = self._drop(torch.ones_like(X))
                X, slope = X * mask, slope * mask
            slopes.append(slope)
        logits = self.output(X)
        first, second = logits.detach().topk(2, dim=-1).indices.unbind(-1)
        weight = self.output.weight
        # With two classes the sign does not matter: one row for everybody.
        gradient = weight[1:] - weight[:1] if len(weight) == 2 else weight[first] - weight[second]
        for layer, slope in zip(self.hidden[:0:-1], slopes[:0:-1], strict=True):
            gradient = (gradient * slope) @ layer.weight
        if not slopes:
            return logits, norm(gradient).expand(len(X))
        gradient = gradient * slopes[0]
        weight = self.first_layer.weight
        gram = weight @ weight.T  # ||g W||^2 = g (W W^T) g^T, without forming g W
        return logits, ((gradient @ gram) * gradient).sum(-1).clamp(min=0).add(_FLOOR).sqrt()


_FLOOR = 1e-12  # inside the square root: its derivative stays finite at a zero gradient
FLAT = 2 * _FLOOR**0.5  # a norm below this is a gradient of zero


def norm(gradient: Tensor) -> Tensor:
    """Euclidean norm of each row, whose derivative is finite at zero, too."""
    return gradient.square().sum(-1).add(_FLOOR).sqrt()
