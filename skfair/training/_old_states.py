"""States that were stored before they had a number."""

from __future__ import annotations

from typing import Any

import numpy as np

# Names of what an Encoder holds, where estimators held it themselves.
ENCODER_NAMES = {
    "kept_columns": "_kept_columns",
    "multi_label": "_multi_label",
    "attribute_of": "_attribute_of",
    "group_columns": "_kind_of_groups",
    "group_counts": "_group_counts",
}


def from_format_0(estimator: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of an estimator with the names that it has in format 1.

    Parameters
    ----------
    estimator : TableLearner
        Whose state it is.
    state : dict
        Fitted or not; of the last versions that wrote no number it stays as it is.

    Returns
    -------
    dict
        Training goes on from it by the rules of its time: groups counted alike, whatever their
        size, before their sizes were stored.
    """
    if "_encoder" in state or "classes_" not in state:
        return state
    classes, groups = state["classes_"], state["groups_"]
    if "_group_counts" not in state:
        state["group_weights"] = "equal"
    equal = np.ones((len(classes), len(groups)))
    added: dict[str, Any] = {"_multi_label": False, "_group_counts": equal}
    state = added | state
    dtype = state.pop("_trained_dtype", None)
    encoder = {name: state.pop(old) for name, old in ENCODER_NAMES.items()}
    encoder |= {"name": type(estimator).__name__, "classes": classes, "groups": groups}
    state["_encoder"] = encoder | {"dtype": dtype if estimator._encodes_rows else None}
    if "net_" in state:
        state["_architecture"] = {**state["_architecture"], "dtype": dtype}
        net: dict[str, Any] = dict(state["net_"])
        optimizer = net.pop("optimizer")
        module = {
            "weights": net.pop("module"),
            "optimizer": optimizer["name"],
            "optimizer_state": optimizer["state"],
        }
        state["net_"] = net | {"parts": {"module": module}}
    return state
