"""The evaluator in few features against SSNAL, and attacks with it and without it."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.models.deviation import DEVIATIONS
from bilad.solvers import attack, cluster
from bilad.solvers.clustering.evaluation import plane
from bilad.solvers.clustering.evaluation.plane import plane_evaluator
from bilad.solvers.clustering.interior_point.method import ContractingMethod as Method

POINTS = np.arange(20, 26)


def groups(d=2, n=60, gamma=0.6, scale=1.0, offset=0.0):
    """Three groups with bridges, of which `POINTS` move."""
    rng = np.random.default_rng(d)
    A = rng.normal(size=(n, d)) + 2.5 * np.repeat([0, 1, 2], n // 3)[:, None]
    graph = FusionGraph.knn(A, 6, 0.3)
    return ConvexClustering(scale * (A + offset), graph, scale * gamma)


def problem_of(model, deviation="delta"):
    perturbation = Perturbation.additive(model.data.shape, points=POINTS)
    return MaxDeviation(model, perturbation, 1e9, deviation=deviation)


def evaluator_of(problem, tol=1e-8):
    return plane_evaluator(problem.model, problem, cluster(problem.model, "ssnal", tol=tol))


def check(evaluate, problem, eps):
    """Compare with SSNAL; return the deviation, or nan if it is undecided."""
    before = cluster(problem.model, "ssnal", tol=1e-10)
    after = cluster(problem.perturbation.apply(problem.model, eps), "ssnal", tol=1e-10)
    found = evaluate(eps)
    assert before.proved
    if found is None or not after.proved:
        return math.nan
    assert found == DEVIATIONS[problem.deviation.name].value(before.labels, after.labels)
    return found


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("deviation", ["delta", "rand", "changed"])
def test_a_deviation_is_that_of_ssnal(d, deviation):
    """The partition stays, changes a little, changes completely, and comes back."""
    problem = problem_of(groups(d, gamma=0.3 * d), deviation)
    evaluate, rng, found = evaluator_of(problem), np.random.default_rng(0), []
    base = rng.normal(size=d * len(POINTS))
    for size in (0.0, 1e-9, 1e-3, 0.03, 0.3, 0.31, 1.0, 5.0, 50.0, 1e-3, 0.0):
        eps = size * (base + 0.1 * rng.normal(size=base.shape))
        found.append(check(evaluate, problem, eps))
    assert not np.isnan(found).any()
    assert found[0] == found[-1] == 0
    assert len(set(found)) >= 3


@pytest.mark.parametrize("offset", [0.0, 1e5, -1e5])
@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 1e8])
def test_units_and_offsets_of_the_data_change_nothing(scale, offset):
    problem = problem_of(groups(scale=scale, offset=offset))
    evaluate, rng = evaluator_of(problem), np.random.default_rng(0)
    found = [
        check(evaluate, problem, scale * size * rng.normal(size=2 * len(POINTS)))
        for size in (0.01, 0.3, 0.3, 2.0)
    ]
    assert np.isnan(found).sum() <= (offset != 0)
    assert len(set(found)) > 1


def test_solves_are_needed_only_if_the_partition_changes(monkeypatch):
    problem, solves = problem_of(groups()), []
    evaluate, rng = evaluator_of(problem), np.random.default_rng(0)
    monkeypatch.setattr(
        plane, "ContractingMethod", lambda *args, **more: solves.append(0) or Method(*args, **more)
    )
    assert {evaluate(1e-4 * eps) for eps in rng.normal(size=(20, 2 * len(POINTS)))} == {0.0}
    assert not solves
    assert evaluate(5 * rng.normal(size=2 * len(POINTS))) > 0
    assert solves


def test_two_points_around_their_threshold():
    """The ends of (3, 4) are fused if and only if 5 <= 2 gamma; at 5 = 2 gamma it is undecided."""
    model = ConvexClustering(np.array([[0.0, 0.0], [3.0, 4.0]]), FusionGraph.complete(2), 2.5)
    moved = ConvexClustering(model.data * 1.5, model.graph, 2.5)
    perturbation = Perturbation.shift(np.array([[0.0, 0.0], [3.0, 4.0]]))
    evaluate = evaluator_of(MaxDeviation(moved, perturbation, 9.0))
    for step in [*range(-30, 31), -(10**6), 10**6]:
        eps = -0.5 + step * 2.0**-53  # the distance is 5 + 5 step 2^-53, up to rounding
        data = perturbation.apply(moved, np.array([eps])).data
        square = sum(int(value * 2**60) ** 2 for value in data[1].tolist())
        found = evaluate(np.array([eps]))
        assert found in (None, 2 if square <= (5 * 2**60) ** 2 else 0)
        assert found is not None or abs(step) < 10**6


@pytest.mark.parametrize("size", [1e20, 1e160, 1e300, math.inf, math.nan])
def test_an_eps_beyond_all_data_is_right_or_undecided(size):
    problem = problem_of(groups())
    evaluate = evaluator_of(problem)
    eps = np.zeros(2 * len(POINTS))
    eps[0] = size
    found = evaluate(eps)
    if found is not None:
        after = cluster(problem.perturbation.apply(problem.model, eps), "ssnal")
        assert not after.proved or found == DEVIATIONS["delta"].value(
            cluster(problem.model).labels, after.labels
        )
    assert evaluate(0 * POINTS.repeat(2).astype(float)) == 0


def test_no_evaluator_for_other_models_and_perturbations():
    A = np.arange(8.0).reshape(4, 2) ** 2
    whole, free = FusionGraph.complete(4), Perturbation.additive(A.shape)
    added = Perturbation.linear(A.shape, sp.csr_array(np.ones((8, 2))))
    both = Perturbation.linear(A.shape, np.ones((8, 1)), whole, np.zeros((6, 1)))
    isolated = FusionGraph(4, [[0, 1], [1, 2], [2, 3]], [1.0, 1.0, 0.0])
    for graph, p, perturbation in (
        (whole, 1, free),
        (whole, np.inf, free),
        (whole, 2, Perturbation.edges(whole)),
        (whole, 2, added),
        (whole, 2, both),
        (isolated, 2, free),
    ):
        problem = MaxDeviation(ConvexClustering(A, graph, 0.5, p), perturbation, 1.0)
        assert evaluator_of(problem) is None
    for perturbation in (free, Perturbation.shift(A), Perturbation.multiplicative(A, [1])):
        problem = MaxDeviation(ConvexClustering(A, whole, 0.5), perturbation, 1.0)
        assert evaluator_of(problem)(np.zeros(perturbation.dim)) == 0


@pytest.mark.parametrize("method", ["corners", "random", "nes"])
@pytest.mark.parametrize("sense", ["bl1", "bl2"])
def test_an_attack_is_the_same_with_every_eps_solved(method, sense):
    model = groups(n=30)
    perturbation = Perturbation.additive(model.data.shape, points=[9, 10, 19])
    if sense == "bl1":
        problem = MaxDeviation(model, perturbation, 2.0)
    else:
        problem = MinPerturbation(model, perturbation, 10.0, limit=5.0)
    fast, slow = (
        attack(problem, method, lower=lower, max_solves=40) for lower in ("auto", "ssnal")
    )
    assert (fast.lower_solves, fast.termination) == (slow.lower_solves, slow.termination)
    for ours, theirs in zip(fast.history, slow.history, strict=True):
        assert ours.eps.tolist() == theirs.eps.tolist()
        assert (ours.deviation, ours.proved) == (theirs.deviation, theirs.proved)
    assert len({ours.deviation for ours in fast.history}) > 1
    assert fast.solution.labels.tolist() == slow.solution.labels.tolist()
