"""Configuration of the documentation: ``sphinx-build -W -b html docs docs/_build/html``."""

import re

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
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "examples"]
templates_path = ["_templates"]
default_role = "literal"

autosummary_generate = True
autosummary.WELL_KNOWN_ABBREVIATIONS += ("Eq.",)  # else summaries end there
autodoc_typehints = "none"  # the docstrings say them in words
numpydoc_show_class_members = False  # _templates/autosummary/class.rst lists the methods
doctest_test_doctest_blocks = "default"

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 3600,
}

html_theme = "pydata_sphinx_theme"
html_title = "skfair"
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": False, "secondary_sidebar_items": ["page-toc"]}
html_sidebars = {"changelog": [], "index": []}


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
