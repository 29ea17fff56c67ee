"""Dual variables and stationarity in the MILP.

With r = gamma w(eps), the optimality conditions on a cell are linear in (eps, x, z). They are
stationarity and, for each edge (i, j), the conditions on its dual variable z:

    x - A(eps) + B'z = 0,
    p = 1:    |z_c| <= r,  and z_c = r if x_ic > x_jc;
    p = inf:  z = forward - backward with forward, backward >= 0;
              sum_c (forward_c + backward_c) <= r,  with equality if i and j are apart;
              forward_c > 0 only if order[i, j, c],  backward_c > 0 only if order[j, i, c].

The duals are not scaled by r, so that stationarity is linear also if the weights are perturbed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.clustering.milp.orders import separates
from bilad.formulations.leader import perturbed_part
from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray


def add_duals(model: pyo.ConcreteModel, problem: BilevelProblem, most: FloatArray) -> None:
    """Add `z[e, c]` (for p = inf `forward[e, c] - backward[e, c]`) and the stationarity condition.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
        A model with `eps`, `x`, `order`, `together`, and the set `edges` of the edges with
        positive radius.
    problem : BilevelProblem
    most : ndarray, shape (m,)
        The largest radius of each edge over all admissible eps.
    """
    add = _add_feature_duals if separates(problem) else _add_joint_duals
    add(model, problem, most.tolist())
    _add_stationarity(model, problem)


def _add_feature_duals(
    model: pyo.ConcreteModel, problem: BilevelProblem, most: list[float]
) -> None:
    """Add z[e, c] for p = 1, with |z| = r where one end point is strictly above the other."""
    radii = perturbed_part(model, problem, "weights", clustering_of(problem).gamma)
    model.z = pyo.Var(model.edges, model.features, bounds=lambda _, e, c: (-most[e], most[e]))

    def saturated(m: pyo.ConcreteModel, e: int, c: int, sign: int) -> Any:
        i, j = ends(problem, e)
        below = m.order[j, i, c] if sign > 0 else m.order[i, j, c]
        return sign * m.z[e, c] >= radii[e] - 2 * most[e] * below

    model.saturated = pyo.Constraint(model.edges, model.features, model.signs, rule=saturated)
    model.capacity = pyo.Constraint(
        _perturbed_edges(model, problem),
        model.features,
        model.signs,
        rule=lambda m, e, c, sign: sign * m.z[e, c] <= radii[e],
    )


def _add_joint_duals(model: pyo.ConcreteModel, problem: BilevelProblem, most: list[float]) -> None:
    """Add both parts of z[e, c] for p = inf, restricted to the features that the orders allow."""
    radii = perturbed_part(model, problem, "weights", clustering_of(problem).gamma)

    def part() -> Any:
        return pyo.Var(model.edges, model.features, bounds=lambda _, e, c: (0.0, most[e]))

    model.forward, model.backward = part(), part()

    def allowed(m: pyo.ConcreteModel, e: int, c: int, sign: int) -> Any:
        i, j = ends(problem, e)
        if sign > 0:
            return m.forward[e, c] <= most[e] * m.order[i, j, c]
        return m.backward[e, c] <= most[e] * m.order[j, i, c]

    model.allowed = pyo.Constraint(model.edges, model.features, model.signs, rule=allowed)
    model.length = pyo.Expression(
        model.edges,
        rule=lambda m, e: pyo.quicksum(m.forward[e, c] + m.backward[e, c] for c in m.features),
    )
    model.capacity = pyo.Constraint(model.edges, rule=lambda m, e: m.length[e] <= radii[e])
    model.saturated = pyo.Constraint(
        model.edges,
        rule=lambda m, e: m.length[e] >= radii[e] - most[e] * m.together[ends(problem, e)],
    )
    model.z = pyo.Expression(
        model.edges, model.features, rule=lambda m, e, c: m.forward[e, c] - m.backward[e, c]
    )


def ends(problem: BilevelProblem, e: int) -> tuple[int, int]:
    """Return the end points of an edge."""
    i, j = clustering_of(problem).graph.edges[e]
    return int(i), int(j)


def _perturbed_edges(model: pyo.ConcreteModel, problem: BilevelProblem) -> Any:
    changes = np.diff(edge_operator(problem).indptr) > 0
    return pyo.Set(initialize=[e for e in model.edges if changes[e]])


def _add_stationarity(model: pyo.ConcreteModel, problem: BilevelProblem) -> None:
    data = perturbed_part(model, problem, "data")
    outward: list[list[tuple[int, int]]] = [[] for _ in model.points]
    for e in model.edges:
        i, j = ends(problem, e)
        outward[i].append((e, 1))
        outward[j].append((e, -1))
    model.stationary = pyo.Constraint(
        model.points,
        model.features,
        rule=lambda m, i, c: (
            m.x[i, c] + pyo.quicksum(sign * m.z[e, c] for e, sign in outward[i]) == data[i, c]
        ),
    )
