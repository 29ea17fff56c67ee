"""`auto`: the exact method, the method for counts, or several methods that share the limits."""

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering

from bilad.models import (
    BlackBox,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.solvers import attack
from bilad.solvers.upper import UPPER_METHODS, new_method, refusal
from bilad.solvers.upper.auto import TURNS, automatic_method

A = np.array([[0.0, 0.1], [0.2, 0.0], [0.1, 0.3], [3.0, 3.1], [3.2, 3.0], [2.9, 3.3]])
FREE = Perturbation.additive(A.shape, points=[0, 1])


def model(p):
    return ConvexClustering(A, FusionGraph.complete(6), 0.2, p)


EDGES = Perturbation.edges(model(1).graph)
BLACK_BOX = BlackBox(A, AgglomerativeClustering(2))
ALL = [name for name, _ in TURNS]


@pytest.mark.parametrize(
    ("problem", "name"),
    [
        (MaxDeviation(model(1), Perturbation.shift(A), 1.0), "exact"),
        (MaxDeviation(model(1), EDGES, 2, "count"), "hypergradient"),
        (MaxDeviation(model(1), EDGES, 2, "count", deviation="nmi"), "greedy"),
        (MaxDeviation(model(2), Perturbation.shift(A), 1.0), "auto"),
        (MinPerturbation(BLACK_BOX, FREE, 2.0), "auto"),
    ],
)
def test_the_choice_takes_the_problem_and_is_named(problem, name):
    chosen, method = automatic_method(problem, UPPER_METHODS)
    assert chosen == name
    assert refusal(method, problem) is None
    assert attack(problem, "auto", max_solves=5).method == name


@pytest.mark.parametrize(
    ("problem", "names"),
    [
        (MaxDeviation(model(1), FREE, 1.0), ["corners", "hypergradient"]),
        (MinPerturbation(model(2), FREE, 2.0), ["corners", "hypergradient"]),
        (MaxDeviation(model(2), FREE, 1.0, deviation="nmi"), ["corners", "nes"]),
        (MaxDeviation(BLACK_BOX, FREE, 4.0), ["corners", "nes"]),
    ],
)
def test_methods_that_can_be_applied_take_turns(problem, names):
    found = attack(problem, max_solves=80, closing="none")
    assert [stage.name for stage in found.stages] == [*names, "corners"]
    assert sum(stage.iterations for stage in found.stages) == found.lower_solves
    shares = [dict(TURNS)[name] for name in names]
    left = 80
    for stage, share in zip(found.stages, shares, strict=False):
        assert stage.iterations <= np.ceil(share * left)
        left -= stage.iterations
    bests = [
        problem.rank(problem.size(one.eps), one.deviation) for one in found.stages if any(one.eps)
    ]
    assert bests == sorted(bests)
    assert found.deviation == found.stages[-1].deviation


def test_an_evolution_strategy_follows_where_corner_search_ends_within_its_share():
    found = attack(MaxDeviation(model(1), FREE, 1.0), max_solves=3000, closing="none")
    assert [stage.name for stage in found.stages] == [*ALL, "corners"]
    assert found.stages[0].engine_status == "converged"


def test_corner_search_does_what_it_does_on_its_own():
    problem = MaxDeviation(model(2), FREE, 1.0)
    alone = attack(problem, "corners", seed=3, max_solves=30, closing="none")
    found = attack(problem, seed=3, max_solves=300, closing="none")
    assert found.stages[0].iterations == alone.lower_solves > 5
    for ours, theirs in zip(found.history, alone.history, strict=False):
        assert ours.eps.tolist() == theirs.eps.tolist()


def test_limits():
    problem = MaxDeviation(model(2), FREE, 1.0, deviation="nmi")
    assert attack(problem, max_solves=20, closing="none").termination == "solve limit"
    found = attack(problem, time_limit=0.3, closing="none")
    assert found.termination in ("time limit", "converged")  # few corners, few generations
    assert found.seconds < 1.0
    found = attack(problem, closing="none")
    assert [stage.name for stage in found.stages] == ["corners", "nes"]
    assert found.termination == "converged"


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), ValueError("wrong")])
def test_a_fault_in_a_turn_ends_the_search_with_what_was_found(monkeypatch, fault):
    def faulty(problem, rng):
        def run(lower, trace):
            raise fault

        return run

    problem = MaxDeviation(model(2), FREE, 3.0)
    monkeypatch.setitem(UPPER_METHODS._known, "hypergradient", new_method(faulty))
    found = attack(problem, max_solves=60, closing="none")
    interrupted = isinstance(fault, KeyboardInterrupt)
    assert found.termination == ("interrupted" if interrupted else "error: ValueError: wrong")
    assert [stage.name for stage in found.stages] == ["corners"]
    assert found.deviation == found.stages[0].deviation > 0
