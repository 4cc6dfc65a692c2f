"""What is to be predicted, and how much each row counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._tables import naming, some


@dataclass(frozen=True)
class Targets:
    """What y may be.

    Attributes
    ----------
    multi_class : bool, default=True
        Whether there may be more than two classes.
    multi_label : bool, default=False
        Whether a row may have several labels, y being of shape (n, n_labels).
    hint : str, default=""
        What an error says to somebody with more than two classes.
    """

    multi_class: bool = True
    multi_label: bool = False
    hint: str = ""


def check_target(y: Any, allowed: Targets) -> tuple[np.ndarray, bool]:
    """Return y, and whether it holds several labels a row."""
    # NaN and infinity are reported below
    with naming("y"), np.errstate(invalid="ignore"):
        kind = type_of_target(y, input_name="y") if allowed.multi_label else None
    if kind == "multilabel-indicator":
        with naming("y"):
            y = check_array(y, accept_sparse="csr", input_name="y")
        y = y.toarray() if issparse(y) else y
        if values := sorted(set(np.unique(y).tolist()) - {0, 1}):
            raise ValueError(
                f"y with several labels a row must hold 0 and 1, got {some(values)}, too."
            )
        return y.astype(np.int64), True
    with naming("y"):
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
    return y, False


def check_several(y: np.ndarray, known: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return y, and the labels' positions, which are the classes."""
    if known is not None and y.shape[1] != len(known):
        raise ValueError(f"y must have {len(known)} labels as before, got {y.shape[1]}.")
    return y, np.arange(y.shape[1])


def encode_labels(
    y: np.ndarray,
    classes: Any,
    known: np.ndarray | None,
    targets: Targets,
    name: str,
    weighted: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Class codes, and the labels that they stand for; rows may be ``weighted``, but not by 0."""
    with naming("y"):
        present, codes = np.unique(y, return_inverse=True)
    with naming("classes"):
        classes = None if classes is None else np.unique(classes)
    if known is None:
        known = present if classes is None else classes
        if len(known) < 2:
            where = " where sample_weight is not 0" if weighted else ""
            raise ValueError(
                f"{name} needs at least two classes, y contains only one class{where}: "
                f"{known.tolist()}."
            )
    elif classes is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"classes={some(classes.tolist())} differ from those of the first call, "
            f"{some(known.tolist())}."
        )
    if len(known) > 2 and not targets.multi_class:
        raise ValueError(
            "Only binary classification is supported. The type of the target is multiclass "
            f"({len(known)} classes). {targets.hint}"
        )
    unknown = np.setdiff1d(present, known)
    if len(unknown):
        raise ValueError(
            f"y contains classes {some(unknown.tolist())} that are not among "
            f"{some(known.tolist())}; name all "
            "of them in the first call of partial_fit, or fit without warm_start."
        )
    return np.searchsorted(known, present)[codes].astype(np.int64), known


def weigh_classes(
    labels: np.ndarray, weights: np.ndarray | None, class_weight: dict | str | None
) -> np.ndarray | None:
    """Weights of rows with those of their classes in them; rows may come to weigh nothing."""
    if class_weight is None:
        return weights
    factors = compute_sample_weight(class_weight, labels)
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise ValueError(
            f"class_weight must hold non-negative finite numbers, got {class_weight!r}."
        )
    return factors if weights is None else _multiply(weights, factors)


def weigh_labels(
    y: np.ndarray, weights: np.ndarray | None, class_weight: dict | str | None
) -> np.ndarray | None:
    """Weight of each label's positives: named by the label's position, or negatives / positives."""
    if class_weight is None:
        return None
    n_labels = y.shape[1]
    if isinstance(class_weight, dict):
        factors = np.ones(n_labels)
        for label, weight in class_weight.items():
            if label not in range(n_labels):
                raise ValueError(
                    f"class_weight names the label {label!r}; where a row has several labels its "
                    f"keys are their positions, 0 to {n_labels - 1}."
                )
            factors[label] = weight
        if not (np.isfinite(factors).all() and (factors >= 0).all()):
            raise ValueError(
                f"class_weight must hold non-negative finite numbers, got {class_weight!r}."
            )
        return factors
    share = np.average(y, axis=0, weights=weights)
    return np.divide(1 - share, share, out=np.ones(n_labels), where=(share > 0) & (share < 1))


def _multiply(weights: np.ndarray, factors: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        product = weights * factors
    if np.isfinite(product).all():
        return product
    return (weights / weights.max()) * (factors / factors.max())


def relative_weights(weights: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Weights of mean one: only ratios matter, and large or tiny ones must fit a float32."""
    weights = weights / weights.max()
    weights /= weights.mean()
    if weights.min() < np.finfo(dtype).tiny:
        raise ValueError(
            f"sample_weight and class_weight together span more than {dtype} can hold: the least "
            f"is {weights.min() / weights.max():.0e} of the greatest. Give what hardly counts a "
            "weight of 0, which leaves it out."
        )
    return weights
