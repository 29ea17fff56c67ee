"""The benchmark of the lower level: tolerances of the solvers, rows, exponent and instances."""

import io

import numpy as np
import pytest
from rich.console import Console

from bilad.models import ConvexClustering, FusionGraph
from bilad.scripts import conic_solvers
from bilad.scripts.benchmark_lower import (
    COLD,
    Instance,
    cold_rows,
    factorisation_time,
    growth_exponent,
    report,
    warm_rows,
)
from bilad.scripts.conic_solvers import CONIC_SOLVERS, ConicSolver, smallest_gap, time_solver
from bilad.scripts.run_store import Output, merged
from bilad.solvers import cluster

SMALL = Instance("moons", 60, 0.3)


@pytest.mark.parametrize("rival", CONIC_SOLVERS, ids=lambda rival: rival.name)
@pytest.mark.parametrize("p", [1.0, 2.0, float("inf")])
def test_rivals_solve_what_ssnal_solves(rival, p):
    model = Instance("moons", 60, 0.3, p).model()
    pair = rival.solve(model, 1e-8, 60.0)
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

    timing = time_solver(ConicSolver("rough", solve), model, 1e-6, 3, 60.0)
    assert asked == [1e-4, 1e-5, 1e-6, 1e-6, 1e-6]
    assert timing.gap <= 1e-15


def test_a_rival_that_fails_is_shown_with_its_gap():
    model = SMALL.model()
    timing = time_solver(ConicSolver("none", lambda *arguments: None), model, 1e-6, 2, 60.0)
    assert timing.gap == float("inf")


def test_rows_are_on_disk_before_the_next_is_measured(tmp_path):
    def rows():
        yield {"n": 1, "seconds": 0.5}
        (row,) = merged(tmp_path / "some.csv", ["n"])
        assert (row["n"], row["seconds"]) == ("1", "0.5")
        raise KeyboardInterrupt

    output = Output(tmp_path, Console(file=io.StringIO()))
    with pytest.raises(KeyboardInterrupt):
        report("Some", "some", rows(), output)
    assert (tmp_path / "some.csv").read_text().splitlines() == ["n,seconds", "1,0.5"]


def test_the_exponent_of_a_power():
    rows = [{"n": n, "seconds": 1e-3 * n**1.25} for n in (10, 100, 1000)]
    assert growth_exponent(rows) == pytest.approx(1.25)


def test_cold_and_warm_rows_of_a_small_instance():
    (cold,) = cold_rows([SMALL], repeats=1)
    assert cold["gap"] <= 1e-6
    assert max(cold["Clarabel gap"], cold["SCS gap"]) <= 1e-6
    assert cold["times faster"] == min(cold["Clarabel"], cold["SCS"]) / cold["seconds"]
    (warm,) = warm_rows([SMALL], repeats=1)
    assert warm["gap"] <= 1e-6
    assert factorisation_time(SMALL.model(), 1) > 0


def test_instances_are_the_same_each_time():
    for instance in (SMALL, Instance("gaussians", 60, 10.0)):
        first, second = instance.model(), instance.model()
        assert np.array_equal(first.data, second.data)
        assert np.array_equal(first.graph.edges, second.graph.edges)
    assert len({instance.name for instance in COLD}) == len(COLD)
