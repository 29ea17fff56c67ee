"""The norm "count": every method against all subsets, for label flips and removed edges."""

import itertools

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering

from bilad.models import (
    ArgumentError,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    LogisticRegression,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    SupportVectorMachine,
    deviation,
)
from bilad.models.learning.learning_model import confirm
from bilad.solvers import attack, certify, drop_edges
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import UPPER_METHODS, refusal
from bilad.solvers.upper.coordinate_search import coordinate_search

N = 8


def two_classes(n, seed):
    """Return data and labels of two overlapping classes."""
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    return rng.normal(size=(n, 2)) + 0.8 * y[:, None], y


A, Y = two_classes(N, 0)
HELD_OUT, LABELS = two_classes(40, 5)
CHANGES = deviation.changed_predictions(HELD_OUT)
LOSS = deviation.validation_loss(HELD_OUT, LABELS)
EDGES = FusionGraph(6, [[0, 1], [0, 2], [1, 2], [2, 3], [3, 4], [3, 5], [4, 5]], [1.0] * 7)
CHAIN = ConvexClustering([[0.0], [0.21], [0.52], [1.37], [1.71], [2.03]], EDGES, 0.3)


def flips(kind, size, model=Ridge, function=CHANGES, **options):
    return kind(model(A, Y), Perturbation.flips(), size, "count", function, **options)


def removals(kind, size, **options):
    return kind(CHAIN, Perturbation.edges(EDGES), size, "count", **options)


def at(problem, eps):
    """Return the deviation at eps, from scratch."""
    before, after = (
        confirm(problem.perturbation.apply(problem.model, e), tol=1e-10).outcome
        for e in (np.zeros_like(eps), eps)
    )
    return problem.deviation.value(before, after)


def every(problem):
    """Return the deviation of each subset of at most as many entries as the radius."""
    k, values = problem.perturbation.dim, {}
    for size in range(1, int(problem.radius) + 1):
        for chosen in itertools.combinations(range(k), size):
            values[chosen] = at(problem, np.isin(np.arange(k), chosen).astype(float))
    return values


def check(problem, found):
    """What holds for every method: eps is binary, within the radius, and what it is said to be."""
    for eps in (found.eps, found.own.eps, *(seen.eps for seen in found.history)):
        assert set(eps.tolist()) <= {0.0, 1.0}
        assert eps.sum() <= problem.radius
    assert found.norm == found.eps.sum()
    assert found.own.norm == found.own.eps.sum()
    if found.norm > 0:
        assert found.deviation == pytest.approx(at(problem, found.eps), abs=1e-6)
        assert problem.is_attack(found.norm, found.deviation)
    if found.own.norm > 0:
        assert found.own.deviation == pytest.approx(at(problem, found.own.eps), abs=1e-6)


MODELS = {
    "ridge": Ridge,
    "logistic": LogisticRegression,
    "hinge": lambda A, y: SupportVectorMachine(A, y, loss="hinge"),
}
BEST = {}


def best(model, function):
    """Return the largest deviation of at most two flips."""
    key = model, function.name
    if key not in BEST:
        problem = flips(MaxDeviation, 2, MODELS[model], function)
        BEST[key] = max(every(problem).values())
    return BEST[key]


@pytest.mark.parametrize("function", [CHANGES, LOSS], ids=lambda one: one.name)
@pytest.mark.parametrize("model", MODELS)
def test_direct_is_the_search_of_all_subsets(model, function):
    largest = best(model, function)
    problem = flips(MaxDeviation, 2, MODELS[model], function)
    found = attack(problem, "direct", closing="none")
    check(problem, found)
    assert found.deviation == pytest.approx(largest, rel=1e-7)
    assert found.lower_solves == N + N * (N - 1) // 2
    least = flips(MinPerturbation, 0.999 * largest, MODELS[model], function)
    short = attack(least, "direct", closing="none")
    check(least, short)
    assert (short.norm, short.bound, short.status) == (2.0, 2.0, "optimal")


def test_direct_proves_what_it_enumerates():
    assert attack(flips(MaxDeviation, 2), "direct").status == "optimal"
    none = flips(MinPerturbation, len(HELD_OUT), limit=1)
    found = attack(none, "direct")
    assert (found.status, found.norm, found.closing_solves) == ("no attack exists", 0.0, 0)
    few = attack(flips(MaxDeviation, 2), "direct", max_solves=5, bound="none")
    assert (few.bound, few.termination) == (None, "solve limit")


TAKING = [
    name
    for name in UPPER_METHODS
    if name not in ("exact", "milp", "direct", "duality")  # tested above, or refused
]


@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
@pytest.mark.parametrize("method", TAKING)
@pytest.mark.usefixtures("installed")
def test_every_method_returns_binary_eps(method, kind):
    largest = best("ridge", CHANGES)
    problem = flips(kind, 2 if kind is MaxDeviation else largest)
    options = {"restarts": 2} if "restarts" in UPPER_METHODS[method].options else {}
    found = attack(problem, method, max_solves=120, **options)
    check(problem, found)
    assert found.termination in ("converged", "solve limit")
    assert found.status in ("optimal", "feasible", "no attack found")
    if method not in ("fgsm", "finite-difference", "cobyla"):
        assert found.norm == 2
        assert found.deviation >= (0.5 if kind is MaxDeviation else 1) * largest


@pytest.mark.parametrize("method", ["direct", "greedy", "hypergradient", "kkt"])
def test_edges_are_removed_one_by_one(method):
    largest = drop_edges(CHAIN, 2)
    assert largest.exhaustive
    problem = removals(MaxDeviation, 2)
    found = attack(problem, method, max_solves=60)
    check(problem, found)
    assert found.deviation == largest.deviation
    least = attack(removals(MinPerturbation, largest.deviation), method, max_solves=60)
    check(least.problem, least)
    assert least.norm == len(largest.edges) == 2


def test_a_positive_bound_of_the_relaxation_proves_that_one_removal_is_least():
    found = attack(removals(MinPerturbation, 2), "greedy")
    assert 0 < found.bound < 1
    assert (found.norm, found.status) == (1, "optimal")


@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
def test_a_certificate_counts(kind):
    proof = certify(removals(kind, 2), max_solves=60)
    assert proof.lower <= proof.upper == int(proof.upper)
    assert set(proof.attack.eps.tolist()) <= {0.0, 1.0}


def test_fractional_eps_are_solved_and_never_attack():
    problem = flips(MaxDeviation, 2)
    lower = LowerLevel(problem)
    lower.solve(np.full(N, 0.25))
    assert (lower.solves, lower.history, lower.best) == (1, [], None)
    seen = lower.evaluate(np.array([0.6, 0.1, 0.7] + [0.0] * (N - 3)))  # the sum is 1.4
    assert np.flatnonzero(seen.eps).tolist() == [2]
    assert (lower.solves, lower.undecided) == (2, 0)
    assert lower.known(np.array([0.0, 0.3, 0.4] + [0.0] * (N - 3))) is seen


def test_greedy_adds_the_best_flip_each_time():
    problem = flips(MaxDeviation, 3, function=LOSS)
    found = attack(problem, "greedy", closing="none")
    values, chosen = every(problem), ()
    for _ in range(3):
        larger = [tuple(sorted((*chosen, i))) for i in range(N) if i not in chosen]
        chosen = max(larger, key=values.get)
    assert tuple(np.flatnonzero(found.own.eps)) == chosen
    assert found.lower_solves == N + (N - 1) + (N - 2)


def test_greedy_is_not_blind_on_a_plateau():
    """No single flip changes the prediction of one far point; the smooth form leads to it."""
    far = deviation.changed_predictions(6 * HELD_OUT[:1])
    problem = flips(MinPerturbation, 1, function=far)
    least = attack(problem, "direct", closing="none")
    assert least.norm > 1
    norms = [attack(problem, "greedy", seed, closing="none").norm for seed in range(8)]
    assert norms == [least.norm] * 8


def test_greedy_needs_neither_derivatives_nor_a_state():
    model = BlackBox(A, AgglomerativeClustering(2))
    moves = Perturbation({"data": np.eye(2 * N)}, {"data": A.shape}, 0.0, 1.0)
    problem = MaxDeviation(model, moves, 2, "count")
    found = attack(problem, "auto", max_solves=40)
    assert found.method == "greedy"
    assert set(found.eps.tolist()) <= {0.0, 1.0}


def test_a_new_flip_takes_the_place_of_another():
    """Where the budget is used, coordinate search exchanges flips until none is better."""
    problem, values = flips(MaxDeviation, 2, function=LOSS), every(flips(MaxDeviation, 2))
    values = every(problem)
    worst = min((pair for pair in values if len(pair) == 2), key=values.get)
    lower = LowerLevel(problem)
    start = np.isin(np.arange(N), worst).astype(float)
    coordinate_search(lower, start, np.random.default_rng(0))
    assert lower.best.deviation > 2 * max(values[worst], 0)
    assert lower.best.deviation == pytest.approx(max(values.values()))


def test_refusals_name_what_can_be_done():
    problem = removals(MaxDeviation, 2)
    one = MaxDeviation(CHAIN, Perturbation.edges(EDGES, [0]), 1, "count")
    for method, given in (("exact", one), ("milp", problem)):
        with pytest.raises(UnsupportedError, match="binary.*'direct'"):
            attack(given, method)
    with pytest.raises(UnsupportedError, match="'count'"):
        attack(MaxDeviation(CHAIN, Perturbation.edges(EDGES), 2.0, 1), "greedy")
    many = FusionGraph.complete(60)
    large = ConvexClustering(np.arange(60.0)[:, None], many, 0.1)
    subsets = MaxDeviation(large, Perturbation.edges(many), 3, "count")
    assert "subsets" in refusal(UPPER_METHODS["direct"], subsets)
    pairs = MaxDeviation(large, Perturbation.edges(many), 2, "count")
    assert refusal(UPPER_METHODS["direct"], pairs) is None
    for name, value in (("step", 0.5), ("refinements", 1)):
        with pytest.raises(ArgumentError, match=name):
            attack(problem, "direct", **{name: value})
