"""The benchmark of the lower level: tolerances of the solvers, rows, exponent and instances."""

import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

from bilad.models import ConvexClustering, FusionGraph
from bilad.scripts import conic_solvers
from bilad.scripts.benchmark_lower import (
    TABLES,
    Instance,
    benchmark,
    cold_row,
    factorisation_time,
    growth_exponent,
    growth_row,
    measure,
    path_row,
    warm_row,
)
from bilad.scripts.conic_solvers import CONIC_SOLVERS, smallest_gap, time_solver
from bilad.solvers import cluster

SMALL = Instance("moons", 60, 0.3)


@pytest.mark.parametrize("rival", CONIC_SOLVERS)
@pytest.mark.parametrize("p", [1.0, 2.0, float("inf")])
def test_rivals_solve_what_ssnal_solves(rival, p):
    model = Instance("moons", 60, 0.3, p).model()
    pair = CONIC_SOLVERS[rival](model, 1e-8, 60.0)
    assert smallest_gap(model, pair) <= 1e-6
    ours = cluster(model, "ssnal", tol=1e-9)
    assert model.primal(pair[0]) == pytest.approx(ours.objective, rel=1e-5)


def test_a_rival_gets_the_loosest_tolerance_that_reaches_the_gap(monkeypatch):
    model = ConvexClustering([[0.0], [1.0]], FusionGraph.complete(2), 0.1)
    monkeypatch.setattr(conic_solvers, "TOLERANCES", (1e-4, 1e-5, 1e-6, 1e-7))
    asked = []

    def solve(model, tol, time_limit):
        asked.append(tol)
        z = -0.1 if tol < 2e-6 else 0.0  # the solution, or no flow at all
        return np.array([[0.1], [0.9]]), np.array([[z]])

    _, gap = time_solver(solve, model, 1e-6, 3, 60.0)
    assert asked == [1e-4, 1e-5, 1e-6, 1e-6, 1e-6]
    assert gap <= 1e-15


def test_a_rival_that_fails_is_shown_with_its_gap():
    _, gap = time_solver(lambda *arguments: None, SMALL.model(), 1e-6, 2, 60.0)
    assert gap == float("inf")


def test_rows_are_shown_at_once_and_kept_if_a_later_one_fails(tmp_path):
    shown = io.StringIO()

    def rows():
        yield {"n": 1, "seconds": 0.5}
        assert shown.getvalue() == "some: n 1, seconds 0.5\n"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(rows(), tmp_path / "some.csv", Console(file=shown))
    assert (tmp_path / "some.csv").read_text().splitlines() == ["n,seconds", "1,0.5"]


def test_the_exponent_of_a_power():
    n = np.array([10, 100, 1000])
    table = pd.DataFrame({"n": n, "seconds": 1e-3 * n**1.25})
    assert growth_exponent(table) == pytest.approx(1.25)


def test_rows_of_a_small_instance():
    cold = cold_row(SMALL, repeats=1)
    assert cold["gap"] <= 1e-6
    assert max(cold["Clarabel gap"], cold["SCS gap"]) <= 1e-6
    assert cold["times faster"] == min(cold["Clarabel"], cold["SCS"]) / cold["seconds"]
    warm = warm_row(SMALL, repeats=1)
    assert max(warm["gap"], growth_row(SMALL, 1)["gap"]) <= 1e-6
    path = path_row(Instance("moons", 20, 0.0), 1)
    assert max(path["worst gap"], path["Clarabel's worst gap"]) <= 1e-5
    assert factorisation_time(SMALL.model(), 1) > 0


def test_instances_are_the_same_each_time():
    for instance in (SMALL, Instance("gaussians", 60, 10.0)):
        first, second = instance.model(), instance.model()
        assert np.array_equal(first.data, second.data)
        assert np.array_equal(first.graph.edges, second.graph.edges)
    for _, _, instances in TABLES.values():
        assert len({instance.name for instance in instances}) == len(instances)


def test_a_size_without_instances_is_refused(tmp_path):
    app = Typer()
    app.command()(benchmark)
    asked = ["--largest", "1999", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 2
    assert "largest: got 1999, expected a whole number >= 2000" in result.output
    assert not (tmp_path / "out").exists()
