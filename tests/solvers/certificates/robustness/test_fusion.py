"""What flows need of the capacities, and leave of them: rounded against the claim, exactly."""

from fractions import Fraction

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import cluster
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.fusion import FusedBlock
from bilad.solvers.certificates.robustness.rule import Currents, Rule
from bilad.solvers.certificates.robustness.structure import Structure


def random_rule(rng, edges=4, pairs=3):
    """Of numbers that no sum of doubles is exact for."""
    parts = (rng.random((edges, size)) for size in (5, pairs, pairs))
    Y, turning, turning_growth = parts
    currents = Currents(Y, rng.random(edges), turning, turning_growth)
    return Rule(1 + 9 * rng.random(edges), rng.random(edges), currents), rng.random(pairs)


def exact_needs(rule, radius, turns, edge):
    currents, turns = rule.currents, [Fraction(turn) for turn in turns]
    turning = sum(Fraction(c) * t for c, t in zip(currents.turning[edge], turns, strict=True))
    grown = sum(Fraction(c) * t for c, t in zip(currents.turning_growth[edge], turns, strict=True))
    growth = Fraction(currents.growth[edge]) + grown
    return Fraction(rule.used[edge]) + turning + Fraction(radius) * growth


def test_needs_are_rounded_up():
    rng = np.random.default_rng(0)
    for _ in range(100):
        rule, turns = random_rule(rng)
        radius = rng.random()
        for edge, need in enumerate(rule.needs(radius, turns)):
            exact = exact_needs(rule, radius, turns, edge)
            assert exact <= Fraction(need) <= exact * (1 + Fraction(1, 10**12))


def test_a_rule_holds_up_to_its_capacities():
    """Dyadic numbers: one edge of capacity 4, that needs 1 + 2 radius + turn (1 + radius)."""
    one = np.ones((1, 1))
    rule = Rule(np.array([4.0]), np.array([1.0]), Currents(one, np.array([2.0]), one, one))
    assert rule.least_radius == 1.5
    none, some = np.zeros(1), np.full(1, 0.5)
    below = 1 - 1e-12
    assert rule.holds(1.5 * below, none)
    assert not rule.holds(1.5 * (1 + 1e-12), none)
    assert rule.holds(1.0 * below, some)
    assert not rule.holds(1.0 * (1 + 1e-12), some)
    full = Rule(np.array([1.0]), np.array([1.0]), rule.currents)
    assert full.least_radius == 0.0
    over = Rule(np.array([0.5]), np.array([1.0]), rule.currents)
    assert over.least_radius == 0.0


def block(A, graph, gamma):
    model = ConvexClustering(A, graph, gamma)
    found = cluster(model, tol=1e-12, refine=True)
    assert found.n_clusters == 1
    structure = Structure.of(model, found.labels, found.X, found.Z)
    problem = MaxDeviation(model, Perturbation.additive(model.data.shape), 1.0)
    return FusedBlock(structure, Drift.of(problem, structure), 0), np.zeros(len(structure.pairs))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_is_needed_and_what_is_left_fit_in_the_capacities(share):
    """Exactly; and no more than roundings are lost."""
    rng = np.random.default_rng(0)
    fused, turns = block(rng.normal(size=(6, 2)), FusionGraph.complete(6), 1.0)
    most, rule = fused.held(lambda _: turns, 10.0)
    radius = share * most
    left = fused.room(rule, radius, turns)
    assert (left > 0).any()
    for edge, room in enumerate(left):
        free = Fraction(fused.radii[edge]) - exact_needs(rule, radius, turns, edge)
        assert Fraction(room) <= max(free, 0)
        assert room == pytest.approx(float(free), abs=1e-13)


def test_the_flow_of_a_path_needs_that_part_of_the_room():
    """Of a path of four the flow from a point to all, each a quarter, is the only one."""
    fused, _ = block(
        [[0.0], [0.1], [0.2], [0.3]], FusionGraph(4, [[0, 1], [1, 2], [2, 3]], np.ones(3)), 1.0
    )
    room = np.array([0.5, 0.25, 1.0])
    flows = np.array([[3, 2, 1], [1, 2, 1], [1, 2, 1], [1, 2, 3]]) / 4
    expected = (flows / room).max(axis=1)
    found = fused.looseness(room)
    assert (found >= expected).all()
    assert found == pytest.approx(expected, rel=1e-9)
