"""What is loaded is what was stored, or nothing."""

import io
import json
import os
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import skops.io
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skfair
from skfair import LabelFlipClassifier, NetworkClassifier, PenaltyClassifier, persistence
from skfair.datasets import make_biased_classification
from skfair.persistence import DamagedFileError, NewerFormatError, UntrustedTypesError
from skfair.persistence._files import CALLBACKS

QUICK = {"max_epochs": 2, "hidden_layer_sizes": (4,), "random_state": 0}
STORED = sorted(Path(__file__).parents[1].glob("data/models/*/*.skops"))


@pytest.fixture(scope="module")
def people():
    return make_biased_classification(120, n_features=6, random_state=0)


@pytest.fixture(scope="module")
def model(people):
    X, y, group = people
    pipeline = make_pipeline(StandardScaler(), PenaltyClassifier(**QUICK))
    return pipeline.fit(X, y, penaltyclassifier__sensitive_features=group)


@pytest.fixture
def file(model, tmp_path):
    persistence.dump(model, tmp_path / "model.skops")
    return tmp_path / "model.skops"


def rewritten(file, changes):
    """The archive with other members, and checksums that fit them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(file) as archive, zipfile.ZipFile(buffer, "w") as copy:
        for name in archive.namelist():
            content = changes(name, archive.read(name))
            if content is not None:
                copy.writestr(name, content)
    return buffer.getvalue()


def test_a_pipeline_comes_back_and_trains_on(model, file, people):
    X, y, group = people
    for again in (persistence.load(file), persistence.load(str(file))):
        assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    again[-1].partial_fit(X, y, sensitive_features=group)
    trusted = persistence.trusted_types()
    assert np.array_equal(skops.io.load(file, trusted=trusted).predict(X), model.predict(X))


def test_what_was_asked_for_by_routing_comes_back(people, tmp_path):
    X, y, group = people
    with config_context(enable_metadata_routing=True):
        model = PenaltyClassifier(**QUICK).set_fit_request(sample_weight=True)
        persistence.dump(model.fit(X, y, sensitive_features=group), tmp_path / "model.skops")
        again = persistence.load(tmp_path / "model.skops")
        assert again.get_metadata_routing().fit.requests["sample_weight"] is True
        assert (
            model.get_metadata_routing().fit.requests == again.get_metadata_routing().fit.requests
        )
        assert again.set_fit_request(sample_weight=False).fit(X, y, sensitive_features=group)
        scaler = StandardScaler().set_fit_request(sample_weight=True).fit(X)
        if not isinstance(scaler._metadata_request.owner, str):
            with pytest.raises(ValueError, match="skops cannot store an estimator that refers to"):
                persistence.dump(scaler, tmp_path / "scaler.skops")


def test_callbacks_of_scikit_learn_stay_outside(people, tmp_path):
    callback = pytest.importorskip("sklearn.callback", reason="needs scikit-learn 1.9")
    X, y, _ = people
    monitor = callback.ScoringMonitor(scoring="accuracy")
    network = NetworkClassifier(**QUICK).set_callbacks(monitor)
    for model in (
        make_pipeline(StandardScaler(), network),
        CalibratedClassifierCV(network, cv=2),
        VotingClassifier([("network", network)]),
        LabelFlipClassifier(estimator=network, flip_fraction=0),
    ):
        if hasattr(model, "set_callbacks"):
            model.set_callbacks(monitor)
        before = [id(part._skl_callbacks) for part in (network, model) if hasattr(part, CALLBACKS)]
        persistence.dump(model.fit(X, y), tmp_path / "model.skops")
        again = persistence.load(tmp_path / "model.skops")
        assert b"callback" not in zipfile.ZipFile(tmp_path / "model.skops").read("schema.json")
        assert np.array_equal(again.predict(X), model.predict(X))
        after = [id(part._skl_callbacks) for part in (network, model) if hasattr(part, CALLBACKS)]
        assert after == before


# -- damage ---------------------------------------------------------------------------------------


def loads_alike(path, model, X):
    """Whether the file loads to the same answers, or is refused in one of the known ways."""
    try:
        again = persistence.load(path)
    except (DamagedFileError, UntrustedTypesError, NewerFormatError) as error:
        assert path.name in str(error)
        return False
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    return True


@pytest.mark.parametrize("plain", [False, True], ids=["skfair's file", "skops' file"])
def test_flipped_bits_are_refused_or_change_nothing(file, model, people, plain):
    if plain:
        skops.io.dump(model, file)
    content, rng = bytearray(file.read_bytes()), np.random.default_rng(0)
    directory = content.index(b"PK\x01\x02")
    positions = [
        *rng.integers(len(content), size=60 if plain else 120),
        *rng.integers(directory, len(content), size=60),  # where names and sizes stand
    ]
    same = 0
    for position in positions:
        flipped = content.copy()
        flipped[position] ^= 1 << rng.integers(8)
        file.write_bytes(flipped)
        same += loads_alike(file, model, people[0])
    assert 0 < same < len(positions) // 2


def test_truncated_files_are_refused(file, model, people):
    content = file.read_bytes()
    for length in [0, 1, 30, *range(100, len(content), 997), len(content) - 1]:
        file.write_bytes(content[:length])
        assert not loads_alike(file, model, people[0])


def test_changed_weights_are_refused_although_the_checksums_fit(file, model, people):
    def scale(name, content):
        if not name.endswith(".npy"):
            return content
        array = np.load(io.BytesIO(content))
        out = io.BytesIO()
        np.save(out, array * 2 if array.dtype.kind == "f" else array)
        return out.getvalue()

    original = file.read_bytes()
    file.write_bytes(rewritten(file, scale))
    with pytest.raises(DamagedFileError, match="has been changed after it was written"):
        persistence.load(file)
    for missing in (
        "schema.json",
        json.loads(_member(original, "skfair.json"))["sha256"].popitem()[0],
    ):
        file.write_bytes(original)
        file.write_bytes(rewritten(file, lambda name, c, m=missing: None if name == m else c))
        with pytest.raises(DamagedFileError, match="changed after it was written"):
            persistence.load(file)


def _member(content, name):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def test_another_file_than_the_expected_one_is_refused(model, tmp_path, people):
    digest = persistence.dump(model, tmp_path / "model.skops")
    assert persistence.load(tmp_path / "model.skops", sha256=digest.upper())
    skops.io.dump(model, tmp_path / "model.skops")  # as good, but another one
    with pytest.raises(DamagedFileError, match=f"its SHA-256 is .*, not {digest}"):
        persistence.load(tmp_path / "model.skops", sha256=digest)


def test_what_is_no_file_of_skops_is_named(tmp_path, model):
    joblib.dump(model, tmp_path / "model.skops")
    with pytest.raises(DamagedFileError, match="no file of skops.*people you trust"):
        persistence.load(tmp_path / "model.skops")
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        archive.writestr("other.txt", "text")
    with pytest.raises(DamagedFileError, match="no file of skops"):
        persistence.load(tmp_path / "model.skops")
    with pytest.raises(FileNotFoundError):
        persistence.load(tmp_path / "none.skops")


def test_a_file_is_there_whole_or_as_before(file, monkeypatch):
    before = file.read_bytes()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        persistence.dump(StandardScaler(), file)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["model.skops"]


# -- versions -------------------------------------------------------------------------------------


def test_a_newer_file_is_refused_with_what_to_do(file):
    def newer(name, content):
        if name != "skfair.json":
            return content
        return json.dumps(json.loads(content) | {"format": 99, "skfair": "9.9"})

    file.write_bytes(rewritten(file, newer))
    with pytest.raises(
        NewerFormatError, match=r"model.skops was stored by skfair 9\.9 in format 99"
    ):
        persistence.load(file)


@pytest.mark.parametrize("name", [n for n in skfair.__all__ if n[0].isupper()])
def test_a_newer_state_is_refused_with_what_to_do(name, people, tmp_path):
    X, y, group = people
    if name == "SmoothedClassifier":
        model = skfair.SmoothedClassifier(LogisticRegression(), random_state=0).fit(X, y)
    elif name == "FairThresholdClassifier":
        model = skfair.FairThresholdClassifier(LogisticRegression(), tolerance=0.2)
        model.fit(X, y, sensitive_features=group)
    else:
        model = getattr(skfair, name)(**QUICK).fit(X, y, sensitive_features=group)
    state = model.__getstate__()
    assert state["_state_format"] == 1
    assert state["_skfair_version"] == skfair.__version__
    newer = state | {"_state_format": 2, "_skfair_version": "9.9", "_encoder": {"new": 1}}
    with pytest.raises(
        NewerFormatError, match=rf"This {name} was stored by skfair 9\.9 in format 2"
    ):
        type(model).__new__(type(model)).__setstate__(newer)
    again = type(model).__new__(type(model))
    again.__setstate__(state)
    assert vars(again).keys() == vars(model).keys()


@pytest.mark.filterwarnings("ignore:The fitted MarginClassifier accepts nobody")
@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_files_of_earlier_versions_load(path, people):
    X, y, group = people
    answers = json.loads((path.parent / "answers.json").read_text())
    model = persistence.load(path)
    probabilities = model.predict_proba(np.array(answers["X"]))
    np.testing.assert_allclose(probabilities, answers["probabilities"][path.stem], atol=1e-6)
    assert (model.boundary_distance(X) >= 0).all() if hasattr(model, "boundary_distance") else True
    assert repr(model)
    if hasattr(model, "partial_fit"):
        model.partial_fit(X, y, sensitive_features=group)
        assert len(model.history_) == 3
        model.set_params(max_epochs=1, warm_start=True).fit(X, y, sensitive_features=group)
    assert model.__getstate__()["_state_format"] == 1


def test_files_of_three_earlier_versions_are_kept():
    assert len({path.parent.name for path in STORED}) >= 5


def test_networks_need_no_more_than_their_names(people, tmp_path):
    X, y, _ = people
    model = NetworkClassifier(**QUICK, module=OwnNetwork).fit(X, y)
    persistence.dump(model, tmp_path / "model.skops")
    name = f"{OwnNetwork.__module__}.OwnNetwork"
    with pytest.raises(UntrustedTypesError, match=r"known to be safe: .*OwnNetwork\. If") as error:
        persistence.load(tmp_path / "model.skops")
    assert error.value.names == [name]
    again = persistence.load(tmp_path / "model.skops", trusted=[name])
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


class OwnNetwork(skfair.networks.MLP):
    pass
