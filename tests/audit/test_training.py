"""Networks are trained on one part, chosen on another and audited on a third."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from skfair import DRAlignClassifier, FaiRNClassifier, NetworkClassifier, PenaltyClassifier
from skfair.audit import _validation
from skfair.networks import TabularNetwork
from skfair.training._net import ObjectiveNet

from .helpers import run

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.usefixtures("short_training")


@pytest.fixture
def people():
    """Enough of two groups to tell who pays."""
    rng = np.random.default_rng(0)
    sex = rng.choice(["woman", "man"], 2400)
    x = rng.normal(size=2400) + (sex == "man")
    good = x + rng.normal(size=2400) > 0.8
    return pd.DataFrame({"sex": sex, "x": x.round(3), "paid": np.where(good, "yes", "no")})


@pytest.mark.parametrize(
    ("method", "kind", "name"),
    [
        ("fairn", FaiRNClassifier, r"FaiR-N network \(lambda 0\.\d+\)"),
        (
            "penalty",
            PenaltyClassifier,
            r"network with a penalty on equalized odds \(alpha \S+\)",
        ),
        (
            "dralign",
            DRAlignClassifier,
            r"DRAlign network for demographic parity \(lambda \S+\)",
        ),
    ],
)
def test_networks_are_called_what_they_are(method, kind, name, people, tmp_path, asked):
    people.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv", "--method", method)[0] == 0
    assert re.fullmatch(name, asked["names"][0])
    assert asked["names"][1] == "plain network"
    fair, plain = asked["estimator"][-1], asked["baseline"][-1]
    assert type(fair) is kind
    weight = float(re.search(r"[\d.]+(?=\)$)", asked["names"][0]).group())
    parameters = fair.get_params()
    assert weight in (parameters.get("lambda_fairness"), parameters.get("alpha"))
    assert type(plain) is NetworkClassifier
    tried = asked["provenance"]["networks tried"]
    assert len(tried.split("; ")) >= 4
    assert tried.startswith("plain network: accuracy ")


def test_the_tabular_network_takes_columns_as_they_are(people, tmp_path, asked):
    few = people.head(150).assign(job=["cook", None, "clerk"] * 50, code=[1, 2] * 75)
    few.loc[::7, "x"] = np.nan
    few.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv", "--network", "tabular", sensitive=["sex", "code"])[0] == 0
    network = asked["estimator"][-1]
    assert type(network.module_) is TabularNetwork
    assert network.n_iter_ == 20
    layout = network.module_.embeddings[1].positions.tolist()
    assert [network.feature_names_in_[j] for j in layout] == ["sex", "job", "code"]
    assert asked["estimator"].predict(asked["X"]).shape == asked["y"].shape
    assert "20 epochs, batches of 128; the tabular network" in asked["provenance"]["training"]


@pytest.mark.parametrize("method", ["penalty", "dralign"])
@pytest.mark.parametrize("favorable", ["yes", "no"])
def test_equal_opportunity_is_that_of_the_favorable_outcome(
    method, favorable, people, tmp_path, asked
):
    people.to_csv(tmp_path / "data.csv", index=False)
    asked_for = ("--method", method, "--constraint", "equal_opportunity")
    assert run(tmp_path / "data.csv", *asked_for, positive=favorable)[0] == 0
    other = {"yes": "no", "no": "yes"}[favorable]
    assert asked["estimator"][-1].unfavorable == asked["unfavorable"] == other
    share = (people["paid"] == favorable).mean()
    assert (asked["y"] == favorable).sum() == pytest.approx(share * len(asked["y"]), abs=2)


def test_rows_to_choose_by_are_neither_trained_on_nor_audited(people, tmp_path, asked, monkeypatch):
    seen = {"train": set(), "choose": set()}
    fit, evaluate = Pipeline.fit, _validation.Validation.evaluate
    monkeypatch.setattr(
        Pipeline,
        "fit",
        lambda self, X, *a, **k: (seen["train"].update(X.index), fit(self, X, *a, **k))[1],
    )
    monkeypatch.setattr(
        _validation.Validation,
        "evaluate",
        lambda self, model: (seen["choose"].update(self.X.index), evaluate(self, model))[1],
    )
    people.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv")[0] == 0
    parts = [seen["train"], seen["choose"], set(asked["X"].index)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 2400
    assert [len(part) for part in parts] == [1350, 450, 600]


def test_the_first_line_says_that_somebody_pays(people, tmp_path, asked, monkeypatch):
    evaluate = _validation.Validation.evaluate

    def harmful(self, model):
        """Networks with a fairness term accept no women."""
        accuracy, gap, rates = evaluate(self, model)
        if isinstance(model[-1], FaiRNClassifier):
            accepted = rates.accepted.copy()
            accepted[rates.names.index("woman")] = 0.0
            rates = dataclasses.replace(rates, accepted=accepted)
        return accuracy, gap + 1, rates

    monkeypatch.setattr(_validation.Validation, "evaluate", harmful)
    people.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv")[0] == 0
    assert asked["headline"][0].startswith("Use none of the networks with a fairness term")
    assert "acceptance of woman 0.000 instead of" in asked["headline"][0]
    assert asked["names"][0].startswith("FaiR-N network")


def test_the_first_line_says_among_whom_the_gap_is_measured(people, tmp_path, asked):
    people.loc[:119, "sex"] = "other"
    people.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv", "--constraint", "demographic_parity")[0] == 0
    assert asked["headline"][0].endswith(
        " The demographic parity difference there is that among the 2 groups of at least 100 "
        "people; 1 other was too small."
    )


def test_the_choice_keeps_to_the_tolerance(people, tmp_path, asked):
    people.to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv", "--tolerance", "100")[0] == 0
    assert re.search("at most 100|100 is allowed", asked["headline"][0])
    assert run(tmp_path / "data.csv", "--tolerance", "0")[0] == 0
    assert re.search("keeps the recourse gap to 0 without|smaller", asked["headline"][0])


def test_too_few_people_to_choose_by_are_trained_on(table, tmp_path, asked):
    table.iloc[:120].to_csv(tmp_path / "data.csv", index=False)
    assert run(tmp_path / "data.csv")[0] == 0
    assert asked["names"][0] == "FaiR-N network (lambda 0.5)"
    assert asked["headline"][0].startswith("The table has too few people to choose")
    assert asked["provenance"]["split"].startswith("90 to train on, 30 to audit on")


@pytest.mark.parametrize("epoch", [1, 2])
@pytest.mark.parametrize("network", [1, 2, 6])
def test_an_interruption_in_training_is_one(epoch, network, table, tmp_path, capsys, monkeypatch):
    """Ctrl-C is to skorch the wish to keep what has been trained so far."""
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False)
    begun = []

    def run_single_epoch(self, iterator, training, *args, **kwargs):
        if training:
            begun.append(len(self.history))
            if begun.count(1) == network and begun[-1] == epoch:
                raise KeyboardInterrupt
        return original(self, iterator, training, *args, **kwargs)

    original = ObjectiveNet.run_single_epoch
    monkeypatch.setattr(ObjectiveNet, "run_single_epoch", run_single_epoch)
    code, out = run(path)
    assert code == 1
    assert not out.exists()
    assert begun.count(1) == network
    assert "interrupted; nothing was written" in capsys.readouterr().err
