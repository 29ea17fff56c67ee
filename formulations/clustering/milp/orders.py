"""Binary variables for orders of the points, which define the cells of the MILP.

For a closed convex cone K, the relation "x_i - x_j in K" is a partial preorder of the points. The
cones

    p = 1:    K_c = {u : u_c >= 0},          which give a total preorder for each feature c,
    p = inf:  K_c = {u : u_c = ||u||_inf},   which cover the space together with the cones -K_c,

define the binary variables order[i, j, c] for "x_i - x_j in K_c". A *cell* is the set of eps for
which all orders have given values; the partition is constant on it.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.clustering.milp.difference_bounds import DifferenceBounds
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray


def separates(problem: BilevelProblem) -> bool:
    """Return whether each feature is ordered separately: p = 1, or d = 1, where p is irrelevant."""
    return clustering_of(problem).p == 1 or clustering_of(problem).d == 1


def add_orders(model: pyo.ConcreteModel, problem: BilevelProblem, bounds: DifferenceBounds) -> None:
    """Add `order[i, j, c]` and `together[i, j]`, i < j, and the constraints that relate them to x.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
        A model with the sets `points`, `features` and `signs`, and the variables `x[i, c]`.
    problem : BilevelProblem
    bounds : DifferenceBounds
        Bounds of x_i - x_j. They fix some of the orders, and are the big-M constants of the others.
    """
    _add_binaries(model, problem, bounds)
    if separates(problem):
        _add_halfspaces(model, bounds.upper)
    else:
        _add_cones(model, bounds.upper)


def _add_binaries(
    model: pyo.ConcreteModel, problem: BilevelProblem, bounds: DifferenceBounds
) -> None:
    pairs, triples = (list(permutations(model.points, size)) for size in (2, 3))
    model.ordered_pairs = pyo.Set(dimen=2, initialize=pairs)
    model.pairs = pyo.Set(dimen=2, initialize=[(i, j) for i, j in pairs if i < j])
    model.order = pyo.Var(model.ordered_pairs, model.features, domain=pyo.Binary)
    known = _known_orders(problem, bounds)
    for (i, j, c), variable in model.order.items():
        if not np.isnan(known[i, j, c]):
            variable.fix(int(known[i, j, c]))
    model.together = pyo.Var(model.pairs, bounds=(0.0, 1.0))
    model.equal = pyo.Constraint(
        model.ordered_pairs,
        model.features,
        rule=lambda m, i, j, c: together_of(m, i, j) <= m.order[i, j, c],
    )
    model.transitive = pyo.Constraint(
        pyo.Set(dimen=3, initialize=triples),
        model.features,
        rule=lambda m, i, j, k, c: m.order[i, j, c] + m.order[j, k, c] <= 1 + m.order[i, k, c],
    )


def _known_orders(problem: BilevelProblem, bounds: DifferenceBounds) -> FloatArray:
    """Return 0 or 1 where the bounds determine an order, and NaN elsewhere: shape (n, n, d)."""
    upper = bounds.upper
    lower = -upper.transpose(1, 0, 2)
    known = np.full(upper.shape, np.nan)
    if separates(problem):
        known[lower >= 0] = 1
        known[upper < 0] = 0
        return known
    most, least = np.maximum(upper, -lower), np.maximum(np.maximum(lower, -upper), 0.0)
    for c in range(upper.shape[2]):
        known[lower[:, :, c] >= np.delete(most, c, axis=2).max(axis=2), c] = 1
        known[upper[:, :, c] < np.delete(least, c, axis=2).max(axis=2), c] = 0
        known[upper[:, :, c] < 0, c] = 0
    return known


def together_of(model: pyo.ConcreteModel, i: int, j: int) -> Any:
    """Return the binary variable that is 1 if two points are together."""
    return model.together[min(i, j), max(i, j)]


def _difference(model: pyo.ConcreteModel, i: int, j: int, c: int) -> Any:
    return model.x[i, c] - model.x[j, c]


def _unless_above(model: pyo.ConcreteModel, i: int, j: int, c: int, slack: Any) -> Any:
    """Return the big-M term: 0 if order[i, j, c] = 1, else max(slack, 0)."""
    return max(float(slack), 0.0) * (1 - model.order[i, j, c])


def _add_halfspaces(model: pyo.ConcreteModel, upper: FloatArray) -> None:
    """Add the constraints of the total preorders of the features."""
    model.total = pyo.Constraint(
        model.pairs,
        model.features,
        rule=lambda m, i, j, c: m.order[i, j, c] + m.order[j, i, c] >= 1,
    )
    model.ordered = pyo.Constraint(
        model.ordered_pairs,
        model.features,
        rule=lambda m, i, j, c: (
            _difference(m, j, i, c) <= _unless_above(m, i, j, c, upper[j, i, c])
        ),
    )
    model.fused = pyo.Constraint(
        model.pairs,
        rule=lambda m, i, j: (
            m.together[i, j]
            >= 1 - pyo.quicksum(2 - m.order[i, j, c] - m.order[j, i, c] for c in m.features)
        ),
    )


def _add_cones(model: pyo.ConcreteModel, upper: FloatArray) -> None:
    """Add the constraints of the preorders of the cones, which together cover the space."""
    model.covered = pyo.Constraint(
        model.pairs,
        rule=lambda m, i, j: (
            pyo.quicksum(m.order[i, j, c] + m.order[j, i, c] for c in m.features) >= 1
        ),
    )

    def dominates(m: pyo.ConcreteModel, i: int, j: int, c: int, other: int, sign: int) -> Any:
        if other == c:
            return pyo.Constraint.Skip
        first, second = (i, j) if sign > 0 else (j, i)
        slack = upper[first, second, other] + upper[j, i, c]
        excess = _difference(m, first, second, other) - _difference(m, i, j, c)
        return excess <= _unless_above(m, i, j, c, slack)

    model.dominates = pyo.Constraint(
        model.ordered_pairs, model.features, model.features, model.signs, rule=dominates
    )
    model.fused = pyo.Constraint(
        model.pairs,
        model.features,
        rule=lambda m, i, j, c: m.together[i, j] >= m.order[i, j, c] + m.order[j, i, c] - 1,
    )
