"""Run the command."""

from skfair.audit._command import main


def run(path, *more, target="paid", positive="yes", sensitive=("sex",), out=None):
    out = out or path.parent / "out.html"
    arguments = [str(path), "--target", target, "--positive", positive, "--sensitive", *sensitive]
    return main(["audit", *arguments, "--out", str(out), "--quiet", *more]), out
