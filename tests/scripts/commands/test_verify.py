"""`bilad verify` on a data set, and on random problems."""

import importlib
import json

import numpy as np
import pandas as pd


def test_three_methods_agree_on_a_file(bilad, flowers, tmp_path):
    result = bilad("verify", flowers, "--label", "kind", "--gamma", 1, "--weights", "complete",
                   "--weight", "1/n", "--p", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "The methods agree." in result.stdout
    table = pd.read_csv(tmp_path / "results" / "verify" / "flowers" / "comparison.csv")
    assert set(table.method) == {"ssnal", "exact", "clarabel"}
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


def test_wrong_methods(bilad, flowers):
    result = bilad("verify", flowers, "--label", "kind", "--gamma", 1, "--methods", "ssnal,clarbel")
    assert result.exit_code == 2
    assert "error --methods: got 'clarbel'" in result.stderr
    assert "did you mean 'clarabel'" in result.stderr


def test_options_of_data_need_data(bilad):
    result = bilad("verify", "--gamma", 1)
    assert result.exit_code == 2
    assert result.stderr == "error DATA: got nothing, expected a data set, for --gamma\n"


def test_random_problems(bilad, monkeypatch):
    monkeypatch.setattr("bilad.scripts.verify.LARGE", 1000)
    result = bilad("verify", "--problems", 12)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.output.splitlines() if ", p = " in line]
    assert sum(int(row[4]) for row in rows if row[0] == "ssnal,") == 12
    assert {row[3] for row in rows if row[0] == "ssnal,"} == {"1", "2", "inf"}
    assert any(row[0] == "exact," for row in rows)


def test_random_problems_fail_if_two_proved_partitions_differ(bilad, monkeypatch):
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
    assert bilad("verify", "--problems", 5).exit_code == 1
