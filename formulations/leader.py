"""The upper level in Pyomo: eps, the bound on its norm, and the perturbed parts of the model.

Every single-level reformulation contains these components, whatever replaces the lower level.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyomo.environ as pyo
import scipy.sparse as sp

from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray

HALVINGS = 7  # the polygon of a plane is contained in a disc 1 + 8e-5 times as large


def set_parameter(variable: Any, value: float) -> None:
    """Fix a variable by equal bounds, so that it remains in the model that the solver reads."""
    variable.setlb(value)
    variable.setub(value)
    variable.set_value(value)


def add_eps(model: pyo.ConcreteModel, problem: BilevelProblem) -> None:
    """Add the set `parameters`, the variables `eps[k]` in the problem's box, and `radius`."""
    model.parameters = pyo.RangeSet(0, problem.perturbation.dim - 1)
    model.eps = pyo.Var(model.parameters, initialize=0.0)
    model.radius = pyo.Var()
    set_radius(model, problem, problem.radius)


def set_radius(model: pyo.ConcreteModel, problem: BilevelProblem, radius: float) -> None:
    """Bound ||eps|| by a radius, which is at most that of the problem, and each entry with it."""
    set_parameter(model.radius, radius)
    for k, (low, high) in enumerate(zip(*problem.box, strict=True)):
        model.eps[k].setlb(max(float(low), -radius))
        model.eps[k].setub(min(float(high), radius))


def add_norm(model: pyo.ConcreteModel, problem: BilevelProblem) -> Any:
    """Bound ||eps|| by the radius; return a monotone function of ||eps|| to minimise.

    For the norm 2, or a scalar eps, the function is ||eps||_2^2 and the constraint is `ball`, which
    is omitted for a scalar eps. Otherwise see `add_polyhedral_norm`.
    """
    if problem.norm == 2 or problem.perturbation.dim == 1:
        squared = pyo.quicksum(model.eps[k] ** 2 for k in model.parameters)
        if problem.perturbation.dim > 1:
            model.ball = pyo.Constraint(expr=squared <= model.radius**2)
        return squared
    return add_polyhedral_norm(model, problem.norm, problem.radius, model.radius)


def add_polyhedral_norm(
    model: pyo.ConcreteModel, norm: float, largest: float, radius: Any = None
) -> Any:
    """Bound ||eps||_1 or ||eps||_inf by linear constraints; return an expression for the norm.

    The bound is the number `largest`, or a variable `radius` <= `largest` if one is given.

    Adds `magnitude[k]` >= |eps[k]| (constraints `above`, `below`), the constraint `ball`, and for
    the norm inf the variable `largest` >= `magnitude[k]`.
    """
    magnitude = pyo.Var(model.parameters, bounds=(0.0, largest), initialize=0.0)
    model.magnitude = magnitude
    model.above = pyo.Constraint(model.parameters, rule=lambda m, k: m.eps[k] <= magnitude[k])
    model.below = pyo.Constraint(model.parameters, rule=lambda m, k: -m.eps[k] <= magnitude[k])
    if norm == 1:
        total = pyo.quicksum(magnitude[k] for k in model.parameters)
        model.ball = pyo.Constraint(expr=total <= (largest if radius is None else radius))
        return total
    model.largest = pyo.Var(bounds=(0.0, largest), initialize=0.0)
    model.ball = pyo.Constraint(model.parameters, rule=lambda m, k: magnitude[k] <= m.largest)
    if radius is not None:
        model.largest_bounded = pyo.Constraint(expr=model.largest <= radius)
    return model.largest


def add_polyhedral_ball(model: pyo.ConcreteModel, radius: float) -> Any:
    """Add the block `round` of linear constraints; return an expression r for ||eps||_2.

    On the feasible set r >= ||eps||_2 / (1 + 8e-5)^l with l = ceil(log2(k)), and r = ||eps||_2 is
    feasible if it is at most the radius. The k entries of eps are combined in a binary tree of
    depth l by ||(a, b, c, d)|| = ||(||(a, b)||, ||(c, d)||)||. The norm of two numbers is
    approximated by that of a regular polygon, which is modelled by repeatedly halving the angle of
    the vector.

    References
    ----------
    Ben-Tal and Nemirovski, On polyhedral approximations of the second-order cone, Mathematics of
    Operations Research 26(2), 2001.
    """
    model.round = block = pyo.Block()
    block.variables = pyo.VarList(bounds=(0.0, 1.5 * radius))
    block.rows = pyo.ConstraintList()
    level: list[Any] = [model.eps[k] for k in model.parameters]
    while len(level) > 1:
        pairs = list(zip(level[::2], level[1::2], strict=False))
        level = [_length(block, *pair) for pair in pairs] + level[2 * len(pairs) :]
    return level[0]


def _length(block: Any, first: Any, second: Any) -> Any:
    """Return a variable that is at least the norm of two numbers, up to the polygon's error."""
    along, across = _magnitude(block, first), _magnitude(block, second)
    for halving in range(1, HALVINGS + 1):
        angle = np.pi / 2 ** (halving + 1)
        cosine, sine = float(np.cos(angle)), float(np.sin(angle))
        turned = block.variables.add()
        block.rows.add(turned == cosine * along + sine * across)
        along, across = turned, _magnitude(block, cosine * across - sine * along)
    block.rows.add(across <= float(np.tan(np.pi / 2 ** (HALVINGS + 1))) * along)
    return along


def _magnitude(block: Any, expression: Any) -> Any:
    """Return a variable that is at least the absolute value of an expression."""
    variable = block.variables.add()
    block.rows.add(expression <= variable)
    block.rows.add(-expression <= variable)
    return variable


def start_eps(model: pyo.ConcreteModel, eps: FloatArray) -> None:
    """Set `eps`, `magnitude` and `largest` to their values at the given eps."""
    magnitude, largest = map(model.component, ("magnitude", "largest"))
    for k, value in enumerate(eps):
        model.eps[k].set_value(float(value))
        if magnitude is not None:
            magnitude[k].set_value(abs(float(value)))
    if largest is not None:
        largest.set_value(float(np.abs(eps).max()))


def perturbed_part(
    model: pyo.ConcreteModel, problem: BilevelProblem, name: str, unit: float = 1.0
) -> Any:
    """Return `unit` times a part of the learning model, as a function of the variables eps.

    Returns
    -------
    ndarray of object
        Of the shape of the part; entries that eps does not change are numbers, the others
        Pyomo expressions.
    """
    value, scale = unit * problem.model.parts[name], unit * problem.model.scale(name).ravel()
    return affine(model, value, sp.diags_array(scale) @ problem.operator(name))


def affine(model: pyo.ConcreteModel, constant: FloatArray, rates: Any) -> Any:
    """Return constant + rates eps as a function of the variables eps.

    Parameters
    ----------
    model : pyomo.environ.ConcreteModel
    constant : ndarray
    rates : sparse array, shape (constant.size, k)

    Returns
    -------
    ndarray of object
        Of the shape of `constant`; entries as in `perturbed_part`.
    """
    changes = rates.tocoo()
    rows, columns, data = (part.tolist() for part in (changes.row, changes.col, changes.data))
    entries = np.array(constant.ravel().tolist(), dtype=object)
    for row, k, rate in zip(rows, columns, data, strict=True):
        entries[row] += rate * model.eps[k]
    return entries.reshape(constant.shape)


def perturbed_parts(model: pyo.ConcreteModel, problem: BilevelProblem) -> dict[str, Any]:
    """Return all parts of the learning model by name, as `perturbed_part` does."""
    return {name: perturbed_part(model, problem, name) for name in problem.model.parts}
