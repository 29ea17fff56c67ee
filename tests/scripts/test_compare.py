"""The comparison of methods on one setting: its table, its files, and its ends."""

import dataclasses
import signal
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bilad.models import deviation
from bilad.scripts.cli import app
from bilad.scripts.compare import compare, starts
from bilad.scripts.experiments import runner
from bilad.scripts.experiments.run import carry_out
from bilad.scripts.experiments.store import open_existing
from bilad.scripts.settings import SETTINGS
from bilad.solvers import cluster

COARSE = dataclasses.replace(SETTINGS["iris"], points=60, shifted=(51, 54), step=0.5, target=40)
QUIET = Console(quiet=True)


@pytest.fixture(autouse=True)
def carried(monkeypatch):
    """Carry out runs in this process, and return the labels of all."""
    labels = []

    class InProcess:
        def carry_out(self, run):
            labels.append(f"{run.names['problem']} {run.label}")
            return carry_out(run)

        def close(self):
            pass

    monkeypatch.setattr(runner, "Worker", InProcess)
    monkeypatch.setitem(SETTINGS, "iris", COARSE)
    return labels


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_table_is_true_and_printed(tmp_path):
    result = run("compare", "iris", "--methods", "direct,corners", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert COARSE.describe()[:60] in result.output
    rows = pd.read_csv(tmp_path / "iris" / "compare.csv", index_col=0)
    assert [*zip(rows.index, rows.method, strict=True)] == [
        (problem, method) for problem in ("BL1", "BL2") for method in ("direct", "corners", "ray")
    ]
    model = COARSE.model()
    before = cluster(model, "clarabel", tol=1e-10).labels
    for problem, row in rows.iterrows():
        after = cluster(COARSE.shift().apply(model, row.eps), "exact")
        assert row.delta == deviation(before, after.labels)
        assert row.N_chg == deviation(before, after.labels, "changed-matched")
        assert (row.clusters, row.proved) == (after.n_clusters, "yes")
        assert row.norm == abs(row.eps) <= COARSE.budget
        assert row.delta >= COARSE.target
        line = next(t for t in result.output.splitlines() if t.split()[:2] == [problem, row.method])
        assert f"{row.eps:.6f}" in line
    # The ray ends at the step, which direct search misses by less than its own step.
    direct, _, ray = rows.norm.BL2
    assert ray < direct < ray + COARSE.step


def test_the_staircase_is_drawn_with_the_answers(tmp_path):
    compare(COARSE, ["corners"], tmp_path, QUIET)
    assert "corners" in (tmp_path / "compare_staircase_0.svg").read_text()
    points = pd.read_csv(tmp_path / "compare_staircase_0.csv")
    assert points[points.kind == "mark"].x.tolist() == [-8.0]
    before = cluster(COARSE.model()).labels
    for eps in (-6.0, -2.0, 1.0):
        curve = points[points.kind == "curve"]
        value = np.interp(eps, curve.x, curve.y)
        after = cluster(COARSE.shift().apply(COARSE.model(), eps)).labels
        assert value == deviation(before, after)


def test_a_method_that_does_not_apply_is_named_with_the_reason(tmp_path):
    result = run("compare", "iris", "--methods", "greedy,corners", "--out", tmp_path)
    assert result.exit_code == 0
    assert result.output.count("\ngreedy: ") == 1
    assert "greedy" not in pd.read_csv(tmp_path / "iris" / "compare.csv").method.tolist()


def test_finished_runs_are_kept(tmp_path, carried):
    compare(COARSE, ["corners"], tmp_path, QUIET)
    assert len(carried) == 4
    table = compare(COARSE, ["corners", "direct"], tmp_path, QUIET)
    assert sorted(carried[4:]) == ["BL1 direct", "BL2 direct"]
    assert len(table) == 6


def test_the_own_result_stands_beside_what_closing_made_of_it(tmp_path):
    """A coarse grid misses the step, which closing bisects."""
    compare(COARSE, ["direct"], tmp_path, QUIET, closing="ray")
    direct = pd.read_csv(tmp_path / "compare.csv", index_col=0).loc["BL2"].iloc[0]
    assert direct.norm % 0.5 == 0
    assert float(direct.closed) < direct.norm


def test_without_an_attack_there_are_dashes_and_what_the_method_itself_has_proved(tmp_path):
    tiny = dataclasses.replace(COARSE, budget=0.01, step=0.01)
    compare(tiny, ["exact", "corners", "cma"], tmp_path, QUIET)
    rows = pd.read_csv(tmp_path / "compare.csv", index_col=0)
    rows = rows[rows.method != "ray"]
    found = rows.status.groupby(rows.method).unique().map(list).to_dict()
    assert found["exact"] == ["no attack exists"]
    assert found["corners"] == found["cma"] == ["no attack found"]
    assert (rows[["eps", "norm", "delta", "clusters"]] == "-").all(axis=None)


def test_starts_are_runs_of_one_specification(tmp_path):
    table = starts(COARSE, tmp_path, QUIET)
    assert len(table) == 11
    assert [options.get("lower") for options in table.options][:2] == ["ssnal", None]
    assert sorted({options.get("start", 0.0) for options in table.options}) == [
        -6.0, -3.0, 0.0, 3.0, 7.0,
    ]  # fmt: skip


def test_an_interrupted_comparison_keeps_its_rows(tmp_path, monkeypatch):
    def interrupted(self, run):
        if run.method == "direct":
            signal.raise_signal(signal.SIGINT)
        return carry_out(run)

    monkeypatch.setattr(runner.Worker, "carry_out", interrupted)
    monkeypatch.setattr(runner.random.Random, "shuffle", lambda self, runs: None)
    result = run("compare", "iris", "--methods", "corners,direct", "--out", tmp_path)
    assert result.exit_code == 130
    assert f"interrupted: finished rows are in {tmp_path}" in result.output
    with closing(open_existing(tmp_path / "iris" / "compare.sqlite")) as store:
        assert [row.label for row in store.rows()] == ["corners"]
    assert not (tmp_path / "iris" / "compare.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rose"], "setting: got 'rose', expected one of 'iris'"),
        (["[iris]"], "setting: got '[iris]', expected one of 'iris'"),
        (["[/]"], "setting: got '[/]', expected one of 'iris'"),
        (["iris", "--methods", "direct,magic"], "methods: got 'magic', expected one of '"),
        (["iris", "--methods", ""], "methods: got '', expected one of '"),
        (["iris", "--lower", "simplex"], "lower: got 'simplex', expected one of 'auto', 'exact'"),
        (["iris", "--closing", "ever"], "closing: got 'ever', expected one of 'none', 'ray'"),
        (["iris", "--time-limit", "-1"], "limits.seconds: got -1.0, expected a finite number > 0"),
        (["iris", "--time-limit", "nan"], "limits.seconds: got nan, expected a finite number > 0"),
    ],
)
def test_a_wrong_argument_is_answered(arguments, message, tmp_path):
    result = run("compare", *arguments, "--out", tmp_path)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "taken").write_text("a file")
    result = run("compare", "iris", "--methods", "direct", "--out", tmp_path / "taken")
    assert result.exit_code == 2
    assert "taken" in result.output
