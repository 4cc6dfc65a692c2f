"""What all displays share."""

from __future__ import annotations

from typing import Any

from sklearn.utils._optional_dependencies import check_matplotlib_support


class Display:
    """Something that is plotted on axes, ``ax_``, of a figure, ``figure_``."""

    def _axes(self, ax: Any) -> Any:
        """Return the given axes or new ones, and remember them."""
        check_matplotlib_support(f"{type(self).__name__}.plot")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots()
        self.ax_, self.figure_ = ax, ax.figure
        return ax
