"""Networks for small images, and the one-dimensional network of the sensitivity paper."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import torch
from torch import Tensor, nn

Shape = int | Sequence[int]


def _as_tuple(shape: Shape) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, int | Integral) else tuple(shape)


def image_shape(network: str, input_shape: Shape, smallest: int) -> tuple[int, int, int]:
    """Channels, height and width of an image.

    Parameters
    ----------
    network : str
        Whose input it is, for errors.
    input_shape : tuple of int
        (height, width) or (channels, height, width).
    smallest : int
        Least height and width.

    Raises
    ------
    ValueError
        If that is no image, or too small a one.
    """
    shape = _as_tuple(input_shape)
    wanted = (
        f"{network} takes images, X of shape (n, height, width) or (n, channels, height, width)"
    )
    if len(shape) == 1:
        raise ValueError(
            f"{wanted}; got rows of {shape[0]} numbers. X.reshape(n, height, width) makes images "
            "of flat ones; for a table there are module='mlp' and module='conv1d'."
        )
    if len(shape) > 3:
        raise ValueError(f"{wanted}; got rows of shape {shape}.")
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    if len(shape) == 3 and width <= 4 < channels:
        raise ValueError(
            f"{wanted}; got rows of shape {shape}, whose channels seem to come last: "
            "X.transpose(0, 3, 1, 2) puts them first."
        )
    if min(height, width) < smallest:
        raise ValueError(
            f"{network} takes images of at least {smallest} x {smallest} pixels, got {height} x "
            f"{width}; a module of your own may take them."
        )
    return channels, height, width


class ImageNetwork(nn.Module):
    """Features of an image, and logits of the features, with initial weights as He et al. (2015).

    Parameters
    ----------
    input_shape : tuple of int
        (height, width) or (channels, height, width).
    features, head : torch.nn.Module
        Of images with channels; of what comes out.
    """

    def __init__(self, input_shape: Sequence[int], features: nn.Module, head: nn.Module) -> None:
        super().__init__()
        without_channel = len(input_shape) == 2
        self.channel = nn.Unflatten(1, (1, input_shape[0])) if without_channel else nn.Identity()
        self.features = features
        self.head = head
        layers = [part for part in self.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
        for layer in layers[:-1]:  # each is followed by a ReLU
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        # in which convolutions are faster; torch's stubs leave it out
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, X: Tensor) -> Tensor:
        """Return the logits.

        Parameters
        ----------
        X : Tensor of shape (n, height, width) or (n, channels, height, width)
            Images.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits.
        """
        return self.head(self.features(self.channel(X)))


class ConvNet(ImageNetwork):
    """Small convolution network for images of 28 to 128 pixels.

    Four convolutions, each of which doubles the channels and is followed by pooling, and a hidden
    layer. It has no batch-norm: rows do not mix, so that a row's gradient is its own.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width) or (channels, height, width), from 16 x 16.
    n_outputs : int
        Number of logits.
    width : int, default=16
        Channels of the first convolution.

    Raises
    ------
    ValueError
        If the input is no image, or too small.

    Examples
    --------
    >>> import torch
    >>> from skfair.networks import ConvNet
    >>> ConvNet((28, 28), 2)(torch.zeros(5, 28, 28)).shape
    torch.Size([5, 2])
    """

    def __init__(self, input_shape: Sequence[int], n_outputs: int, width: int = 16) -> None:
        channels, height, columns = image_shape("ConvNet", input_shape, smallest=16)
        layers: list[nn.Module] = []
        for n_filters in (width, 2 * width, 4 * width, 8 * width):
            layers += [nn.Conv2d(channels, n_filters, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()]
            channels = n_filters
        n_features = channels * (height // 16) * (columns // 16)
        head = nn.Sequential(
            nn.Flatten(), nn.Linear(n_features, 128), nn.ReLU(), nn.Linear(128, n_outputs)
        )
        super().__init__(input_shape, nn.Sequential(*layers), head)


class AlexNet(ImageNetwork):
    """AlexNet for small images: five convolutions and three linear layers with dropout.

    As in Krizhevsky's second version (2014), but its first convolution is of 5 x 5 and stride 2,
    pooling is of 2 x 2, and the linear layers have 1024 units.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width) or (channels, height, width), from 16 x 16.
    n_outputs : int
        Number of logits.
    width : int, default=64
        Channels of the first convolution; the others have 3, 6, 4 and 4 times as many, and the
        linear layers 16 times.

    Raises
    ------
    ValueError
        If the input is no image, or too small.

    Examples
    --------
    >>> import torch
    >>> from skfair.networks import AlexNet
    >>> AlexNet((3, 64, 64), 2, width=8)(torch.zeros(5, 3, 64, 64)).shape
    torch.Size([5, 2])
    """

    def __init__(self, input_shape: Sequence[int], n_outputs: int, width: int = 64) -> None:
        channels, height, columns = image_shape("AlexNet", input_shape, smallest=16)
        features = nn.Sequential(
            *(nn.Conv2d(channels, width, 5, stride=2, padding=2), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(width, 3 * width, 5, padding=2), nn.MaxPool2d(2), nn.ReLU()),
            *(nn.Conv2d(3 * width, 6 * width, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(6 * width, 4 * width, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(4 * width, 4 * width, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()),
        )
        rows, columns = (((size + 1) // 2) // 8 for size in (height, columns))
        head = nn.Sequential(
            *(nn.Flatten(), nn.Dropout(), nn.Linear(4 * width * rows * columns, 16 * width)),
            *(nn.ReLU(), nn.Dropout(), nn.Linear(16 * width, 16 * width)),
            *(nn.ReLU(), nn.Linear(16 * width, n_outputs)),
        )
        super().__init__(input_shape, features, head)


class ResidualBlock(nn.Module):
    """Two convolutions with batch-norm beside a shortcut (He et al., 2016).

    Parameters
    ----------
    channels, n_filters : int
        Channels of input and output.
    stride : int
        Of the first convolution, and of the shortcut.
    """

    def __init__(self, channels: int, n_filters: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, n_filters, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(n_filters),
            nn.ReLU(),
            nn.Conv2d(n_filters, n_filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_filters),
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or channels != n_filters:
            self.shortcut.append(nn.Conv2d(channels, n_filters, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(n_filters))
        self.activation = nn.ReLU()

    def forward(self, X: Tensor) -> Tensor:
        """Return the channels of the next block.

        Parameters
        ----------
        X : Tensor of shape (n, channels, height, width)
            Output of the block before.

        Returns
        -------
        Tensor of shape (n, n_filters, height / stride, width / stride)
            Not negative.
        """
        return self.activation(self.layers(X) + self.shortcut(X))


class Average(nn.Module):
    """Mean of each channel."""

    def forward(self, X: Tensor) -> Tensor:
        """Return the means.

        Parameters
        ----------
        X : Tensor of shape (n, channels, height, width)
            Output of the last block.

        Returns
        -------
        Tensor of shape (n, channels)
            Means.
        """
        return X.mean((2, 3))  # whose gradient is deterministic on every device


class ResNet18(ImageNetwork):
    """ResNet-18 for small images: eight residual blocks (He et al., 2016).

    Its first convolution is of 3 x 3 and stride 2; pooling follows from 64 pixels on.

    Parameters
    ----------
    input_shape : tuple of int
        (height, width) or (channels, height, width), from 16 x 16.
    n_outputs : int
        Number of logits.
    width : int, default=64
        Channels of the first blocks; they double three times.

    Raises
    ------
    ValueError
        If the input is no image, or too small.

    Examples
    --------
    >>> import torch
    >>> from skfair.networks import ResNet18
    >>> ResNet18((28, 28), 2, width=8)(torch.zeros(5, 28, 28)).shape
    torch.Size([5, 2])
    """

    def __init__(self, input_shape: Sequence[int], n_outputs: int, width: int = 64) -> None:
        channels, height, columns = image_shape("ResNet18", input_shape, smallest=16)
        first = nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)
        layers: list[nn.Module] = [first, nn.BatchNorm2d(width), nn.ReLU()]
        if min(height, columns) >= 64:
            layers.append(nn.MaxPool2d(2))
        channels = width
        for factor, stride in ((1, 1), (2, 2), (4, 2), (8, 2)):
            layers.append(ResidualBlock(channels, factor * width, stride))
            layers.append(ResidualBlock(factor * width, factor * width, 1))
            channels = factor * width
        features = nn.Sequential(*layers, Average())
        super().__init__(input_shape, features, nn.Linear(channels, n_outputs))


class Conv1dNet(nn.Module):
    """One-dimensional convolutions along the columns of a table, C256-C128-C64-C32-C16-C1 [1]_.

    Each convolution is of width 3 and stride 2. The last one, without an activation, is as wide as
    what is left of a row, so that every column counts at its own place, and has a filter for each
    logit.

    Parameters
    ----------
    input_shape : int or tuple of int
        Number of columns, (columns,), or (channels, length) of a sequence.
    n_outputs : int
        Number of logits.
    filters : sequence of int, default=(256, 128, 64, 32, 16)
        Channels of the convolutions before the last one.

    Raises
    ------
    ValueError
        If a row is neither flat nor a sequence.

    References
    ----------
    .. [1] I. C. Ngong, K. Maughan, J. P. Near. Towards Auditability for Fairness in Deep Learning.
       2021.

    Examples
    --------
    >>> import torch
    >>> from skfair.networks import Conv1dNet
    >>> Conv1dNet(20, 2)(torch.zeros(5, 20)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        input_shape: Shape,
        n_outputs: int,
        filters: Sequence[int] = (256, 128, 64, 32, 16),
    ) -> None:
        super().__init__()
        shape = _as_tuple(input_shape)
        if len(shape) > 2:
            raise ValueError(
                "Conv1dNet takes X of shape (n, columns) or (n, channels, length), got rows of "
                f"shape {shape}; for images there are module='convnet', 'alexnet' and 'resnet18'."
            )
        channels, length = shape if len(shape) == 2 else (1, *shape)
        layers: list[nn.Module] = [nn.Unflatten(1, (1, length))] if len(shape) == 1 else []
        for n_filters in filters:
            layers += [nn.Conv1d(channels, n_filters, 3, stride=2, padding=1), nn.ReLU()]
            channels, length = n_filters, (length + 1) // 2
        self.layers = nn.Sequential(*layers, nn.Conv1d(channels, n_outputs, length), nn.Flatten())

    def forward(self, X: Tensor) -> Tensor:
        """Return the logits.

        Parameters
        ----------
        X : Tensor of shape (n, columns) or (n, channels, length)
            Rows.

        Returns
        -------
        Tensor of shape (n, n_outputs)
            Logits.
        """
        return self.layers(X)
