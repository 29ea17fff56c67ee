"""The evaluator of lines against rational arithmetic, and attacks with it and without it."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from support import problems
from support.rational import solve_complete

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.models.deviation import DEVIATIONS, delta
from bilad.models.learning.separable import line_signs
from bilad.solvers import attack, cluster
from bilad.solvers.clustering.evaluation.line import line_evaluator
from bilad.solvers.clustering.parametric.exact_labels import exact_labels

GAMMAS = st.sampled_from([0.0, 1e-300, 0.05, 0.25, 1 / 3, 1.0, 4.0, 1e3, 1e300])
ELEMENTS = st.sampled_from([problems.quarters, problems.reals])


def evaluator_of(problem):
    return line_evaluator(problem.model, problem, cluster(problem.model))


@st.composite
def lines(draw):
    """A problem whose model separates into lines, and an eps for all of its data."""
    p, d = draw(st.sampled_from([(1, 1), (2, 1), (np.inf, 1), (1, 2), (1, 3), (np.inf, 2)]))
    model = draw(problems.models(p, d=d, graph=problems.complete_graphs, gammas=GAMMAS))
    eps = draw(problems.data(model.n, d, draw(ELEMENTS))).ravel()
    return MaxDeviation(model, Perturbation.additive(model.data.shape), 1e3), eps


@given(lines(), st.sampled_from(["delta", "rand", "changed"]))
def test_a_deviation_is_that_of_rational_arithmetic_or_undecided(case, name):
    problem, eps = case
    problem = MaxDeviation(problem.model, problem.perturbation, 1e3, deviation=name)
    found = evaluator_of(problem)(eps)
    before = exact_labels(problem.model)
    after = exact_labels(problem.perturbation.apply(problem.model, eps))
    assert found in (None, DEVIATIONS[name].value(before, after))


@pytest.mark.parametrize("n", [2, 3, 4, 60])
@pytest.mark.parametrize(("p", "d"), [(2, 1), (1, 2), (np.inf, 2)])
def test_random_data_are_decided(n, p, d):
    rng = np.random.default_rng(0)
    A = rng.normal(size=(n, d)) + 3 * rng.integers(0, 2, size=(n, 1))
    problem = MaxDeviation(
        ConvexClustering(A, FusionGraph.complete(n), 1 / n, p), Perturbation.additive((n, d)), 9.0
    )
    evaluate, found = evaluator_of(problem), []
    for eps in rng.normal(size=(40, n * d)):
        model = problem.perturbation.apply(problem.model, eps)
        found.append(evaluate(eps))
        on_lines = [solve_complete(model.data @ signs, model.gamma) for signs in line_signs(model)]
        after = np.unique(np.array(on_lines, dtype=float), axis=1, return_inverse=True)[1]
        assert found[-1] == delta(exact_labels(problem.model), after)
    assert n == 2 or len(set(found)) > 1


def test_within_rounding_of_a_threshold(groups, touching):
    """Never wrong there; undecided at the threshold itself, decided a little beyond."""
    for instance in (groups, touching):
        model, perturbation = instance.model(), instance.shift()
        evaluate = evaluator_of(instance.bl1())
        for threshold in (instance.parts, instance.joins):
            assert evaluate(np.array([threshold])) is None
            for step in [*range(-40, 41), -(10**6), 10**6]:
                eps = np.array([threshold * (1 + step * 2.0**-52)])
                exact = exact_labels(perturbation.apply(model, eps))
                expected = delta(exact_labels(model), exact)
                assert evaluate(eps) in (expected, None if abs(step) < 10**6 else expected)


def test_within_rounding_of_the_breakpoints_of_a_ray():
    """Far from zero, where the rounding errors of sums are as large as those of the data."""
    rng, undecided = np.random.default_rng(2), 0
    for n in range(3, 33):
        A = 1e3 + rng.normal(size=(n, 1))
        model = ConvexClustering(A, FusionGraph.complete(n), rng.choice([0.3, 0.1]))
        problem = MaxDeviation(model, Perturbation.shift(rng.normal(size=(n, 1))), 50.0)
        evaluate, before = evaluator_of(problem), exact_labels(model)

        def exact(eps, problem=problem, before=before):
            return delta(before, exact_labels(problem.perturbation.apply(problem.model, eps)))

        low, high = 0.0, rng.uniform(1, 50)
        start, middle = exact([low]), high / 2
        while low < middle < high and exact([high]) != start:
            low, high = (middle, high) if exact([middle]) == start else (low, middle)
            middle = (low + high) / 2
        for step in range(-8, 9):
            eps = np.array([low * (1 + step * 2.0**-52)])
            found = evaluate(eps)
            undecided += found is None
            assert found in (None, exact(eps))
    assert undecided > 100


def test_sums_that_are_equal_only_after_rounding():
    """a_1 + a_2 = 1 and 1 + 2^-60: apart for a gamma so small, whatever the doubles say."""
    A = np.array([[1.0, 0.0], [1.0, 2.0**-60], [5.0, 1.0]])
    for gamma in (1e-19, 1.0):
        model = ConvexClustering(A, FusionGraph.complete(3), gamma, np.inf)
        problem = MaxDeviation(model, Perturbation.additive(A.shape, [2]), 1.0)
        eps = np.array([0.5, 0.0])
        after = exact_labels(problem.perturbation.apply(model, eps))
        assert evaluator_of(problem)(eps) in (None, delta(exact_labels(model), after))
    assert evaluator_of(problem)(eps) == 0


def test_an_overflow_is_undecided():
    model = ConvexClustering([[0.0], [1.0], [1e308]], FusionGraph.complete(3), 0.1)
    problem = MaxDeviation(model, Perturbation.additive((3, 1)), 1e308)
    assert evaluator_of(problem)(np.array([0.0, 0.0, 1e308])) is None


def test_the_order_of_the_points_may_change_completely():
    rng = np.random.default_rng(1)
    model = ConvexClustering(rng.normal(size=(300, 1)), FusionGraph.complete(300), 1e-4)
    problem = MaxDeviation(model, Perturbation.additive((300, 1)), 1e3)
    evaluate, before = evaluator_of(problem), exact_labels(model)
    for eps in [-2 * model.data[:, 0], 5 * rng.normal(size=300)]:
        after = exact_labels(problem.perturbation.apply(model, eps))
        assert evaluate(eps) == delta(before, after)


def test_no_evaluator_for_other_models_and_perturbations():
    A = np.arange(8.0).reshape(4, 2) ** 2
    whole, path = FusionGraph.complete(4), FusionGraph(4, [[0, 1], [1, 2], [2, 3]], np.ones(3))
    free = Perturbation.additive(A.shape)
    added = Perturbation.linear(A.shape, sp.csr_array(np.ones((8, 2))))
    both = Perturbation.linear(A.shape, np.ones((8, 1)), whole, np.zeros((6, 1)))
    for graph, p, perturbation in (
        (whole, 2, free),
        (path, 1, free),
        (whole, 1, Perturbation.edges(whole)),
        (whole, 1, added),
        (whole, 1, both),
    ):
        problem = MaxDeviation(ConvexClustering(A, graph, 0.5, p), perturbation, 1.0)
        assert evaluator_of(problem) is None
    for perturbation in (free, Perturbation.shift(A), Perturbation.multiplicative(A, [1])):
        problem = MaxDeviation(ConvexClustering(A, whole, 0.5, 1), perturbation, 1.0)
        assert evaluator_of(problem)(np.zeros(perturbation.dim)) == 0


@pytest.mark.parametrize("method", ["corners", "random", "direct", "nes"])
@pytest.mark.parametrize("sense", ["bl1", "bl2"])
def test_an_attack_is_the_same_with_every_eps_solved(groups, method, sense):
    perturbation = groups.each()
    if sense == "bl1":
        problem = MaxDeviation(groups.model(), perturbation, 18.0)
    else:
        problem = MinPerturbation(groups.model(), perturbation, groups.joined, limit=30.0)
    fast, slow = (
        attack(problem, method, lower=lower, max_solves=60) for lower in ("auto", "exact")
    )
    assert (fast.lower_solves, fast.termination) == (slow.lower_solves, slow.termination)
    for ours, theirs in zip(fast.history, slow.history, strict=True):
        assert ours.eps.tolist() == theirs.eps.tolist()
        assert (ours.size, ours.deviation, ours.proved) == (theirs.size, theirs.deviation, True)
        assert ours.solves == theirs.solves
    assert fast.eps.tolist() == slow.eps.tolist()
    assert fast.solution.labels.tolist() == slow.solution.labels.tolist()
