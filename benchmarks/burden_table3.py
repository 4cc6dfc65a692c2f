"""Burden in FaiR-N's Table 3: ``python -m benchmarks.burden_table3 [--quick] [--part table|dice]``.

Difference between the sexes of the mean distance to the nearest accepted profile in the input
space, for a plain network, FaiR-N, LargeM and fairlearn's peers on Adult; sex and race never
change, numbers stay within the observed range. The unit differs from the paper's (median absolute
deviations, and 1 for a category): compare reductions. The second part compares counterfactuals with
those of DiCE (``pip install dice-ml``), where that is installed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from skfair import FaiRNClassifier, NetworkClassifier
from skfair.metrics import burden
from skfair.recourse import counterfactuals
from skfair.recourse._profiles import Profiles

from ._common import (
    Part,
    adult,
    arguments,
    beside,
    equalized_odds_peers,
    measures,
    report,
    summarize,
    table_encoder,
    timed,
)

FIXED = ["sex", "race"]
# lambda_fairness=1 and 10 epochs were chosen on rows held out of the training part.
NETWORKS = {
    "plain": (NetworkClassifier, {}),
    "FaiR-N": (FaiRNClassifier, {"lambda_fairness": 1.0}),
    "FaiR-N (0.5, 0.1)": (FaiRNClassifier, {}),
    "LargeM": (FaiRNClassifier, {"distance": "gradient"}),
}
# As printed: accuracy, |dTPR|, |dFPR|, seconds, burden difference.
PAPER = {
    "plain, 2 layers": (0.82, 0.34, 0.13, 318.2, 0.68),
    "FaiR-N, 2 layers": (0.81, 0.041, 0.021, 324.4, 0.06),
    "FaiR-N, 4 layers": (0.83, 0.07, 0.05, 344.9, 0.10),
    "LargeM, 2 layers": (0.808, 0.044, 0.020, 471.7, 0.03),
    "LargeM, 4 layers": (0.829, 0.049, 0.08, 631.5, 0.10),
    "ExponentiatedGradient": (0.81, 0.05, 0.04, 419.4, 0.19),
}


class Deterministic(ClassifierMixin, BaseEstimator):
    """A fitted peer by its likelier answer, on the raw table.

    Parameters
    ----------
    encoder : transformer
        Fitted, from the table to numbers.
    answer : callable
        From the encoded rows and their sex to the probability of acceptance.
    """

    def __init__(self, encoder: Any, answer: Callable) -> None:
        self.encoder, self.answer = encoder, answer
        self.classes_ = np.array([0, 1])

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Accept whom the peer accepts more often than not."""
        chance = self.answer(self.encoder.transform(X).astype(float), X["sex"].astype(str))
        return (np.asarray(chance).ravel() > 0.5).astype(int)


def methods(seed: int, epochs: int) -> Iterator[tuple[str, Callable[[Part], Any]]]:
    """Name of each method, and a function from the training part to the fitted classifier."""
    shared = {"batch_size": 1024, "max_epochs": epochs, "random_state": seed}
    shared |= {"group_weights": "equal"}  # |difference| as printed
    for layers in (2, 4):
        for name, (kind, params) in NETWORKS.items():
            model = kind(hidden_layer_sizes=(30,) * layers, **shared, **params)

            def fit(train: Part, model: Any = model) -> Any:
                pipeline = Pipeline([("encode", table_encoder(train.X)), ("model", model)])
                return pipeline.fit(train.X, train.y, model__sensitive_features=train.sensitive)

            yield f"{name}, {layers} layers", fit

    def peer(model: Any, answer: Callable) -> Callable[[Part], Any]:
        def fit(train: Part) -> Any:
            encoder = table_encoder(train.X).fit(train.X)
            X = encoder.transform(train.X).astype(float)
            model.fit(X, train.y, sensitive_features=train.sensitive)
            return Deterministic(encoder, lambda rows, sex: answer(model, rows, sex))

        return fit

    answers = {
        "ExponentiatedGradient": lambda model, rows, sex: model._pmf_predict(rows)[:, 1],
        "ThresholdOptimizer": lambda model, rows, sex: model._pmf_predict(
            rows, sensitive_features=sex
        )[:, 1],
        "adversarial": lambda model, rows, sex: model.predict(rows.astype(np.float32)),
    }
    for name, model in equalized_odds_peers(seed, epochs).items():
        yield name, peer(model, answers[name])


def table_3(seeds: int, epochs: int, people: int) -> pd.DataFrame:
    """All methods on the test part, the burden on some people of it."""
    train, test = adult()
    rows = []
    for seed in range(seeds):
        some = np.random.default_rng(seed).permutation(len(test.y))[:people]
        X, sex = test.X.iloc[some], test.sensitive.iloc[some]
        search_by = {
            "sensitive_columns": FIXED,
            "bounds": "observed",
            "reference": train.X,
            "random_state": seed,
        }
        for name, fit in methods(seed, epochs):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model, seconds = timed(partial(fit, train))
                means, search = timed(
                    partial(burden, model, X, sensitive_features=sex, **search_by)
                )
            row = {"model": name, "seed": seed} | measures(test, model.predict(test.X))
            row |= {"seconds": seconds, "burden women": means["Female"]}
            row |= {"burden men": means["Male"], "burden difference": abs(means.diff().iloc[-1])}
            rows.append(row | {"seconds of search": search})
            print({key: round(v, 3) if isinstance(v, float) else v for key, v in rows[-1].items()})
    table = summarize(rows, ["model"])
    plain = table["model"].map(lambda name: "plain, 4 layers" if "4" in name else "plain, 2 layers")
    of_plain = table.set_index("model")["burden difference"]
    table["reduction"] = 1 - table["burden difference"] / of_plain[plain].to_numpy()
    names = ["accuracy", "|dTPR|", "|dFPR|", "seconds", "burden difference"]
    return beside(table, PAPER, ["model"], names)


def dice(epochs: int, people: dict[str, int]) -> pd.DataFrame:
    """Distance, validity and time of DiCE and of ours, for the same refused people."""
    import dice_ml

    train, test = adult()
    fit = dict(methods(0, epochs))["plain, 2 layers"]
    model = fit(train)
    refused = test.X[model.predict(test.X) == 0].iloc[: max(people.values())]
    fixed = [*FIXED, "age"]
    vary = [name for name in test.X.columns if name not in fixed]
    text = Text(model, test.X)
    frame = text.write(train.X).assign(income=train.y)
    data = dice_ml.Data(dataframe=frame, continuous_features=text.numbers, outcome_name="income")
    peer = dice_ml.Model(model=text, backend="sklearn")
    settings = {"actionable": vary, "reference": train.X, "random_state": 0}
    found, seconds = timed(lambda: counterfactuals(model, refused, **settings))
    rows = [
        {
            "method": "skfair",
            "people": len(refused),
            "valid": found.valid.mean(),
            "distance": found.distance[found.valid].mean(),
            "ms a person": 1e3 * seconds / len(refused),
        }
    ]
    own = rows[0]["ms a person"]
    for method in ("random", "genetic"):
        X = refused.iloc[: people[method]]
        explainer = dice_ml.Dice(data, peer, method=method)
        seeded = {"random_seed": 0} if method == "random" else {}
        result, seconds = timed(
            lambda explainer=explainer, X=X, seeded=seeded: explainer.generate_counterfactuals(
                text.write(X),
                total_CFs=1,
                desired_class="opposite",
                features_to_vary=vary,
                verbose=False,
                **seeded,
            )
        )
        profiles = Profiles(
            X, train.X, [X.columns.get_loc(name) for name in vary], None, None, None, None
        )
        lengths = np.full(len(X), np.inf)
        for i, example in enumerate(result.cf_examples_list):
            answer = example.final_cfs_df
            if answer is None or not len(answer):
                continue
            row = text.read(answer.iloc[[0]])
            kept = (
                text.write(row)[fixed].to_numpy() == text.write(X.iloc[[i]])[fixed].to_numpy()
            ).all()
            if kept and model.predict(row)[0] == 1:
                values = profiles.encode(row)
                lengths[i] = profiles.distance(values, profiles.own[[i]], "mad_l1")[0]
        valid = np.isfinite(lengths)
        took = 1e3 * seconds / len(X)
        rows.append(
            {
                "method": f"DiCE, {method}",
                "people": len(X),
                "valid": valid.mean(),
                "distance": lengths[valid].mean(),
                "ms a person": took,
                "ours on these": found.distance[: len(X)][valid].mean(),
                "ours is faster by": took / own,
            }
        )
    return pd.DataFrame(rows)


class Text:
    """A classifier on a table whose categories are text, as DiCE has it."""

    def __init__(self, model: Any, X: pd.DataFrame) -> None:
        self.model, self.kinds, self.classes_ = model, X.dtypes, model.classes_
        self.numbers = X.select_dtypes("number").columns.tolist()

    def write(self, X: pd.DataFrame) -> pd.DataFrame:
        """Text for categories, ``missing`` for those that are."""
        words = [name for name in X.columns if name not in self.numbers]
        return X.assign(
            **{n: X[n].astype(object).where(X[n].notna(), "missing").astype(str) for n in words}
        )

    def read(self, X: pd.DataFrame) -> pd.DataFrame:
        """The table as the classifier takes it."""
        X = X[self.kinds.index]
        words = [name for name in X.columns if name not in self.numbers]
        return X.assign(**{n: X[n].where(X[n] != "missing", None) for n in words}).astype(
            self.kinds
        )

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Predict for a table of text."""
        return self.model.predict(self.read(X))

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Predict probabilities for a table of text."""
        return self.model.predict_proba(self.read(X))


def main() -> None:
    """Run both parts, or the one asked for."""
    args = arguments(__doc__, part=("both", "table", "dice"))
    seeds, suffix = (1, "_quick") if args.quick else (args.seeds, "")
    epochs, people = (10, 400) if args.quick else (10, 1000)
    settings = {
        "network": "30 ReLU units a layer, Adam 1e-3, batch 1,024",
        "epochs": epochs,
        "never change": ", ".join(FIXED),
        "command": f"python -m benchmarks.burden_table3 --seeds {seeds}" + " --quick" * args.quick,
    }
    if args.part != "dice":
        table = table_3(seeds, epochs, people)
        shown = settings | {
            "people": f"{people} of the test part, others for each seed",
            "lambdas": "FaiR-N (1, 0.1), chosen, as were the epochs, on rows held out of training; "
            "LargeM (0.5, 0.1)",
        }
        report("burden_table3" + suffix, table, "FaiR-N, Table 3 with burden (Adult)", shown)
    if args.part != "table":
        if find_spec("dice_ml") is None:
            print("\nDiCE is not installed (pip install dice-ml): no comparison.")
            return
        counts = (
            {"ours": 200, "random": 50, "genetic": 20}
            if args.quick
            else {
                "ours": 1000,
                "random": 200,
                "genetic": 100,
            }
        )
        longer = 5 if args.quick else 20
        table = dice(longer, counts)
        shown = settings | {"epochs": longer, "never change": "sex, race, age", "bounds": "none"}
        report("burden_dice" + suffix, table, "Counterfactuals and DiCE's (Adult)", shown)


if __name__ == "__main__":
    main()
