"""torch's tensors where arrays are expected, by the rules of scikit-learn's array API support."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import sklearn
import torch
from torch import Tensor


def takes_tensors(method: Callable) -> Callable:
    """Let a method take tensors from any device, which it sees as arrays.

    What it answers are arrays; with ``sklearn.set_config(array_api_dispatch=True)`` numbers are
    tensors where X is one, on its device.
    """

    @wraps(method)
    def wrapper(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        if not any(isinstance(value, Tensor) for value in (X, *args, *kwargs.values())):
            return method(self, X, *args, **kwargs)
        dispatch = sklearn.get_config()["array_api_dispatch"]
        with sklearn.config_context(array_api_dispatch=False):
            arrays = {name: as_array(value) for name, value in kwargs.items()}
            found = method(self, as_array(X), *map(as_array, args), **arrays)
        if not (dispatch and isinstance(X, Tensor)):
            return found
        if isinstance(found, tuple):
            return tuple(_on_device(part, X.device) for part in found)
        return _on_device(found, X.device)

    return wrapper


def as_array(value: Any) -> Any:
    """Turn a tensor into an array; leave anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    value = value.detach()
    if value.layout is not torch.strided:
        value = value.to_dense()
    if value.dtype == torch.bfloat16:  # unknown to NumPy
        value = value.float()
    return value.cpu().resolve_conj().resolve_neg().numpy()


def _on_device(values: Any, device: torch.device) -> Any:
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        return values
    if device.type == "mps" and values.dtype == np.float64:  # which it does not know
        values = values.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)
