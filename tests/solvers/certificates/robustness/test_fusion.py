"""What flows need of the capacities: rounded up, exactly."""

from fractions import Fraction

import numpy as np

from bilad.solvers.certificates.robustness.rule import Currents, Rule


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
