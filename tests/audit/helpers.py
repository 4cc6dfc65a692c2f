"""Run the command; put a classifier behind an encoder."""

from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skfair.audit._command import main


def run(path, *more, target="paid", positive="yes", sensitive=("sex",), out=None):
    out = out or path.parent / "out.html"
    arguments = [str(path), "--target", target, "--positive", positive, "--sensitive", *sensitive]
    return main(["audit", *arguments, "--out", str(out), "--quiet", *more]), out


def pipeline(classifier):
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["group"]), (StandardScaler(), ["a", "b", "c"])
    )
    return make_pipeline(encode, classifier)
