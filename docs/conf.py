"""Configuration of the documentation: ``sphinx-build -W -b html docs docs/_build/html``."""

import os
import re
import sys
from pathlib import Path

from sphinx.ext import autosummary

import skfair

project = "skfair"
author = "The skfair developers"
copyright = author  # noqa: A001 - the name Sphinx reads
release = version = skfair.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx-mathjax-offline",  # formulas without a request to another host
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "notfound.extension",
    "evidence",
    "front",
]
sys.path[:0] = [str(Path(__file__).parent / "_extensions"), str(Path(__file__).parents[1])]
exclude_patterns = ["_build", "_extensions", "_templates", "examples", "inventories"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["skfair.css"]
html_js_files = ["skfair.js"]
html_favicon = "_static/favicon.svg"
default_role = "literal"
suppress_warnings = ["myst.xref_missing"]  # links of CONTRIBUTING.md into the repository
smartquotes = False  # option names are pasted into code
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
notfound_urls_prefix = ""

autosummary_generate = True
autosummary.WELL_KNOWN_ABBREVIATIONS += ("Eq.",)  # else summaries end there
toc_object_entries_show_parents = "hide"  # whole names are cut in the margin
autodoc_typehints = "none"  # the docstrings say them in words
numpydoc_show_class_members = False  # _templates/autosummary/class.rst lists the methods
doctest_test_doctest_blocks = "default"

# Where others document what ours refers to: lists, so that a build needs no network.
addresses = {
    "distributed": "https://distributed.dask.org/en/stable",
    "fairlearn": "https://fairlearn.org/main",
    "matplotlib": "https://matplotlib.org/stable",
    "pandas": "https://pandas.pydata.org/docs",
    "python": "https://docs.python.org/3",
    "scikit-learn": "https://scikit-learn.org/stable",
    "scipy": "https://docs.scipy.org/doc/scipy",
    "skops": "https://skops.readthedocs.io/en/stable",
    "skorch": "https://skorch.readthedocs.io/en/stable",
    "torch": "https://docs.pytorch.org/docs/stable",
}
intersphinx_mapping = {
    name: (address, f"inventories/{name}.txt") for name, address in addresses.items()
}

# Examples on real data are shown without their output where there is no folder of data.
sources = (Path(__file__).parent / "examples").glob("*.py")
real = "|".join(s.stem for s in sources if re.search("fetch_|SKFAIR_DATA", s.read_text()))
left_out = "" if "SKFAIR_DATA" in os.environ else rf"(?!({real})\.py)"

sphinx_gallery_conf = {
    "filename_pattern": rf"/(?=plot_){left_out}",
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "within_subsection_order": "gallery_order.ByTopic",
    "download_all_examples": False,
    "show_signature": False,
    "ignore_repr_types": r"matplotlib|skfair\.displays",  # <... object at 0x...>
    "min_reported_time": 3600,
    "write_computation_times": False,  # that page loads scripts from other hosts
}

html_theme = "pydata_sphinx_theme"
html_title = f"skfair {version}"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
    "switcher": {"json_url": "_static/switcher.json", "version_match": version},
}
# No sidebar beside pages that have none below them.
alone = """index install quickstart concepts which_method how_to evidence frontier errata faq
    changelog contributing search genindex py-modindex 404 _modules/**"""
html_sidebars = {page: [] for page in alone.split()}


def escape_plain_text(app, what, name, obj, options, lines):
    """Let docstrings say |d| and classes_ in plain text, which reStructuredText takes for links."""
    for i, line in enumerate(lines):
        parts = re.split(r"(`+[^`]*`+_?)", line)
        parts[::2] = [re.sub(r"\||(?<=\w)_(?!\w)", r"\\\g<0>", part) for part in parts[::2]]
        lines[i] = "".join(parts)


def drop_links(app, what, name, obj, options, lines):
    """Leave the words of links into the documentation of scikit-learn."""
    into = r"metadata_routing|df_output_transform|sphx_glr_auto_examples_\w+(?:\.py)?"
    for i, line in enumerate(lines):
        line = re.sub(rf":ref:`([^`<]*?)\s*<(?:{into})>`", r"\1", line)
        line = re.sub(rf":ref:`(?:{into})`", "its user guide", line)
        lines[i] = re.sub(r":term:`([^`<]*)`", r"``\1``", line)


def setup(app):
    """Register what this documentation adds to Sphinx."""
    app.connect("autodoc-process-docstring", drop_links, priority=890)
    app.connect("autodoc-process-docstring", escape_plain_text, priority=900)  # after numpydoc
