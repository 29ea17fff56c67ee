"""`bilad compare`: its tables are true, its files, and how it goes on."""

import json
import re
import shlex
import signal
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bilad.models import ConvexClustering, FusionGraph, Perturbation, deviation, load_dataset
from bilad.scripts.cli import app
from bilad.scripts.experiments import runner
from bilad.scripts.experiments.run import carry_out, failed
from bilad.scripts.experiments.store import open_existing
from bilad.solvers import cluster

# The setting "iris", smaller.
SMALL = ["iris", "--rows", "0:14,50:64", "--points", "14:18", "--target", "10"]


@pytest.fixture(autouse=True)
def carried(monkeypatch, tmp_path):
    """Carry out runs in this process, and return their labels."""
    labels = []

    class InProcess:
        def carry_out(self, run):
            labels.append(f"{run.names['question']} {run.label}")
            return carry_out(run)

        def close(self):
            pass

    monkeypatch.setattr(runner, "Worker", InProcess)
    monkeypatch.setattr("bilad.scripts.commands.compare.RAY_POINTS", 41)
    monkeypatch.chdir(tmp_path)
    return labels


@pytest.fixture
def own(tmp_path):
    """A file of the user."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(12, 2)) + 3 * (np.arange(12) % 2)[:, None]
    frame = pd.DataFrame(data, columns=["x", "y"]).assign(kind=["a", "b"] * 6)
    frame.to_csv(tmp_path / "own data.csv", index=False)
    return "own data.csv"


def run(command, *arguments):
    return CliRunner().invoke(app, [command, *map(str, arguments)])


def test_the_tables_are_true(tmp_path):
    result = run("compare", *SMALL, "--methods", "random,corners", "--solves", 20)
    assert result.exit_code == 0, result.output
    rows = pd.read_csv("results/compare/iris/compare.csv", index_col=0)
    assert [*zip(rows.index, rows.method, strict=True)] == [
        (problem, method) for problem in ("BL1", "BL2") for method in ("random", "corners", "ray")
    ]
    data = np.round(load_dataset("iris").data[[*range(14), *range(50, 64)]][:, [3]] * 10, 9)
    model = ConvexClustering(data, FusionGraph.complete(28), 0.1)
    shift = Perturbation.shift((np.isin(np.arange(28), range(14, 18)) * 1.0)[:, None])
    before = cluster(model, "clarabel", tol=1e-10).labels
    for problem, row in rows[rows.eps.notna()].iterrows():
        after = cluster(shift.apply(model, row.eps), "exact")
        assert row.delta == deviation(before, after.labels)
        assert row.N_chg == deviation(before, after.labels, "changed-matched")
        assert (row.clusters, row.norm) == (after.n_clusters, abs(row.eps))
        assert row.norm <= 8
        assert problem == "BL1" or row.delta >= 10
    assert rows.eps.notna().sum() >= 4
    assert "(BL2): least ||eps|| for delta >= 10, ||eps|| <= 8, norm 2" in result.stdout
    assert len(re.findall(r"^compare \d/6: ", result.stderr, re.MULTILINE)) == 6
    # The staircase has the answers as marks.
    points = pd.read_csv("results/compare/iris/compare_staircase_0.csv")
    assert points[points.kind == "mark"].curve.tolist() == ["random", "corners"]


def test_own_data_with_several_parameters(own):
    arguments = [own, "--label", "kind", "--gamma", 1, "--neighbours", 4, "--points", "0,1"]
    result = run("compare", *arguments, "--budget", 4, "--methods", "corners,exact", "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("exact is omitted: ") == 1
    record = json.loads(result.stdout)
    assert record["data"]["features"] == ["x", "y"]
    (found,) = record["result"]["runs"]
    assert (found["problem"], found["method"], found["eps"]) == ("BL1", "corners", None)
    assert found["delta"] > 0
    assert 0 < found["norm"] <= 4
    latex = Path("results/compare/own data/compare.tex").read_text()
    assert r"\caption{(BL1): largest delta for $\|\varepsilon\|$ $\leq$ 4, norm 2}" in latex
    assert r"\label{tab:compare_BL1}" in latex
    assert r"\begin{tabular}{lr" in latex


def test_a_linear_model_with_a_target_only(own):
    arguments = [own, "--label", "kind", "--model", "logistic", "--points", 0, "--target", 1]
    result = run("compare", *arguments, "--methods", "corners", "--solves", 9, "--csv")
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()[1:]
    assert line.startswith("BL2,corners,")
    assert "changed-predictions" in result.stdout.splitlines()[0]


def test_sweep_goes_on_from_the_specification(own, carried):
    arguments = [own, "--label", "kind", "--gamma", 0.2, "--points", "0,1", "--solves", 9]
    result = run("compare", *arguments, "--methods", "corners")
    assert carried == ["BL1 corners"]
    words = shlex.split(result.stderr.splitlines()[-1].removeprefix("Next: bilad sweep "))
    store = "results/compare/own data/compare.sqlite"
    assert words == ["results/compare/own data/compare.toml", "--store", store, "--resume"]
    again = run("sweep", *words)
    assert again.stderr.endswith(f"Next: bilad report '{store}'\n")
    assert carried == ["BL1 corners"], "a finished run is not repeated"
    more = ["--set", "methods.random = {}"]
    result = run("sweep", *words, *more)
    assert result.exit_code == 0
    assert carried == ["BL1 corners", "BL1 random"]


def test_a_store_that_exists_is_continued_or_replaced_when_this_is_said(own, carried):
    arguments = [own, "--label", "kind", "--gamma", 0.2, "--points", 0, "--solves", 5]
    assert run("compare", *arguments, "--methods", "corners").exit_code == 0
    again = run("compare", *arguments, "--methods", "corners,random")
    assert again.exit_code == 2
    assert "--resume to continue it, or --force to start anew" in again.stderr
    both = run("compare", *arguments, "--methods", "corners", "--resume", "--force")
    assert (both.exit_code, len(carried)) == (2, 1)
    assert run("compare", *arguments, "--methods", "corners,random", "--resume").exit_code == 0
    assert carried == ["BL1 corners", "BL1 random"]
    assert run("compare", *arguments, "--methods", "corners", "--force").exit_code == 0
    assert carried[2:] == ["BL1 corners"]
    with closing(open_existing_store()) as store:
        assert [row.label for row in store.rows()] == ["corners"]


def open_existing_store(path="results/compare/own data/compare.sqlite"):
    return open_existing(Path(path))


def test_an_interrupted_comparison_keeps_its_rows(own, monkeypatch):
    def interrupted(self, run):
        if run.method == "random":
            signal.raise_signal(signal.SIGINT)
        return carry_out(run)

    monkeypatch.setattr(runner.Worker, "carry_out", interrupted)
    monkeypatch.setattr(runner.random.Random, "shuffle", lambda self, runs: None)
    arguments = [own, "--label", "kind", "--gamma", 0.2, "--points", 0, "--solves", 5]
    result = run("compare", *arguments, "--methods", "corners,random")
    assert result.exit_code == 130
    assert "--resume carries out the others" in result.stderr
    with closing(open_existing_store()) as store:
        assert [row.label for row in store.rows()] == ["corners"]


def test_runs_that_end_with_an_error_end_the_command_with_code_1(own, monkeypatch):
    monkeypatch.setattr(
        runner.Worker, "carry_out", lambda self, run: failed(run, "error", "error: a bug")
    )
    arguments = [own, "--label", "kind", "--gamma", 0.2, "--points", 0]
    result = run("compare", *arguments, "--methods", "corners", "--quiet")
    assert result.exit_code == 1
    assert result.stderr == "error 1 run of 1 ended with an error: corners: error: a bug\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "--gamma: got nothing"),
        (["iris", "--methods", "greedy"], "--methods: got greedy, expected one that applies"),
        (["iris", "--budgte", "1"], "did you mean '--budget'"),
    ],
)
def test_a_wrong_argument_is_answered_before_any_file(arguments, message, tmp_path):
    result = run("compare", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stderr.startswith("error ")
    assert not (tmp_path / "results").exists()
