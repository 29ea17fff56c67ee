"""`bilad verify` on a data set, and on random problems."""

import importlib
import json

import numpy as np
import pandas as pd

from bilad.scripts.random_problems import random_model


def test_three_methods_agree_on_a_file(bilad, flowers, tmp_path):
    result = bilad("verify", flowers, "--label", "kind", "--gamma", 1, "--weights", "complete",
                   "--weight", "1/n", "--p", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "The methods agree." in result.stdout
    table = pd.read_csv(tmp_path / "results" / "verify" / "flowers" / "comparison.csv")
    assert {"ssnal", "exact", "clarabel"} <= set(table.method)
    assert (table.labels == "agree").all()
    assert (table.distance <= table.bound).all()


def test_a_method_that_cannot_solve_the_model_gives_its_reason(bilad, flowers):
    result = bilad("verify", flowers, "--label", "kind", "--gamma", 1, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["command"] == "verify"
    assert "exact" in json.dumps(record["result"])


def test_a_contradiction_is_code_1(bilad, flowers, monkeypatch):
    comparison = importlib.import_module("bilad.solvers.clustering.comparison")
    monkeypatch.setattr(comparison.LowerComparison, "agrees", False)
    result = bilad("verify", flowers, "--label", "kind", "--gamma", 1)
    assert result.exit_code == 1
    assert "contradict each other" in result.stdout


def test_options_of_data_need_data(bilad):
    result = bilad("verify", "--gamma", 1)
    assert result.exit_code == 2
    assert result.stderr == "error DATA: got nothing, expected a data set, for --gamma\n"


def test_random_problems(bilad):
    result = bilad("verify", "--problems", 12)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if ", p = " in line]
    for method in ("ssnal,", "clarabel,"):
        own = [row for row in rows if row[0] == method]
        assert sum(int(row[4]) for row in own) == 12
        assert {row[3] for row in own} == {"1", "2", "inf"}
    assert any(row[0] == "exact," for row in rows)


def test_one_random_problem_is_solved_again(bilad):
    result = bilad("verify", "--seed", 3, "--index", 7, "--json")
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert {row["problems"] for row in record["worst"]} == {1}
    model = random_model(3, 7)
    assert {row[""] for row in record["worst"]} >= {f"ssnal, p = {model.p:g}"}


def test_random_problems_fail_if_two_proved_partitions_differ(bilad, monkeypatch):
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
    result = bilad("verify", "--problems", 5)
    assert result.exit_code == 1
    assert "contradiction: bilad verify --seed 0 --index" in result.stdout
