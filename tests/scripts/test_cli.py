"""The command line: the files it writes, its exit codes and its messages."""

import importlib

import numpy as np
import pytest
from typer.testing import CliRunner

from bilad.scripts.cli import app


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


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


def test_verify():
    result = run("verify", "--problems", 12)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if ", p = " in line]
    assert sum(int(row[4]) for row in rows if row[0] == "ssnal,") == 12
    assert {row[3] for row in rows if row[0] == "ssnal,"} == {"1", "2", "inf"}
    assert any(row[0] == "exact," for row in rows)


def test_verify_fails_when_two_proved_partitions_differ(monkeypatch):
    verify = importlib.import_module("bilad.scripts.verify")
    comparison = importlib.import_module("bilad.solvers.clustering.comparison")
    solve = comparison.cluster

    def one_relabelled(model, method="auto", *arguments, **options):
        solution = solve(model, method, *arguments, **options)
        if method == "clarabel":
            labels = solution.labels.copy()
            labels[0] = labels.max() + 1 if np.count_nonzero(labels == labels[0]) > 1 else labels[1]
            changed = type(solution.partition)(labels, solution.partition.undecided)
            object.__setattr__(solution, "partition", changed)
        return solution

    monkeypatch.setattr(comparison, "cluster", one_relabelled)
    monkeypatch.setattr(verify, "LARGE", 1000)
    assert run("verify", "--problems", 5).exit_code == 1
