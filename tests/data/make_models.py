"""Make files of fitted models, to be read by later versions.

``PYTHONPATH=CHECKOUT python tests/data/make_models.py tests/data/models/NAME``, where NAME is the
commit that is checked out, or the version.
"""

import json
import sys
import warnings
from pathlib import Path

import skops.io

import skfair
from skfair.datasets import make_biased_classification

QUICK = {"max_epochs": 2, "hidden_layer_sizes": (4,), "random_state": 0}


def models():
    """Of the estimators that this version has."""
    yield "fairn", skfair.FaiRNClassifier(**QUICK)
    yield "gradient", skfair.FaiRNClassifier(distance="gradient", **QUICK)
    for name in ("penalty", "dralign", "label_flip", "margin", "fair_features", "pivot"):
        kind = "".join(part.title() for part in name.split("_")).replace("Dralign", "DRAlign")
        if hasattr(skfair, f"{kind}Classifier"):
            yield name, getattr(skfair, f"{kind}Classifier")(**QUICK)
    if hasattr(skfair, "SmoothedClassifier"):
        plain = skfair.FaiRNClassifier(lambda_fairness=0.0, **QUICK)
        yield "smoothed", skfair.SmoothedClassifier(plain, n_samples=20, random_state=0)


def main(folder):
    """Write the models, and what they answer."""
    folder.mkdir(parents=True)
    X, y, group = make_biased_classification(120, n_features=6, random_state=0)
    answers = {}
    for name, model in models():
        model.fit(X, y, **({} if name == "smoothed" else {"sensitive_features": group}))
        skops.io.dump(model, folder / f"{name}.skops", compression=8)
        answers[name] = model.predict_proba(X[:5]).tolist()
    about = {"X": X[:5].tolist(), "probabilities": answers}
    (folder / "answers.json").write_text(json.dumps(about))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
