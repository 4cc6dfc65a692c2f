"""Arguments stand in any order; what contradicts itself is refused in a line."""

import pytest

from skfair.audit._command import main

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.usefixtures("short_training")


@pytest.mark.parametrize(
    "order",
    [
        "DATA --target paid --positive yes --sensitive sex job",
        "--target paid --positive yes --sensitive sex job DATA",
        "--sensitive sex job DATA --target paid --positive yes",
        "--target paid DATA --positive yes --sensitive sex job",
        "--sensitive sex --target paid --sensitive job --ignore hours DATA --positive yes",
    ],
)
def test_the_table_may_stand_anywhere(order, table, tmp_path, asked):
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False)
    arguments = [str(path) if word == "DATA" else word for word in order.split()]
    assert main(["audit", *arguments, "--out", str(tmp_path / "out.html"), "--quiet"]) == 0
    assert list(asked["sensitive_features"]) == ["sex", "job"]
    assert asked["provenance"]["command"].startswith("python -m skfair audit ")


def test_a_table_is_missed(capsys, tmp_path, table):
    table.to_csv(tmp_path / "data.csv", index=False)
    for swallowed in (["sex"], ["sex", "absent.csv"], [str(tmp_path / "data.csv")]):
        with pytest.raises(SystemExit) as stop:
            main(["audit", "--target", "paid", "--positive", "yes", "--sensitive", *swallowed])
        assert stop.value.code == 2
        assert "required: data" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["audit", "x.csv", "y.csv", "--target", "a", "--positive", "b", "--sensitive", "c"])
    assert "unrecognized arguments: y.csv" in capsys.readouterr().err


def test_favorable_is_another_name_of_positive(table, tmp_path, asked):
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False)
    arguments = ["audit", str(path), "--target", "paid", "--favorable", "no"]
    assert main([*arguments, "--sensitive", "sex", "--quiet", "--out", str(path) + ".html"]) == 0
    assert asked["unfavorable"] == "yes"


@pytest.mark.parametrize("tolerance", ["-1", "nan", "inf", "x"])
def test_a_tolerance_is_a_number(tolerance, capsys):
    with pytest.raises(SystemExit):
        main(["audit", "x.csv", f"--tolerance={tolerance}"])
    assert f"must be 0 or more, got {tolerance}" in capsys.readouterr().err


def test_usage(capsys):
    for arguments in (["audit"], [], ["audit", "x.csv", "--test-size", "2"]):
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert stop.value.code == 2
    assert "must be between 0 and 1" in capsys.readouterr().err
