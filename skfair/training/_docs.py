"""Parameters, attributes and signature shared by all neural estimators, said once."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

from ._settings import DEFAULTS, MANY_ROWS

BLOCK = re.MULTILINE | re.DOTALL
Method = TypeVar("Method", bound=Callable[..., Any])

PARAMETERS = """\
module : {"mlp", "tabular", "convnet", "alexnet", "resnet18", "conv1d"}, callable or None, \
default=None
    A network of :mod:`skfair.networks` by its name; an ``nn.Module`` class or any callable
    ``(n_features, n_outputs) -> nn.Module`` whose forward pass maps X to logits of shape
    (n, n_outputs), where ``n_features`` is the tuple ``X.shape[1:]`` if X has more than two
    dimensions. ``None`` builds the tabular network where X has categories or missing values, and a
    multi-layer perceptron where it has numbers only.
categorical_features : "from_dtype", array-like of str, int or bool, or None, default="from_dtype"
    Which columns of X the tabular network takes as categories, by name, position or mask.
    "from_dtype": those of text (of whatever type) and of a type for categories; truth values are
    the numbers 0 and 1. ``None``: X has numbers only. Values in fewer than 5 rows, and those that
    ``fit`` has not seen, share one place, and missing ones have their own.
hidden_layer_sizes : sequence of int, default="auto"
    Width of each hidden layer of the perceptron or the tabular network; "auto" is
    {hidden_layer_sizes}. What "auto" came to, here and below, is in ``settings_``.
activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
    Activation of the perceptron or the tabular network.
dropout : float in [0, 1), default="auto"
    Dropout of the perceptron or the tabular network; "auto" is {dropout}.
n_members : int >= 1, default=1
    Number of networks in one that the tabular network is made of; their mean decides. Other
    networks have one.
optimizer : {"adam", "adamw", "sgd", "rmsprop", "adagrad", "lbfgs"} or torch.optim class, \
default="auto"
    The optimizer; "auto" is {optimizer}.
lr : float > 0, default="auto"
    Learning rate; "auto" is {lr}.
lr_schedule : {"constant", "cosine"}, default="auto"
    Whether the learning rate stays, or falls to 0 over the ``max_epochs`` of ``fit`` along half a
    period of the cosine; "auto" is {lr_schedule}.
weight_decay : float >= 0, default="auto"
    L2 penalty, as the optimizer understands it; "auto" is {weight_decay} if ``optimizer`` is AdamW.
max_epochs : int, default="auto"
    Number of passes over the data; "auto" is {max_epochs}.
batch_size : int, default="auto"
    Rows per step; -1 takes all rows at once, "auto" is {batch_size}.
sampling : {"natural", "group", "group_label"}, default="natural"
    Batches of the next rows in random order; of equally many rows from every group (oversampling);
    or of equally many from every combination of group and label. Rows are drawn without
    replacement until their group is used up. An epoch has as many steps as with "natural". Rows
    whose group is missing keep their share.
augment : callable, default=None
    ``augment(X) -> X`` on tensors: applied to the rows of every training batch (flips, crops,
    noise), images of bytes being numbers in [0, 1] by then, and to nothing else. What it draws from
    torch's generator follows ``random_state``.
warmup : float in [0, 1], default=0.0
    Share of the training steps over which the weights of the fairness terms rise linearly from 0.
early_stopping : bool, default=False
    Whether to hold out a stratified part of the data and to stop when ``monitor`` has not improved
    by ``tol`` for ``n_iter_no_change`` epochs after the warm-up. If False, all ``max_epochs`` are
    run.
validation_fraction : float in (0, 1), default=0.1
    Share held out if ``early_stopping``, ``monitor`` or ``restore_best`` asks for it.
n_iter_no_change : int, default=10
    Patience of ``early_stopping``.
tol : float >= 0, default=1e-4
    Smallest improvement that counts for ``early_stopping``.
monitor : str, scorer or callable, default=None
    What is watched on the held-out part, greater being better: the name of a scorer, a scorer
    ``(estimator, X, y)`` (handed the sensitive features if it requests them), or a callable on the
    epoch's row of the history (a dict). ``None`` watches the loss.
restore_best : bool, default=False
    Whether the weights of the best epoch after the warm-up, in the eyes of ``monitor``, are kept.
sensitive_columns : str, int, list, slice or callable, default=None
    Column(s) of X that hold the sensitive feature(s), selected as in ``ColumnTransformer``. A name
    also stands for the columns that a transformer derived from it (``sex`` for ``cat__sex_Male``).
drop_sensitive_columns : bool, default=False
    Whether the network is kept from seeing ``sensitive_columns``, in fit and predict alike.
attributes : {"intersection", "sum"}, default="intersection"
    Several sensitive features: a group for every combination that occurs, or groups for each
    feature, whose terms are added up.
group_weights : {"share", "equal"}, default="share"
    How much each group counts in a difference between groups. "share": 2 sum_g pi_g |m_g - m|,
    where m_g is what is compared, pi_g the group's share of the (weighted) training rows, or of
    those with the label that m_g is conditioned on, and m the mean of all. For two groups of equal
    size that is the difference as printed, and no member of a small group feels it much more
    strongly than anybody else. "equal": the mean over all pairs of groups, as printed for two; with
    many or small groups it is brought to zero at the cost of the smallest.
class_weight : dict or "balanced", default=None
    Weights of the classes; they multiply ``sample_weight``. Where a row has several labels: the
    weight of each label's positives in its loss, by the label's position (1 for a label that is not
    named); "balanced" is the label's negatives divided by its positives.
device : str, default="cpu"
    A torch device, or "auto": cuda, then mps, then cpu.
dtype : {"float32", "float64"}, default="float32"
    Precision of training. Predictions are computed in double precision where the device and the
    module allow it, so that a row's result does not depend, beyond 1e-15, on the rows beside it;
    convolutions of images, which take many times as long in it, predict in the precision of
    training.
warm_start : bool, default=False
    Whether ``fit`` continues from the previous solution.
random_state : int, RandomState instance or None, default=None
    Seed of initial weights, batches, dropout and hold-out. NumPy's and torch's global generators
    are neither used nor changed.
verbose : int, default=0
    1 shows a progress bar over epochs, 2 prints a row per epoch.
net_params : dict, default=None
    Further parameters of the :class:`skorch.NeuralNetClassifier` that trains the network:
    ``callbacks``, ``optimizer__betas``, ``iterator_train__drop_last`` ..."""

BY_ROWS = {
    "weight_decay": f"0.3 (0.5 for more than {MANY_ROWS:,} rows)",
    "max_epochs": f"20 (8 for more than {MANY_ROWS:,} rows)",
    "batch_size": "about a hundredth of the rows (a power of two from 128 to 1,024)",
}
for _name, (_of_others, _of_tabular) in DEFAULTS.items():
    _value = BY_ROWS.get(_name, repr(_of_tabular))
    PARAMETERS = PARAMETERS.replace(
        f"{{{_name}}}", f"{_of_others!r}, or {_value} for the tabular network"
    )

ATTRIBUTES = """\
classes_ : ndarray of shape (n_classes,)
    Class labels; the second one is positive in a binary problem. With several labels a row, their
    positions.
n_features_in_ : int
    Number of features seen in ``fit``.
feature_names_in_ : ndarray of shape (n_features,)
    Their names, if X had names that are all strings.
n_iter_ : int
    Number of epochs run, over all calls if training was continued.
groups_ : list
    Group labels: values, or tuples with a value of every sensitive feature, or pairs (feature,
    value) if each feature has groups of its own; empty without any.
net_ : skorch.NeuralNetClassifier
    The trained net.
settings_ : Settings
    What it was trained with: ``hidden_layer_sizes``, ``dropout``, ``optimizer``, ``lr``,
    ``lr_schedule``, ``weight_decay``, ``max_epochs`` and ``batch_size``, where the parameters may
    say "auto".
module_ : torch.nn.Module
    The trained network.
history_ : pandas.DataFrame
    One row an epoch: duration, loss, and a column for every term of the objective."""


def section_of(doc: str, name: str) -> str:
    """Text of a section of a docstring, nothing if there is none."""
    found = re.search(rf"^{name}\n-+\n(.*?)(?=\s*\Z|\n\n\w+\n-+\n)", doc, BLOCK)
    return found[1] if found else ""


def fill_docstring(cls: type, base: type = object) -> None:
    """Put the entries of ``base`` into the places a docstring marks, but those it has itself."""
    if not cls.__doc__:
        return
    doc = inspect.cleandoc(cls.__doc__)  # as the compiler of Python 3.13 leaves it
    own = set(re.findall(r"^(\w+) :", doc, re.MULTILINE))
    for marker, section, text in (
        ("{network_parameters}", "Parameters", PARAMETERS),
        ("{attributes}", "Attributes", ATTRIBUTES),
    ):
        entries = re.split(r"\n(?=\w+ :)", section_of(base.__doc__ or "", section) or text)
        shared = (entry for entry in entries if entry.partition(" :")[0] not in own)
        doc = doc.replace(marker, "\n".join(shared))
    cls.__doc__ = f"{doc}\n"


def documented_as(method: Callable[..., Any]) -> Callable[[Method], Method]:
    """Give a method the docstring of another one that it answers for."""

    def document(own: Method) -> Method:
        own.__doc__ = method.__doc__
        return own

    return document
