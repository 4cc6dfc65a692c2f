"""Pictures have room for whatever groups and models are called."""

import re
import warnings

import pandas as pd
import pytest

from skfair.audit._figures import intervals_figure
from skfair.audit._measures import Measure

pytest.importorskip("matplotlib")

LONG = "Female & Amer-Indian-Eskimo & Married-spouse-absent & Other-relative & 35-44"
ENDS = {"value": [0.5, 0.6], "lower": [0.4, 0.5], "upper": [0.6, 0.7]}


def draw(models):
    """Draw two groups, one with a long name; return the picture, its width, that of the axes."""
    parts = [pd.DataFrame({"group": [LONG, "b"], "model": model, **ENDS}) for model in models]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = str(intervals_figure(pd.concat(parts), Measure("rate"), "says"))
    patch = re.search(r'id="rate-patch_2">\s*<path d="M ([\d.]+) [\d.]+ \s*L ([\d.]+)', svg)
    width = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])
    return svg, width, float(patch[2]) - float(patch[1])


@pytest.mark.parametrize("models", [["m"], ["one", "other"], [f"{LONG}, fair", f"{LONG}, plain"]])
def test_long_names_leave_the_axes_room(models):
    _, width, axes = draw(models)
    assert axes / width > 1 / 3


def test_long_names_of_models_stand_below_each_other():
    svg, *_ = draw([f"{LONG}, fair", f"{LONG}, plain"])
    names = re.findall(
        r'<text[^>]*x="([\d.]+)" y="([\d.]+)"[^>]*>Female[^<]*(fair|plain)</text>', svg
    )
    assert [name for *_, name in names] == ["fair", "plain"]
    (x, y, _), (other_x, other_y, _) = names
    assert x == other_x
    assert float(y) < float(other_y)


def test_a_picture_says_what_it_shows_and_shares_no_name_with_others():
    svg, *_ = draw(["<m>"])
    assert svg.startswith("<svg ")
    assert 'role="img" aria-label="says"' in svg
    ids = set(re.findall(r' id="([^"]+)"', svg))
    assert all(name.startswith("rate-") for name in ids)
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', svg)) <= ids
    assert "metadata" not in svg
