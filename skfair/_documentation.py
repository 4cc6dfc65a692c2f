"""Links from an estimator's HTML to its page, where the documentation has an address."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

PROJECT, PACKAGE = "skfair-torch", __name__.partition(".")[0]


@cache
def documentation_url() -> str:
    """Address of the documentation, from the project's metadata; empty if it has none."""
    try:
        links = metadata(PROJECT).get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    urls = dict(link.split(", ", 1) for link in links)
    return urls.get("Documentation", "").rstrip("/")


class DocumentedEstimator:
    """Base of estimators whose HTML links to their page, and tells what each parameter means.

    scikit-learn's HTML asks for these attributes; without an address there are no links.
    """

    @property
    def _doc_link_module(self) -> str:
        return PACKAGE if documentation_url() else ""

    @property
    def _doc_link_template(self) -> str:
        return f"{documentation_url()}/generated/{{public_name}}.html"

    def _doc_link_url_param_generator(self, *_: Any) -> dict[str, str]:
        kind = type(self)
        module = kind.__module__.partition("._")[0]
        package = PACKAGE if kind.__name__ in sys.modules[PACKAGE].__all__ else module
        return {"public_name": f"{package}.{kind.__name__}"}
