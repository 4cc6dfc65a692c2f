"""Models from files: those known to be safe, and no others unless they are named."""

import os
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from skfair.audit._errors import InputError
from skfair.audit._log import discard
from skfair.audit._models import load_model
from skfair.datasets import make_biased_classification

skops = pytest.importorskip("skops.io")


class Touch:
    """A pickle that makes a folder."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


def test_other_types_are_named_with_what_to_do(tmp_path):
    X, y, _ = make_biased_classification(200, random_state=0)
    model = RandomForestClassifier(2, random_state=0).fit(X, y)
    skops.dump(model, tmp_path / "model.skops")
    with pytest.raises(InputError, match=r"not known to be safe: (.*)\. If you know") as error:
        load_model(tmp_path / "model.skops", discard)
    names = str(error.value).partition("add --trust ")[2].rstrip(".").split()
    assert "sklearn.tree._tree.Tree" in names
    again = load_model(tmp_path / "model.skops", discard, trusted=names)
    assert (again.predict(X) == model.predict(X)).all()


def test_what_is_no_classifier_is_refused(tmp_path):
    skops.dump([1, 2], tmp_path / "model.skops")
    with pytest.raises(InputError, match="holds a list, which is not a fitted classifier"):
        load_model(tmp_path / "model.skops", discard)
    (tmp_path / "evil.SKOPS").write_bytes(pickle.dumps(Touch(tmp_path / "made")))
    with pytest.raises(InputError, match="cannot be opened as a model"):
        load_model(tmp_path / "evil.SKOPS", discard)
    assert not (tmp_path / "made").exists()


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_damaged_files_are_refused_in_one_way(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(skops.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    (folder / "model.skops").write_bytes(content)
    model, refusal = None, ""
    try:
        model = load_model(folder / "model.skops", discard)
    except InputError as error:
        refusal = str(error)
    assert hasattr(model, "predict") or "model.skops" in refusal
    assert [path.name for path in folder.iterdir()] == ["model.skops"]
