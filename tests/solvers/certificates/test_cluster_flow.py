"""What affine decision rules need of the capacities, rounded up; and the bisection on a radius."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from bilad.solvers.certificates.cluster_flow import AffineDecisionRule, largest_radius


def random_rule(rng, edges=4, pairs=3):
    """Of numbers that no sum of doubles is exact for."""
    turning, turning_growth = (rng.random((edges, pairs)) for _ in range(2))
    capacities, used, growth = 1 + 9 * rng.random(edges), rng.random(edges), rng.random(edges)
    rule = AffineDecisionRule(capacities, used, growth, turning, turning_growth)
    return rule, rng.random(pairs)


def exact_needs(rule, radius, turns, edge):
    turns = [Fraction(turn) for turn in turns]
    turning = sum(Fraction(c) * t for c, t in zip(rule.turning[edge], turns, strict=True))
    grown = sum(Fraction(c) * t for c, t in zip(rule.turning_growth[edge], turns, strict=True))
    growth = Fraction(rule.growth[edge]) + grown
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
    rule = AffineDecisionRule(np.array([4.0]), np.array([1.0]), np.array([2.0]), one, one)
    assert rule.fixed_radius == 1.5
    none, some = np.zeros(1), np.full(1, 0.5)
    below = 1 - 1e-12
    assert rule.holds(1.5 * below, none)
    assert not rule.holds(1.5 * (1 + 1e-12), none)
    assert rule.holds(1.0 * below, some)
    assert not rule.holds(1.0 * (1 + 1e-12), some)
    for capacity in (1.0, 0.5):
        assert replace(rule, capacities=np.array([capacity])).fixed_radius == 0.0


@pytest.mark.parametrize("place", [1e-12, 0.3, 1.0, 1e9])
def test_finds_the_end_from_inside(place):
    found = largest_radius(lambda radius: radius <= place, 1.0)
    assert place * (1 - 1e-8) <= found <= place


def test_keeps_to_what_is_wanted():
    assert largest_radius(lambda radius: True, 1.0, 7.0) == 7.0
    assert largest_radius(lambda radius: radius <= 3.0, 1.0, 7.0) == pytest.approx(3.0)


def test_nothing_holds():
    assert largest_radius(lambda radius: False, 1.0) == 0.0
    assert largest_radius(lambda radius: radius == 0, 1.0) == pytest.approx(0.0, abs=1e-20)
    assert np.isfinite(largest_radius(lambda radius: True, 1.0))
