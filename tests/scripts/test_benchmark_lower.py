"""The benchmark of the lower level: tolerances of the solvers, rows, exponent, and instances."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

from bilad.scripts import benchmark_evaluations, conic_solvers
from bilad.scripts.benchmark_evaluations import Attacked, attack_row, evaluation_row
from bilad.scripts.benchmark_lower import (
    BUILT,
    KINDS,
    PLAIN,
    TABLES,
    Instance,
    attacked,
    benchmark,
    cold_row,
    growth_exponent,
    growth_row,
    measure,
    path_row,
    warm_row,
)
from bilad.scripts.conic_solvers import CONIC_SOLVERS, excess, time_solver
from bilad.solvers import cluster

SMALL = Instance("moons", 60, 0.3)


@pytest.mark.parametrize("rival", CONIC_SOLVERS)
@pytest.mark.parametrize("p", [1.0, 2.0, float("inf")])
def test_rivals_solve_what_ssnal_solves(rival, p):
    model = Instance("moons", 60, 0.3, p).model()
    X = CONIC_SOLVERS[rival](model)(1e-8, 60.0)
    ours = cluster(model, "ssnal", tol=1e-9)
    assert model.primal(X) == pytest.approx(ours.objective, rel=1e-6)
    assert excess(model, X, model.dual(ours.Z)) <= 1e-6


def test_the_excess_over_a_lower_bound():
    model = Instance("moons", 60, 0.0).model()  # the minimum is 0, at the data
    X = model.data + np.sqrt(2 / model.data.size)
    assert excess(model, X, 0.0) == pytest.approx(0.5)
    assert excess(model, None, 0.0) == excess(model, X * np.nan, 0.0) == float("inf")


def test_a_rival_gets_the_loosest_tolerance_that_reaches_the_accuracy(monkeypatch):
    monkeypatch.setattr(conic_solvers, "TOLERANCES", (1e-4, 1e-5, 1e-6, 1e-7))
    asked = []

    def solve(tol, time_limit):
        asked.append(tol)
        return tol / 2

    _, error = time_solver(solve, lambda found: found, 1e-6, 3, 60.0)
    assert asked == [1e-4, 1e-5, 1e-6, 1e-6, 1e-6]
    assert error == 5e-7


def test_a_rival_that_fails_is_marked(monkeypatch):
    failing = dict.fromkeys(CONIC_SOLVERS, lambda model: lambda tol, time_limit: None)
    monkeypatch.setattr("bilad.scripts.benchmark_lower.CONIC_SOLVERS", failing)
    row = cold_row(SMALL, repeats=1)
    assert str(row["Clarabel"]).startswith("> ")
    assert str(row["than the fastest"]).startswith("> ")


def test_rows_are_shown_at_once_and_kept_if_a_later_one_fails(tmp_path):
    shown = io.StringIO()

    def rows():
        yield {"n": 1, "seconds": 0.5}
        assert shown.getvalue() == "some: n 1, seconds 0.5\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(rows(), tmp_path / "some.csv", Console(file=shown))
    assert (tmp_path / "some.csv").read_text().splitlines() == ["n,seconds", "1,0.5"]
    lines = ["| n | seconds |", "| --- | --- |", "| 1 | 0.5 |"]
    assert (tmp_path / "some.md").read_text().splitlines() == lines


def test_the_exponent_of_a_power():
    n = np.array([10, 100, 1000])
    table = pd.DataFrame({"n": n, "seconds": 1e-3 * n**1.25})
    assert growth_exponent(table) == pytest.approx(1.25)


def test_rows_of_a_small_instance():
    cold = cold_row(SMALL, repeats=1)
    assert cold["gap"] <= 1e-6
    fastest = min(cold[name] for name in CONIC_SOLVERS)
    assert cold[f"times faster than {BUILT}"] == cold[BUILT] / cold["seconds"]
    assert cold["than the fastest"] == fastest / cold["seconds"]
    warm, growth = warm_row(SMALL, repeats=1), growth_row(SMALL, 1)
    assert max(warm["gap"], growth["gap"]) <= 1e-6
    assert {cold["labels proved"], warm["labels proved"], growth["labels proved"]} == {"yes"}
    path = path_row(Instance("moons", 20, 0.0), 1)
    assert path["worst gap"] <= 1e-6
    assert path[f"times faster than {PLAIN}"] == path[PLAIN] / path["seconds"]
    assert path["than the fastest"] == path["Clarabel"] / path["seconds"]


def test_eps_moves_twenty_points_and_grows_by_one_percent():
    plain, first, second = (attacked(SMALL, factor).data for factor in (0.0, 1.0, 1.01))
    assert (first != plain).any(axis=1).sum() == 20
    assert second - plain == pytest.approx(1.01 * (first - plain), abs=1e-15)


def test_rows_of_evaluations_and_attacks(monkeypatch):
    monkeypatch.setattr(benchmark_evaluations, "CALLS", 20)
    monkeypatch.setattr(benchmark_evaluations, "SECONDS", 0.5)
    for kind, n in (("line", 100), ("moons", 80)):
        row = evaluation_row(Attacked(kind, n, 0.1, 10.0, 0.1), 1)
        assert row["labels proved"] == "100.0%"
        assert 0 < row["microseconds"] <= row["slowest 10 %"]
    row = attack_row(Attacked("line", 100, 0.1, 10.0), 1)
    assert row["auto / corners"] == row["least"] == row["auto"] / row["corners"] > 0
    assert row["random, evaluations"] > 0


def test_instances_are_the_same_each_time():
    for kind in KINDS:
        first, second = (Instance(kind, 60, 0.3).model() for _ in range(2))
        assert np.array_equal(first.data, second.data)
        assert np.array_equal(first.graph.edges, second.graph.edges)
    for _, _, instances in TABLES.values():
        assert len({instance.name for instance in instances}) == len(instances)


def test_a_size_without_instances_is_refused(tmp_path):
    app = Typer()
    app.command()(benchmark)
    asked = ["--only", "cold", "--largest", "1999", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2
    assert "largest: got 1999, expected a whole number >= 2000" in result.output
    assert not (tmp_path / "out").exists()
