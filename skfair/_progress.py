"""The progress bar: tqdm's, in a notebook the widget where ipywidgets is installed."""

import warnings

from tqdm import TqdmWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", TqdmWarning)  # no ipywidgets: the bar is text
    from tqdm.auto import tqdm

__all__ = ["tqdm"]
