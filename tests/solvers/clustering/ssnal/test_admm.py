"""ADMM by itself: it reaches its goal, measures what it returns, and keeps to its budget."""

import time

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.clustering.ssnal.admm import CHECK_STEPS, admm
from bilad.solvers.clustering.ssnal.limits import Budget
from bilad.solvers.clustering.ssnal.scaling import ScaledProblem
from bilad.solvers.clustering.ssnal.workspace import Workspace

# p = 1 is only asked of one feature at a time, where p does not matter.
SHAPES = [(2, 1), (2, 2), (2, 5), (np.inf, 2), (np.inf, 5)]
GOAL = 1e-6  # relative gap, as in SSNAL
# A polyhedral norm may make it so slow that it gives up, and leaves the rest to Newton.
REACHED = {2: GOAL, np.inf: 1e-3}
STEPS = 400


def make(n, p, d, gamma=0.5, complete=False):
    rng = np.random.default_rng(n + d)
    A = rng.normal(size=(n, d)) + 3 * rng.integers(0, 3, size=(n, 1))
    graph = FusionGraph.complete(n, 3 / n) if complete else FusionGraph.knn(A, k=5)
    model = ConvexClustering(A, graph, gamma, p)
    work = Workspace(model)
    return model, ScaledProblem(model, work.positive, work.edges, 1.0), work.point_system


def cold(scaled):
    return scaled.measure(scaled.data, np.zeros((len(scaled.radii), scaled.data.shape[1])))


def check_measured(model, scaled, best):
    """Its gap is that which the model computes from what it returns."""
    X, Z = scaled.leave(best.X, best.Z)
    assert model.gap(X, Z) <= best.gap * (1 + 1e-6) + 1e-15
    again = scaled.measure(best.X, best.Z)
    assert (again.gap, again.residual) == (best.gap, best.residual)
    scaled = model.standardised()[0]
    feasible = scaled.project_dual(np.zeros((model.graph.m, model.d)))
    feasible[model.radii > 0] = best.Z
    assert scaled.project_dual(feasible) == pytest.approx(feasible, abs=1e-15 * scaled.radii.max())


@pytest.mark.parametrize(("p", "d"), SHAPES)
@pytest.mark.parametrize(("n", "complete"), [(8, True), (40, True), (40, False), (300, False)])
@pytest.mark.parametrize("gamma", [0.01, 0.2, 1.0])
def test_the_goal_is_reached(p, d, n, complete, gamma):
    model, scaled, system = make(n, p, d, gamma, complete)
    budget = Budget(STEPS, np.inf)
    best = admm(scaled, cold(scaled), system, GOAL, STEPS, budget)
    check_measured(model, scaled, best)
    assert best.gap <= REACHED[p]
    assert 0 < budget.admm_steps <= STEPS


@pytest.mark.parametrize(("p", "d"), SHAPES)
@pytest.mark.parametrize("steps", [1, 7, 10, 37])
def test_it_keeps_to_the_iterations_and_returns_the_best_so_far(p, d, steps):
    model, scaled, system = make(40, p, d)
    start = cold(scaled)
    budget = Budget(steps, np.inf)
    best = admm(scaled, start, system, 1e-12, STEPS, budget)
    check_measured(model, scaled, best)
    assert budget.exhausted == "iteration limit"
    assert budget.admm_steps == steps
    assert best.gap <= start.gap


def test_it_keeps_to_its_own_number_of_steps():
    _, scaled, system = make(40, 2, 2)
    budget = Budget(1000, np.inf)
    admm(scaled, cold(scaled), system, 1e-14, 30, budget)
    assert budget.admm_steps == 30
    assert budget.exhausted is None


def test_it_keeps_to_the_deadline():
    _, scaled, system = make(300, 2, 2)
    budget = Budget(10**9, time.perf_counter() - 1)
    admm(scaled, cold(scaled), system, 1e-14, STEPS, budget)
    assert budget.exhausted == "time limit"
    assert budget.admm_steps <= CHECK_STEPS


@pytest.mark.parametrize(("p", "d"), SHAPES)
def test_more_steps_are_never_worse_and_the_start_is_kept_if_it_is_the_best(p, d):
    model, scaled, system = make(40, p, d)
    gaps = []
    for steps in (20, 60, 180):
        best = admm(scaled, cold(scaled), system, 0.0, steps, Budget(steps, np.inf))
        check_measured(model, scaled, best)  # the steps after the best leave it alone
        gaps.append(best.gap)
    assert gaps == sorted(gaps, reverse=True)
    before = best.X.copy(), best.Z.copy()
    again = admm(scaled, best, system, 0.0, 1, Budget(1, np.inf))
    assert again.gap <= best.gap
    assert np.array_equal(best.X, before[0])
    assert np.array_equal(best.Z, before[1])


def test_a_start_at_the_solution_is_fused_and_apart_at_once():
    """Two points far apart, two that fuse: the start has lengths of zero."""
    A = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.0, 5.1]])
    model = ConvexClustering(A, FusionGraph.complete(4), 0.2)
    work = Workspace(model)
    scaled = ScaledProblem(model, work.positive, work.edges, 1.0)
    first = admm(scaled, cold(scaled), work.point_system, 1e-13, STEPS, Budget(STEPS, np.inf))
    budget = Budget(STEPS, np.inf)
    best = admm(scaled, first, work.point_system, 1e-13, STEPS, budget)
    assert budget.admm_steps <= CHECK_STEPS
    assert best.gap <= 1e-13
