"""The command line: the files it writes, its exit codes and its messages."""

import csv
import importlib
import signal
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bilad.models import deviation
from bilad.scripts.cli import app
from bilad.scripts.run_store import merged
from bilad.scripts.settings import SETTINGS
from bilad.solvers import cluster

IRIS = SETTINGS["iris"]
compare = importlib.import_module("bilad.scripts.compare")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return the output folder and the terminal output of one comparison."""
    out = tmp_path_factory.mktemp("out")
    result = run("compare", "iris", "--methods", "direct", "--out", out)
    assert result.exit_code == 0, result.output
    return out / "iris", result.output


def test_compare_writes_two_rows_that_are_true(written):
    rows = rows_of(written[0] / "compare.csv")
    assert [(row["problem"], row["method"]) for row in rows] == [
        ("BL1", "direct"),
        ("BL2", "direct"),
    ]
    model = IRIS.model()
    before = cluster(model, "clarabel", tol=1e-10).labels
    for row in rows:
        eps = float(row["eps"])
        after = cluster(IRIS.shift().apply(model, eps), "ssnal", tol=1e-9)
        assert float(row["norm"]) == abs(eps) <= IRIS.budget
        assert int(row["delta"]) == deviation(before, after.labels)
        assert int(row["clusters"]) == after.n_clusters
        assert row["labels_proved"] == "True"
        assert (row["status"], row["engine"]) == ("feasible", "")
        assert 0 < float(row["seconds"]) < 600
        assert int(row["lower_solves"]) > int(row["undecided"]) >= 0
    assert int(rows[0]["delta"]) == 4998
    assert int(rows[1]["delta"]) >= IRIS.target


def test_compare_prints_what_it_writes(written):
    folder, output = written
    assert IRIS.describe()[:60] in output
    for row in rows_of(folder / "compare.csv"):
        named = [row["problem"], row["method"]]
        line = next(line for line in output.splitlines() if line.split()[:2] == named)
        for value in (f"{float(row['eps']):.6f}", row["delta"], row["status"]):
            assert value in line


def test_compare_writes_the_staircase_and_its_picture(written):
    folder, _ = written
    stairs = np.genfromtxt(folder / "staircase.csv", delimiter=",", names=True)
    assert stairs.dtype.names == ("eps", "delta", "n_changed_matched", "labels_proved")
    assert stairs["eps"] == pytest.approx(np.arange(-800, 801) / 100, abs=1e-9)
    assert stairs["delta"][800] == 0
    assert stairs["delta"][stairs["labels_proved"] == 1].max() == 4998
    assert matplotlib.image.imread(folder / "staircase.png").ndim == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rose"], "setting: got 'rose', expected one of 'iris'"),
        (["[iris]"], "setting: got '[iris]', expected one of 'iris'"),
        (["[/]"], "setting: got '[/]', expected one of 'iris'"),
        (["iris", "--methods", "direct,magic"], "methods: got 'magic', expected one of '"),
        (["iris", "--methods", ""], "methods: got '', expected one of '"),
        (["iris", "--lower", "simplex"], "lower: got 'simplex', expected one of 'auto', 'exact'"),
        (["iris", "--time-limit", "-1"], "time_limit: got -1.0, expected a finite number >= 0"),
    ],
)
def test_a_wrong_argument_is_answered(arguments, message, tmp_path):
    result = run("compare", *arguments, "--out", tmp_path)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_a_part_that_there_is_not(tmp_path):
    result = run("reproduce", "fig4", "fig9", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "parts: got 'fig9', expected one of '" in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("parts", [["all", "foo"], ["foo", "all"], ["all", "all", ""], ["All"]])
def test_a_part_that_there_is_not_beside_all(parts, tmp_path):
    result = run("reproduce", *parts, "--quick", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "parts: got '" in result.output
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "taken").write_text("a file")
    result = run("compare", "iris", "--methods", "direct", "--out", tmp_path / "taken")
    assert result.exit_code == 2
    assert "taken" in result.output


def test_a_status_is_what_the_method_itself_has_proved():
    """No eps within this budget changes the partition, so no method finds an attack."""
    tiny = replace(IRIS, budget=0.01)
    limits = {"lower": "auto", "closing": "none", "seed": 0, "time_limit": None}
    rows = compare.attacks(tiny, ["exact", "corners"], Console(quiet=True), **limits)
    assert [(row.problem, row.method, row.status) for row in rows] == [
        ("BL1", "exact", "no attack exists"),
        ("BL1", "corners", "no attack found"),
        ("BL2", "exact", "no attack exists"),
        ("BL2", "corners", "no attack found"),
    ]


def test_a_row_is_on_disk_before_the_next_method_starts(tmp_path, monkeypatch):
    solve, seen = compare.attack, []

    def attack(problem, method, **options):
        written = merged(tmp_path / "compare.csv", ["problem", "method"])
        seen.append([row["method"] for row in written])
        if len(seen) == 2:
            raise KeyboardInterrupt
        return solve(problem, method, **{**options, "step": 1.0})

    monkeypatch.setattr(compare, "attack", attack)
    with pytest.raises(KeyboardInterrupt):
        compare.compare(IRIS, ["direct"], tmp_path, Console(quiet=True))
    assert seen == [[], ["direct"]]
    (row,) = rows_of(tmp_path / "compare.csv")
    assert row["problem"] == "BL1"
    assert int(row["delta"]) > 0


def test_an_interrupted_method_keeps_its_best_and_ends_the_comparison(tmp_path, monkeypatch):
    solve, asked = compare.attack, []

    def attack(problem, method, **options):
        def stop(done, total):
            if done == 700:
                raise KeyboardInterrupt

        asked.append(method)
        return solve(problem, method, **{**options, "on_progress": stop})

    monkeypatch.setattr(compare, "attack", attack)
    compare.compare(IRIS, ["direct", "kkt"], tmp_path, Console(quiet=True))
    (row,) = rows_of(tmp_path / "compare.csv")
    assert (row["termination"], row["delta"]) == ("interrupted", "4998")
    assert asked == ["direct"]


def test_ctrl_c_keeps_the_best_and_ends_the_command(tmp_path, monkeypatch):
    solve, asked = compare.attack, []

    def attack(problem, method, **options):
        def stop(done, total):
            if done == 700:
                signal.raise_signal(signal.SIGINT)

        asked.append(method)
        return solve(problem, method, **{**options, "on_progress": stop})

    monkeypatch.setattr(compare, "attack", attack)
    result = run("compare", "iris", "--methods", "direct,kkt", "--out", tmp_path)
    assert result.exit_code == 130
    assert f"interrupted: finished rows are in {tmp_path}" in result.output
    (row,) = rows_of(tmp_path / "iris" / "compare.csv")
    assert row["delta"] == "4998"
    assert asked == ["direct"]
    assert not (tmp_path / "iris" / "staircase.png").exists()


def test_verify():
    result = run("verify", "--problems", 12)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if ", p = " in line]
    assert sum(int(row[4]) for row in rows if row[0] == "ssnal,") == 12
    assert {row[3] for row in rows if row[0] == "ssnal,"} == {"1", "2", "inf"}
    assert any(row[0] == "exact," for row in rows)


def test_verify_fails_when_two_proved_partitions_differ(monkeypatch):
    verify = importlib.import_module("bilad.scripts.verify")
    solve = verify.solve_lower

    def one_relabelled(model, method="auto", *arguments, **options):
        solution = solve(model, method, *arguments, **options)
        if method == "clarabel":
            labels = solution.labels.copy()
            labels[0] = labels.max() + 1 if np.count_nonzero(labels == labels[0]) > 1 else labels[1]
            changed = type(solution.partition)(labels, solution.partition.undecided)
            object.__setattr__(solution, "partition", changed)
        return solution

    monkeypatch.setattr(verify, "solve_lower", one_relabelled)
    monkeypatch.setattr(verify, "LARGE", 1000)
    assert run("verify", "--problems", 5).exit_code == 1


def test_help_names_both_commands():
    output = run("--help").output
    assert "compare" in output
    assert "verify" in output
