"""Stationarity classes: the definition, and multipliers that are known by hand.

Two points at 0 and 4 with gamma w = 1, the second shifted by eps along a line, meet at eps = -2:
there the one pair is biactive. Minimising alpha G + beta H over eps, the constraints that tie G and
H to eps have no multiplier, so that nu_G = alpha and nu_H = beta.
"""

import numpy as np
import pyomo.environ as pyo
import pytest

from bilad.formulations.reformulations import KKT
from bilad.formulations.schedule import ScheduleStage
from bilad.models import (
    ArgumentError,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.solvers import attack, cluster, stationarity
from bilad.solvers.bilevel.scaling import Scaling
from bilad.solvers.bilevel.stationarity import IPOPT_OPTIONS, _report, kind_of
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.nlp import IpoptSession

T = 1e-8


@pytest.mark.parametrize(
    ("multipliers", "kind"),
    [
        ([], "S"),
        ([(1, 1), (0, 2)], "S"),
        ([(1, 1), (0, -2)], "M"),
        ([(-1, 0)], "M"),
        ([(1, 0), (-1, -1)], "C"),
        ([(0, -1), (-1, -1)], "C"),
        ([(1, 1), (1, -1)], "W"),
        ([(-1, -1), (1, -1)], "W"),
        ([(1, -1e-9)], "S"),
    ],
)
def test_the_class_is_that_of_the_worst_pair(multipliers, kind):
    assert kind_of(multipliers) == kind
    assert kind_of(multipliers[::-1]) == kind
    assert kind_of([(1e6 * G, 1e6 * H) for G, H in multipliers], 1e6) == kind
    swapped = kind_of([(H, G) for G, H in multipliers])
    assert swapped == kind


def two_points(d, p):
    A = np.zeros((2, d))
    A[1, 0] = 4.0
    model = ConvexClustering(A, FusionGraph.complete(2), 1.0, p)
    V = np.zeros((2, d))
    V[1, 0] = 1.0
    return MinPerturbation(model, Perturbation.shift(V), 2.0, limit=4.0)


@pytest.mark.parametrize(("d", "p"), [(1, 2), (2, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (3.0, 0.5), (0.2, 2.0)])
def test_multipliers_at_a_kink_are_the_slopes_of_the_objective(d, p, alpha, beta):
    problem = two_points(d, p)
    scaling, baseline = Scaling.of(problem), cluster(problem.model, tol=1e-12)
    formulation = KKT(scaling.problem, scaling.scale_solution(baseline), relaxation="scholtes")
    model = formulation.model
    model.goal.deactivate()
    model.target.deactivate()
    if p == 2 and d > 1:
        left = model.s[0] / formulation.unit
        right = 1 - sum(model.z[0, c] ** 2 for c in model.features)
        index, slopes = (0, 0), (alpha, beta)
    else:
        index = (0, 1)  # the second point is above: `down` and 1 + z
        pair = formulation.conditions.pairs[index]
        left, right = pair.left.expression, pair.right.expression
        slopes = (alpha, beta)
    model.kink = pyo.Objective(expr=alpha * left + beta * right)
    eps = np.array([-1.9])
    start = cluster(problem.perturbation.apply(problem.model, eps), tol=1e-12)
    formulation.start_from(scaling.scale_eps(eps), scaling.scale_solution(start))
    session = IpoptSession(model, {**IPOPT_OPTIONS, "max_iter": 1000})
    for t in (1e-2, 1e-4, 1e-6, T):
        formulation.set_stage(ScheduleStage(t, 0.1))
        result = session.solve()
    report = _report(formulation, result, scaling, T, 0.1)
    assert report.engine_status == "optimal"
    assert report.eps == pytest.approx([-2.0], abs=1e-2)
    assert index in report.biactive
    assert report.multipliers[index] == pytest.approx(slopes, abs=2e-2)
    assert report.kind == "S"


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_an_attack_is_classified_near_where_it_is(p):
    rng = np.random.default_rng(3)
    A = 0.5 * rng.normal(size=(8, 2)) + 2.0 * (np.arange(8) % 2)[:, None]
    model = ConvexClustering(A, FusionGraph.complete(8), 0.12, p)
    problem = MaxDeviation(model, Perturbation.additive(A.shape, points=[0], features=[0]), 2.0)
    report = stationarity(attack(problem, "corners"))
    assert report.kind in "SMCW"
    assert report.engine_status == "optimal"
    assert report.violation <= 1e-7
    assert problem.size(report.eps) <= 2.0
    pairs = {1: 4, 2: 1, np.inf: 5}[p]
    assert len(report.multipliers) == pairs * model.graph.m


def test_what_is_no_attack_is_refused():
    with pytest.raises(ArgumentError, match="found"):
        stationarity("kkt")


def test_a_deviation_that_is_not_smoothed_is_refused():
    A = np.array([[0.0], [1.0], [5.0]])
    model = ConvexClustering(A, FusionGraph.complete(3), 0.1)
    problem = MaxDeviation(model, Perturbation.additive(A.shape), 1.0, deviation="nmi")
    with pytest.raises(UnsupportedError, match="no smooth form"):
        stationarity(attack(problem, "random", corners=5))
