"""The comparison of methods from the command line."""

import pytest
import typer
from typer.testing import CliRunner

from bilad.models import DatasetError
from bilad.scripts import compare_methods as command
from bilad.scripts.compare_methods import available, instances, planned, quick_methods
from bilad.scripts.methods.rows import REFERENCE
from bilad.scripts.settings import SETTINGS
from bilad.solvers.upper import UPPER_METHODS

PICTURES = ("profile_solves", "profile_seconds")


def run(*arguments):
    app = typer.Typer()
    app.command()(command.compare_methods)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_quick_from_end_to_end_and_again_from_its_rows(tmp_path, rows_of):
    families = "table1,entries,black-box"
    result = run("--quick", "--solves", 8, "--families", families, "--out", tmp_path / "first")
    assert result.exit_code == 0, result.output
    rows = rows_of(tmp_path / "first" / "runs.csv")
    assert {row["method"] for row in rows} == {REFERENCE, *quick_methods()}
    assert not [row["status"] for row in rows if row["status"].startswith("error")]
    for family in families.split(","):
        assert all((tmp_path / "first" / f"{family}_{name}.png").is_file() for name in PICTURES)
        assert rows_of(tmp_path / "first" / f"{family}_summary.csv")
    again = run("--from", tmp_path / "first", "--out", tmp_path / "second")
    assert again.exit_code == 0, again.output
    for family in families.split(","):
        for name in ("summary", "by_column", "problems"):
            file = f"{family}_{name}.csv"
            first, second = (tmp_path / folder / file for folder in ("first", "second"))
            assert first.read_text() == second.read_text()
    resumed = run("--quick", "--solves", 8, "--families", families, "--out", tmp_path / "first")
    assert " | random" not in resumed.output  # no run is done again
    assert rows_of(tmp_path / "first" / "runs.csv") == rows


def test_check_attacks_nothing(tmp_path):
    result = run("--quick", "--check", "--families", "table1,multiplicative", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "worth it" in result.output
    assert not list(tmp_path.iterdir())


def test_what_is_planned():
    ray, drawn = instances(["table1"], [1.0], [3, 4])[0], instances(["size"], [1.0], [3])[0]
    runs = planned([ray, drawn], ["random", "kkt"], [3, 4], 10, 5.0)
    assert [(one.method, one.seed) for one in runs] == [
        (REFERENCE, 0), ("random", 3), ("kkt", 3), ("random", 4), ("kkt", 4),
        ("random", 3), ("kkt", 3),
    ]  # fmt: skip
    assert {(one.solves, one.seconds) for one in runs[1:]} == {(10, 5.0)}
    assert "kkt" not in quick_methods()
    assert set(quick_methods()) < set(UPPER_METHODS)


def test_an_instance_without_data_is_left_out_with_a_message(monkeypatch):
    def absent(name):
        raise DatasetError("not here")

    monkeypatch.setattr("bilad.scripts.settings.load_dataset", absent)
    said = []
    assert available(instances(["table1"], [1.0], [0]), said.append) == []
    assert said == [f"{name} is omitted: not here" for name in SETTINGS]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--families", "entries,magic"], "families: got 'magic', expected one of 'table1'"),
        (["--methods", "simplex"], "methods: got 'simplex', expected one of '"),
        (["--budgets", "1,x"], "budgets: got 'x', expected positive numbers"),
        (["--from", "nowhere"], "expected a folder with runs.csv"),
        (["--solves", "0"], "--solves"),
    ],
)
def test_a_wrong_argument_is_answered(arguments, message, tmp_path):
    result = run(*arguments, "--out", tmp_path / "none")
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "none").exists()
