"""Pages of the gallery that the documentation's build does not run, and what others print."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "examples"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_memory_is_flat_over_the_chunks_of_a_table(kind):
    pytest.importorskip("matplotlib", reason="needs matplotlib, the extra plot")
    hide = ""
    if kind == "parquet":
        pytest.importorskip("pyarrow", reason="needs pyarrow")
    else:
        hide = "import importlib.util as u; u.find_spec = lambda name: None; "
    code = f"{hide}import runpy; runpy.run_path({str(FOLDER / 'plot_chunks.py')!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"{kind} file")
    table, second, last, growth = map(float, re.findall(r"(-?\d+\.\d) MB", done.stdout))
    assert last < 1.25 * second + 0.5
    assert last < table / 5
    assert growth < table / 2  # the process: with what tracemalloc itself keeps


@pytest.mark.slow
def test_optuna_proposes_and_the_search_scores(capsys):
    pytest.importorskip("optuna", reason="needs optuna")
    found = runpy.run_path(str(FOLDER / "optuna_search.py"))
    results, front = found["results"], found["front"]
    assert len(results) == found["N_ROUNDS"] * found["N_CANDIDATES"] == len(found["study"].trials)
    scores = results[[f"mean_test_{name}" for name in found["METRICS"]]].to_numpy()
    told = [trial.values for trial in found["study"].trials]
    assert scores.tolist() == told
    best = {trial.number for trial in found["study"].best_trials}
    assert set(front.index) == best  # Optuna's front is ours
    assert "knee:" in capsys.readouterr().out


@pytest.mark.slow
def test_skrub_leaves_categories_to_the_network(capsys):
    pytest.importorskip("skrub", reason="needs skrub")
    found = runpy.run_path(str(FOLDER / "skrub_tables.py"))
    kinds = [type(found[name][-1].module_).__name__ for name in ("model", "chosen")]
    assert kinds == ["TabularNetwork", "MLP"]
    assert capsys.readouterr().out.count("AUC 0.") == 2
