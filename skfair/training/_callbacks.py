"""scikit-learn's callbacks, from version 1.9 on: an epoch is a task of fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from skorch.callbacks import EarlyStopping

from ._rows import TrainingData

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback._callback_support import callback_management_context
except ImportError:  # an earlier version, in which there is nothing to support

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """In the place of scikit-learn's."""

    callback_management_context = None


def ended_callbacks(estimator: Any) -> AbstractContextManager[None]:
    """Tell the estimator's callbacks when the block ends, however it does."""
    if callback_management_context is None:
        return nullcontext()
    return callback_management_context(estimator)


def has_callbacks(estimator: Any) -> bool:
    """Whether there are callbacks to be told of a training."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def task_arguments(estimator: Any, data: TrainingData) -> dict[str, Any]:
    """Return what callbacks are told of a task of an estimator's fit."""
    return {
        "estimator": estimator,
        "X": data.raw,
        "y": estimator.classes_[data.y] if data.y.ndim == 1 else data.y,
        # no sensitive features: a scorer that has no use for them would refuse them
        "metadata": None if data.weights is None else {"sample_weight": data.weights},
    }


@contextmanager
def inner_task(estimator: Any, inner: Any, data: TrainingData) -> Iterator[None]:
    """Tell a meta-estimator's callbacks of its fit, and hand them to the estimator that it fits.

    Parameters
    ----------
    estimator : estimator
        Whose callbacks they are.
    inner : estimator
        What is fitted in the block, ``estimator_`` afterwards.
    data : TrainingData
        The training rows.
    """
    if callback_management_context is None:
        yield
        return
    told = task_arguments(estimator, data)
    fitted = {"reconstruction_attributes": lambda: {"estimator_": inner}}
    fit_task = estimator._init_callback_context(max_subtasks=1)
    fit_task.call_on_fit_task_begin(**told)
    inner_fit = fit_task.subcontext(task_name="fit-estimator")
    with inner_fit.propagate_callback_context(inner):
        inner_fit.call_on_fit_task_begin(**told)
        yield
    inner_fit.call_on_fit_task_end(**told, **fitted)
    fit_task.call_on_fit_task_end(**told, **fitted)


class EpochTasks(EarlyStopping):
    """Tell scikit-learn's callbacks of fit and its epochs; one of them may end the training.

    Parameters
    ----------
    estimator : NeuralClassifier
        Whose callbacks they are.
    data : TrainingData
        The training rows.
    epochs : int
        How many there will be at most.
    """

    def __init__(self, estimator: Any, data: TrainingData, epochs: int) -> None:
        super().__init__()
        self.estimator, self.epochs = estimator, epochs
        self.fit_task: Any = None
        self.epoch_task: Any = None
        # of the estimator a copy as it is at that time, made only if somebody asks for it
        self.arguments = task_arguments(estimator, data) | {"reconstruction_attributes": dict}

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin the task of fit."""
        self.fit_task = self.estimator._init_callback_context(max_subtasks=self.epochs)
        self.fit_task.call_on_fit_task_begin(**self.arguments)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin the task of an epoch."""
        self.epoch_task = self.fit_task.subcontext(task_name="epoch")
        self.epoch_task.call_on_fit_task_begin(**self.arguments)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """End it, and the training if a callback wants that."""
        if self.epoch_task.call_on_fit_task_end(**self.arguments):
            raise KeyboardInterrupt

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """End the task of fit, and let go of the data."""
        self.fit_task.call_on_fit_task_end(**self.arguments)
        self.estimator = self.fit_task = self.epoch_task = None
        self.arguments = {}


def epoch_tasks(estimator: Any, data: TrainingData, epochs: int) -> list:
    """Return the skorch callback that tells an estimator's callbacks of scikit-learn, if any."""
    if not has_callbacks(estimator):
        return []
    return [("skfair_tasks", EpochTasks(estimator, data, epochs))]
