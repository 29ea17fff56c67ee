"""The upper level in Pyomo: eps, its norm ball, and what it does to the data and the weights.

Every reformulation begins with these parts, whatever becomes of the lower level.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp

from bilad.models.clustering_problem import clustering_of, edge_operator
from bilad.models.bilevel import BilevelProblem
from bilad.models.validation import FloatArray


def add_eps(model: pyo.ConcreteModel, problem: BilevelProblem) -> None:
    """Add `parameters`, the variables `eps[k]` and their bounds: the box, and the radius."""
    low, high = problem.box
    model.parameters = pyo.RangeSet(0, problem.perturbation.dim - 1)
    model.eps = pyo.Var(
        model.parameters, initialize=0.0, bounds=lambda _, k: (float(low[k]), float(high[k]))
    )


def add_norm(model: pyo.ConcreteModel, problem: BilevelProblem) -> Any:
    """Bound ||eps|| by the radius; return an expression to minimise, monotone in ||eps||.

    Adds `ball` and, where a norm needs them, `magnitude[k]` >= |eps[k]| (`above`, `below`) and
    `largest` >= every magnitude.
    """
    a = problem.radius
    if problem.norm == 2 or problem.perturbation.dim == 1:
        squared = pyo.quicksum(model.eps[k] ** 2 for k in model.parameters)
        if problem.perturbation.dim > 1:
            model.ball = pyo.Constraint(expr=squared <= a**2)
        return squared
    return add_polyhedral_norm(model, problem.norm, a)


def add_polyhedral_norm(model: pyo.ConcreteModel, norm: float, radius: float) -> Any:
    """Bound ||eps||_norm, norm 1 or inf, by linear constraints; return the norm."""
    magnitude = pyo.Var(model.parameters, bounds=(0.0, radius), initialize=0.0)
    model.magnitude = magnitude
    model.above = pyo.Constraint(model.parameters, rule=lambda m, k: m.eps[k] <= magnitude[k])
    model.below = pyo.Constraint(model.parameters, rule=lambda m, k: -m.eps[k] <= magnitude[k])
    if norm == 1:
        total = pyo.quicksum(magnitude[k] for k in model.parameters)
        model.ball = pyo.Constraint(expr=total <= radius)
        return total
    model.largest = pyo.Var(bounds=(0.0, radius), initialize=0.0)
    model.ball = pyo.Constraint(model.parameters, rule=lambda m, k: magnitude[k] <= m.largest)
    return model.largest


def start_eps(model: pyo.ConcreteModel, eps: FloatArray) -> None:
    """Give `eps`, `magnitude` and `largest` the values of one eps."""
    magnitude, largest = map(model.component, ("magnitude", "largest"))
    for k, value in enumerate(eps):
        model.eps[k].set_value(float(value))
        if magnitude is not None:
            magnitude[k].set_value(abs(float(value)))
    if largest is not None:
        largest.set_value(float(np.abs(eps).max()))


def perturbed_data(model: pyo.ConcreteModel, problem: BilevelProblem) -> dict[tuple[int, int], Any]:
    """Return A(eps) = A + T eps, entry by entry: a number where no eps acts."""
    data = clustering_of(problem).data
    entries: dict[tuple[int, int], Any] = {index: float(a) for index, a in np.ndenumerate(data)}
    for row, k, value in _entries(problem.operator("data")):
        entries[divmod(row, data.shape[1])] += value * model.eps[k]
    return entries


def perturbed_radii(model: pyo.ConcreteModel, problem: BilevelProblem) -> list[Any]:
    """Return r_e(eps) = gamma w_e (1 - (S eps)_e), edge by edge: a number where no eps acts."""
    radii: list[Any] = [float(r) for r in clustering_of(problem).radii]
    for e, k, value in _entries(edge_operator(problem)):
        radii[e] -= float(clustering_of(problem).radii[e]) * value * model.eps[k]
    return radii


def reach(problem: BilevelProblem) -> float:
    """Return a bound on ||A(eps) - A||_F within the radius."""
    T = problem.operator("data")
    columns = sp.linalg.norm(T, axis=0) if T.shape[1] else np.zeros(1)
    if problem.norm == 1:
        return problem.radius * float(columns.max())
    gram = (T.T @ T).tocoo()
    if problem.norm == 2:
        # By Gershgorin; exact where each entry of the data follows one eps only.
        rows = np.bincount(gram.row, np.abs(gram.data), minlength=T.shape[1])
        return problem.radius * float(np.sqrt(rows.max(initial=0.0)))
    return problem.radius * float(np.sqrt(np.abs(gram.data).sum()))


def hull(problem: BilevelProblem) -> tuple[FloatArray, FloatArray]:
    """Return the box, (d,) and (d,), that holds A(eps), and so X*(eps), for every eps allowed.

    Clipping X to the box lengthens no edge and brings every point nearer to its data: the
    solution, which is unique, lies inside.
    """
    low, high = problem.box
    T, data = problem.operator("data"), clustering_of(problem).data
    positive, negative = T.maximum(0.0), T.minimum(0.0)
    most = data + np.asarray(positive @ high + negative @ low).reshape(data.shape)
    least = data + np.asarray(positive @ low + negative @ high).reshape(data.shape)
    return least.min(axis=0), most.max(axis=0)


def _entries(operator: sp.csr_array) -> Any:
    """Iterate over the entries of a sparse matrix as (row, column, value)."""
    found = operator.tocoo()
    return zip(found.row.tolist(), found.col.tolist(), found.data.tolist(), strict=True)
