"""Where modules and names were at first: imports and pickles from then work, with a warning."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGE = __name__.rpartition(".")[0]

# Old module -> those that have its names now.
MOVED: dict[str, tuple[str, ...]] = {
    "labels": ("_labels", "training._flipping"),
    "sensitive": ("_groups", "_columns"),
    "audit.audited": ("audit._subject", "audit._errors", "audit._measures"),
    "audit.command": ("audit._command", "audit._arguments"),
    "audit.figures": ("audit._figures",),
    "audit.intervals": ("audit._intervals", "_rates"),
    "audit.measures": ("audit._measures", "audit._rates", "audit._recourse", "audit._dependence"),
    "audit.models": ("audit._models",),
    "audit.page": ("audit._page",),
    "audit.report": ("audit._report",),
    "audit.summary": ("audit._summary",),
    "audit.tables": ("audit._tables", "audit._errors"),
    "audit.wording": ("audit._formats", "audit._describe"),
    "displays.search": ("displays._heatmap", "displays._pareto"),
    "recourse.columns": ("recourse._columns",),
    "recourse.decisions": ("recourse._decisions",),
    "recourse.profiles": ("recourse._profiles",),
    "smoothing.votes": ("smoothing._votes", "networks._inspection"),
    "training.data": ("training._batches",),
    "training.device": ("training._device",),
    "training.flipping": ("training._flipping",),
    "training.modules": (
        "networks.mlp",
        "networks._build",
        "networks._precision",
        "objectives.fairn",
    ),
    "training.monitor": ("training._monitor", "model_selection._monitor"),
    "training.net": ("training._net",),
    "training.outcome": ("training._outcome",),
    "training.prepare": ("training._encoder",),
    "training.rationales": ("objectives.rationales",),
    "training.sampling": ("training._sampling",),
} | {
    f"{folder}.{name}": (f"{folder}._{name}",)
    for folder, names in {
        "displays": ("history", "recourse", "sensitivity", "subgroups"),
        "metrics": (
            *("generalization", "individual", "parity", "recourse", "scorers", "sensitivity"),
            "subgroups",
        ),
        "model_selection": ("refit",),
        "training": ("base",),
    }.items()
    for name in names
}
RENAMED = {
    "Audited": "AuditSubject",
    "BadTable": "InputError",
    "HeldOut": "ValidationPart",
    "NotComputed": "NotComputedError",
    "_parser": "make_parser",
    "burden": "logit_recourse",
    "gap": "sum_of_gaps",
    "greatest": "worst_group",
    "negative_ratio": "negative_min_max_ratio",
    "take": "select_rows",
}


class MovedModule(ModuleType):
    """A module that looks for its names where they are now."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for place in MOVED[self.__name__.removeprefix(f"{PACKAGE}.")]:
            module = import_module(f".{place}", PACKAGE)
            for known in (name, RENAMED.get(name, name)):
                if hasattr(module, known):
                    return getattr(module, known)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class MovedFinder:
    """Finds and loads modules by their old name; without importlib.abc, which loads slowly."""

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        """Recognize an old name."""
        known = fullname.startswith(f"{PACKAGE}.") and fullname[len(PACKAGE) + 1 :] in MOVED
        loader: Any = self  # one by its methods
        return ModuleSpec(fullname, loader) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the module that stands in, and say where its names are."""
        places = MOVED[spec.name[len(PACKAGE) + 1 :]]
        warnings.warn(
            f"{spec.name} has moved: what is public is in its package, the rest in "
            f"{', '.join(places)}.",
            DeprecationWarning,
            stacklevel=2,
        )
        return MovedModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave everything to the first use of a name."""


def renamed(name: str, module: str) -> Any:
    """Return what a module calls otherwise now, with a warning."""
    if name not in RENAMED or not hasattr(sys.modules[module], RENAMED[name]):
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    warnings.warn(
        f"{module}.{name} is called {RENAMED[name]} now.", DeprecationWarning, stacklevel=3
    )
    return getattr(sys.modules[module], RENAMED[name])


def install() -> None:
    """Let Python's import know the old names."""
    if not any(isinstance(finder, MovedFinder) for finder in sys.meta_path):
        sys.meta_path.append(MovedFinder())
