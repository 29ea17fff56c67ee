"""A bilevel problem with a known optimum: the largest distance between X(eps) and X(0).

X*(eps) is a nonexpansive function of the data, and a translation of all points translates X by the
same vector. If eps perturbs all entries of the data, a is therefore the optimal value of

    max ||X(eps) - X(0)||_F   s.t.   ||eps||_F <= a.
"""

import numpy as np
import pyomo.environ as pyo
import pytest

from bilad.formulations.reformulations import KKT
from bilad.formulations.schedule import Schedule
from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import cluster
from bilad.solvers.nlp import IpoptSession

SCHEDULE = Schedule.of((1e-1, 1e-2, 1e-4, 1e-6, 1e-8), (1,) * 5)
STARTS = 3


def farthest(problem, baseline, start_eps):
    """Solve from one start; return IPOPT's value of ||X - X(0)||_F, and the eps found."""
    built = KKT(problem, baseline, relaxation="scholtes")
    pyomo_model = built.model
    pyomo_model.goal.deactivate()
    pyomo_model.moved = pyo.Objective(
        expr=sum((pyomo_model.x[i] - float(v)) ** 2 for i, v in np.ndenumerate(baseline.X)),
        sense=pyo.maximize,
    )
    start = cluster(problem.perturbation.apply(problem.model, start_eps), tol=1e-10)
    built.start_from(start_eps, start)
    session = IpoptSession(pyomo_model, {"tol": 1e-9, "max_iter": 500})
    for stage in SCHEDULE.stages:
        built.set_stage(stage)
        session.solve()
    return np.sqrt(pyo.value(pyomo_model.moved)), built.eps()


@pytest.mark.parametrize(
    ("kind", "n", "budget"),
    [
        ("complete", 6, 0.3),
        ("knn", 6, 2.0),
        pytest.param("knn", 10, 0.3, marks=pytest.mark.slow),
        pytest.param("complete", 10, 2.0, marks=pytest.mark.slow),
    ],
)
def test_farthest_solution_is_a_translation(kind, n, budget):
    """The problem is nonconvex and IPOPT is a local solver: the best of a few starts is optimal."""
    rng = np.random.default_rng(n)
    A = rng.normal(size=(n, 2))
    graph = FusionGraph.complete(n) if kind == "complete" else FusionGraph.knn(A, k=3)
    model = ConvexClustering(A, graph, 1.5 / n if kind == "complete" else 0.25)
    problem = MaxDeviation(model, Perturbation.additive(A.shape), budget)
    baseline = cluster(model, tol=1e-12)
    assert 1 < baseline.n_clusters < n

    reached = []
    for _ in range(STARTS):
        eps = 0.05 * budget * rng.normal(size=problem.perturbation.dim)
        claimed, found = farthest(problem, baseline, eps)
        assert np.linalg.norm(found) <= budget
        truth = cluster(problem.perturbation.apply(model, found), tol=1e-12)
        moved = np.linalg.norm(truth.X - baseline.X)
        assert moved <= budget + 1e-6  # nonexpansive; gaps of 1e-12
        reached.append((moved, claimed))
        if moved > budget - 1e-5:
            break
    assert max(reached) == pytest.approx((budget, budget), abs=1e-4)
