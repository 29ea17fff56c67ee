"""What affine decision rules need of the capacities, rounded up; and the bisection on a radius."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from bilad.models import FusionGraph
from bilad.solvers.certificates.cluster_flow import (
    AffineDecisionRule,
    ClusterFlow,
    largest_radius,
)
from bilad.solvers.certificates.norm_ball import NormBall


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


def some_flow(rng, norm=2, n=4, d=1, k=2, by_program=False):
    """A complete graph with unequal capacities, and two pairs of blocks that act on its points."""
    m = n * (n - 1) // 2
    return ClusterFlow(
        ball=NormBall(norm),
        q=2,
        incidence=FusionGraph.complete(n).incidence,
        capacities=rng.uniform(1, 3, m),
        loss=0.1 * rng.random(m),
        supply=rng.normal(size=(n, d)),
        supply_map=rng.normal(size=(n, d, k)),
        supply_error=1e-3 * rng.random(n),
        forces=rng.normal(size=(n, 2)),
        lost_forces=rng.random((n, 2)),
        pairs=np.array([2, 0]),
        rounding=0.0,
        terms=30,
        by_program=by_program,
    )


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_what_a_rule_needs_on_a_line(norm):
    """With one feature, eps, errors and forces add up on each edge with the worst of signs."""
    flow = some_flow(np.random.default_rng(3), norm)
    Y, unrouted = flow._currents(flow.capacities)
    assert unrouted.max() < 1e-10
    rule, radius, turns = flow._rule(Y, unrouted), 0.7, np.array([0.2, 0.5])
    dual = {1: np.inf, 2: 2, np.inf: 1}[norm]
    centred = flow.supply[:, 0] - flow.supply[:, 0].mean()
    exact = np.abs(Y @ centred) + np.abs(Y @ flow.forces) @ turns + radius * flow.loss
    exact += radius * np.linalg.norm(Y @ flow.supply_map[:, 0], dual, axis=1)
    exact += radius * np.abs(Y) @ (flow.supply_error + flow.lost_forces @ turns)
    needs = rule.needs(radius, turns)
    assert (exact * (1 - 1e-14) <= needs).all()
    assert (needs <= exact * (1 + 1e-10) + radius * flow.supply_error.sum()).all()


@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_no_scenario_in_the_plane_needs_more(norm):
    rng = np.random.default_rng(4)
    flow = some_flow(rng, norm, d=2, k=3)
    Y, unrouted = flow._currents(flow.capacities)
    radius, turns = 0.4, np.array([0.3, 0.6])
    needs, most = flow._rule(Y, unrouted).needs(radius, turns), np.zeros(len(Y))
    for eps in np.vstack([np.eye(3), rng.choice([-1.0, 1.0], (20, 3)), rng.normal(size=(99, 3))]):
        eps = eps * (radius / np.linalg.norm(eps, norm))
        zeta, errors = rng.normal(size=(2, 2)), rng.normal(size=(4, 2))
        zeta *= (turns / np.linalg.norm(zeta, axis=1))[:, None]
        errors *= (radius * flow.supply_error / np.linalg.norm(errors, axis=1))[:, None]
        lost = radius * flow.lost_forces * rng.choice([-1.0, 1.0], (4, 2))
        supply = flow.supply + flow.supply_map @ eps + errors + (flow.forces + lost) @ zeta
        z = Y @ supply
        np.testing.assert_allclose(flow.incidence.T @ z, supply - supply.mean(axis=0), atol=1e-12)
        most = np.maximum(most, np.linalg.norm(z, axis=1) + radius * flow.loss)
    assert (most <= needs).all()
    assert (needs <= 2.5 * most).all()


def test_currents_are_the_flows_of_least_energy():
    flow = some_flow(np.random.default_rng(5))
    conductance = np.random.default_rng(6).uniform(0.1, 1, 6)
    root = np.sqrt(conductance)[:, None]
    Y, unrouted = flow._currents(conductance)
    B = flow.incidence.toarray()
    np.testing.assert_allclose(Y, root * np.linalg.pinv((root * B).T), atol=1e-12)
    assert (unrouted >= np.abs(np.eye(4) - 0.25 - B.T @ Y).sum(axis=0)).all()


def test_what_a_flow_leaves_over_is_sent_along_a_tree():
    """Each edge may carry half of it, and half of two roundings of each point."""
    flow = some_flow(np.random.default_rng(7), d=2)
    z = np.random.default_rng(8).normal(size=(6, 2))
    missing = flow.supply - flow.supply.mean(axis=0) - flow.incidence.T @ z
    expected = np.linalg.norm(z, axis=1) + np.linalg.norm(missing, axis=1).sum() / 2
    np.testing.assert_allclose(flow._used(z), expected, rtol=1e-11)
    assert (flow._used(z) > expected * (1 - 1e-15)).all()
    rounded = replace(flow, rounding=0.25)._used(z)
    np.testing.assert_allclose(rounded, expected + 4 * 0.25, rtol=1e-11)
    rule = flow._rule(np.zeros((6, 4)), np.ones(4))  # nothing is routed
    assert (rule.growth - flow.loss >= flow.ball.operator_norms(flow.supply_map).sum() / 2).all()
    assert (rule.turning >= np.abs(flow.forces - flow.forces.mean(axis=0)).sum(axis=0) / 2).all()
    assert (rule.turning_growth >= flow.lost_forces.sum(axis=0) * (0.5 - 1e-15)).all()


def one_edge(**changes):
    """Supplies 1 and -1 that grow with eps, an edge of capacity 4, and a pair with force 1 / 2."""
    flow = ClusterFlow(
        ball=NormBall(2),
        q=2,
        incidence=FusionGraph.complete(2).incidence,
        capacities=np.array([4.0]),
        loss=np.array([0.5]),
        supply=np.array([[1.0], [-1.0]]),
        supply_map=np.array([[[1.0]], [[0.0]]]),
        supply_error=np.zeros(2),
        forces=np.array([[1.0], [0.0]]),
        lost_forces=np.zeros((2, 1)),
        pairs=np.array([1]),
        rounding=0.0,
        terms=20,
        by_program=False,
    )
    return replace(flow, **changes)


@pytest.mark.parametrize("by_program", [False, True])
def test_one_edge_in_closed_form(by_program):
    """It needs 1 + radius / 2 + turn / 2, and loses radius / 2."""
    flow = one_edge(by_program=by_program)
    for turn, radius in ((0.0, 3.0), (2.0, 2.0), (6.0, 0.0)):
        turns = np.array([np.nan, turn])
        assert flow.radius(lambda _, turns=turns: turns, 9.0) == pytest.approx(radius, abs=1e-6)
    assert flow.radius(lambda radius: np.array([9.0, radius]), 9.0) == pytest.approx(2.0, rel=1e-6)
    assert flow.radius(lambda _: np.zeros(2), 1.5) == 1.5
    assert flow.radius(lambda _: np.array([0.0, 7.0]), 1.5) == 0.0
    assert flow.overload(2.0 * (1 - 1e-9), np.array([9.0, 2.0])) is None
    assert flow.overload(2.0 * (1 + 1e-9), np.array([9.0, 2.0])) == pytest.approx(0, abs=1e-8)
    assert flow.overload(6.0, np.array([9.0, 2.0])) == pytest.approx(1.0, rel=1e-9)


def test_supplies_that_do_not_depend_on_eps():
    still = {"supply_map": np.zeros((2, 1, 1)), "loss": np.zeros(1), "forces": np.zeros((2, 1))}
    assert one_edge(**still).radius(lambda _: np.zeros(2), np.inf) == np.inf
    full = one_edge(**still, capacities=np.array([0.5]))
    assert full.radius(lambda _: np.zeros(2), np.inf) == 0.0
    loose = one_edge(incidence=FusionGraph(3, [[0, 1]], [1.0]).incidence, supply=np.zeros((3, 1)))
    assert loose.radius(lambda _: np.zeros(2), 1.0) == 0.0
    np.testing.assert_array_equal(loose.overload(0.0, np.zeros(2)), [np.inf])


@pytest.mark.parametrize(("by_program", "share"), [(False, 0.85), (True, 0.9)])
def test_the_radius_is_near_that_of_the_best_flows(by_program, share):
    """With one eps the best flows at both ends of the radius solve a linear program."""
    for seed in range(6):
        flow = some_flow(np.random.default_rng(seed), n=5, k=1, by_program=by_program)
        none = {"forces": np.zeros((5, 2)), "lost_forces": np.zeros((5, 2)), "loss": np.zeros(10)}
        flow = replace(flow, **none, supply_error=np.zeros(5), supply=0.5 * flow.supply)
        B, c = flow.incidence.T.toarray(), flow.capacities
        base, slope = (v - v.mean() for v in (flow.supply[:, 0], flow.supply_map[:, 0, 0]))
        rows = [np.c_[B, 0 * B, -slope], np.c_[0 * B, B, slope]]
        ends = [*[(-w, w) for w in c], *[(-w, w) for w in c], (0, None)]
        best = linprog(-np.eye(21)[20], A_eq=np.vstack(rows), b_eq=np.r_[base, base], bounds=ends)
        radius = flow.radius(lambda _: np.zeros(3), np.inf)
        assert share * -best.fun <= radius <= -best.fun * (1 + 1e-9)
        assert flow.overload(share * radius, np.zeros(3)) is None
