"""The order of the examples: what is trained, what is measured, then tools."""

from pathlib import Path

ORDER = """
    plot_fairn_tuning plot_tolerance plot_many_groups plot_penalties plot_dralign plot_pivot
    plot_fair_features plot_smoothing plot_images
    plot_audit plot_recourse plot_sensitivity plot_search_front
    plot_chunks skrub_tables optuna_search adversarial
"""


class ByTopic:
    """Sphinx-Gallery's key of an example; those that are not in the list come last."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, filename: str) -> int:
        """Return the place in the list."""
        names, name = ORDER.split(), Path(filename).stem
        return names.index(name) if name in names else len(names)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"
