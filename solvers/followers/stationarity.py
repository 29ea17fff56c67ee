"""Stationarity of a point of a mathematical program with complementarity constraints (MPCC).

    min F(z)   s.t.   g(z) >= 0,   h(z) = 0,   0 <= G_i(z) _|_ H_i(z) >= 0

Let nu_G, nu_H be the multipliers of the sides that vanish, in
grad F = sum lambda grad g + sum mu grad h + sum nu_G grad G + sum nu_H grad H with lambda >= 0. A
pair is biactive if both sides vanish. The point is S-stationary if there are multipliers with
nu_G, nu_H >= 0 on all biactive pairs; M-stationary with this or nu_G nu_H = 0; C-stationary with
nu_G nu_H >= 0; W-stationary without a condition. It is B-stationary if no direction of the
linearised feasible set descends. The multipliers of M and C, and the direction, are sought by
linear programs with complementarity constraints, which are solved by branching.

References
----------
Scheel and Scholtes, Math. Oper. Res. 25 (2000). Nurkanovic and Leyffer, arXiv 2501.13835 (2025).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pyomo.mpec as pyo_mpec
import scipy.sparse as sp
from pyomo.common.collections import ComponentMap, ComponentSet
from pyomo.core.base.block import BlockData
from pyomo.core.expr import identify_variables
from pyomo.core.expr.calculus.diff_with_pyomo import DifferentiationException

from bilad.formulations.bilevel_model import BilevelProgram, KktModel, is_follower
from bilad.formulations.follower import ModelError, rows_of
from bilad.models.representation import Represented
from bilad.models.validation import ArgumentError, FloatArray, real_number, whole_number
from bilad.solvers.followers.branching import Branching, sides_of
from bilad.solvers.followers.convex_program import ConvexProgram
from bilad.solvers.followers.lower_problem import LowerProblem, gradient, value_of

DESCENT = 1e-7  # relative; a direction with a smaller slope does not descend
BALANCE = 1e-5  # relative residual up to which multipliers satisfy stationarity
RANK = 1e-9  # relative; singular values below it count as 0
PARALLEL = 1e-12  # two gradients whose unit vectors differ by less are equal
KINDS = ("S", "M", "C", "W")


@dataclass(frozen=True, eq=False, repr=False)
class MpccStationarity(Represented):
    """The stationarity of a point.

    Attributes
    ----------
    kind : {"S", "M", "C", "W", "none", "unknown"}
        "none" if the point is not feasible or no multipliers exist; "unknown" if the limit on nodes
        was reached.
    b_stationary : bool or None
        Whether the linearised problem has no descent direction; None if the point is not feasible,
        or the limit on nodes was reached.
    direction : mapping of Pyomo variable data to float
        The direction of steepest descent in the maximum norm; empty if there is none.
    slope : float
        The derivative of the minimised objective along it.
    licq : bool or None
        Whether MPCC-LICQ holds: the gradients of all constraints and sides that are active are
        linearly independent, where a constraint that is written twice counts once.
    dependent : tuple of str
        The names of constraints with linearly dependent gradients, whose multipliers are unbounded;
        empty if MPCC-LICQ holds.
    biactive : tuple of str
        The names of the biactive pairs.
    multipliers : mapping of str to (float, float)
        nu_G and nu_H of every pair, for the kind; 0 for a side that does not vanish.
    largest : tuple of (str, float) or None
        The constraint with the largest multiplier in absolute value.
    violation : float
        The largest violation of a constraint, or min(G, H) of a pair.
    """

    kind: str
    b_stationary: bool | None
    direction: Mapping[Any, float] = field(repr=False)
    slope: float
    licq: bool | None
    dependent: tuple[str, ...]
    biactive: tuple[str, ...]
    multipliers: Mapping[str, tuple[float, float]] = field(repr=False)
    largest: tuple[str, float] | None
    violation: float


def mpcc_stationarity(model: Any, tol: float = 1e-6, node_limit: int = 10_000) -> MpccStationarity:
    """Classify the current point of a model with complementarity constraints.

    Parameters
    ----------
    model : Pyomo model or KktModel
        A model with `pyomo.mpec` complementarities; a bilevel model with followers, which are
        replaced by their KKT conditions, with multipliers of their own solutions; or a KktModel.
        The values of the variables are the point. The model is not changed.
    tol : float, default 1e-6
        A constraint or a side with a value up to it is active, and a violation up to it accepted.
    node_limit : int, default 10000
        Largest number of nodes of each search.

    Raises
    ------
    ArgumentError
        If an argument is wrong, the model has no complementarity or not exactly one active
        objective, a variable has no value, or a function has no derivative at the point.
    """
    real_number(tol, "tol", above=0.0)
    whole_number(node_limit, "node_limit", least=1)
    point = _point(_written(model), tol)
    if not point.violation <= tol:
        return _not_feasible(point)
    return _classify(point, node_limit)


def _point(mpcc: _Mpcc, tol: float) -> _Point:
    try:
        return _Point(mpcc, tol)
    except (ArithmeticError, ValueError, DifferentiationException) as error:
        given = f"a point at which it has no derivatives ({error})"
        raise ModelError("model", given, "differentiable functions") from error


@dataclass(frozen=True)
class _Pair:
    name: str
    G: Any
    H: Any


@dataclass(frozen=True)
class _Row:
    """A constraint body >= 0, or body = 0."""

    name: str
    body: Any
    is_equation: bool


@dataclass(frozen=True)
class _Mpcc:
    """An MPCC in expressions; `original` maps its variables to those of the user's model."""

    objective: Any
    rows: list[_Row]
    pairs: list[_Pair]
    variables: list[Any]
    original: ComponentMap


def _written(model: Any) -> _Mpcc:
    """Read the MPCC of any accepted model."""
    if isinstance(model, KktModel):
        return _of_kkt(model, model.program.variables)
    if not isinstance(model, BlockData):
        raise ArgumentError("model", type(model).__name__, "a Pyomo model or a KktModel")
    if not any(is_follower(block) for block in model.block_data_objects(active=True)):
        return _of_mpec(model)
    single = KktModel(model, None)
    for i, follower in enumerate(single.program.followers):
        answer = LowerProblem(follower, single.model).solve()
        if answer.status == "optimal":
            single.start(i, [v.value for v in follower.variables], answer.multipliers)
    return _of_kkt(single, BilevelProgram(model).variables)


def _of_kkt(single: KktModel, originals: list[Any]) -> _Mpcc:
    relaxed = single.block.component("relaxed")
    active = single.model.component_data_objects(pyo.Constraint, active=True)
    constraints = [row for row in active if row.parent_component() is not relaxed]
    pairs = []
    for (i, j), pair in single.pairs.items():
        left, right = sides_of(pair)
        name = str(single.program.followers[i].rows[j].component.name)
        pairs.append(_Pair(name, left.expression, right.expression))
    names = ComponentMap()
    for i, system in enumerate(single.systems):
        part = single.block.follower[i]
        for j, row in part.slack_row.items():
            names[row] = system.program.rows[j].component.name
        for k, row in part.stationarity.items():
            names[row] = f"stationarity of {system.program.variables[k].name}"
    known = ComponentMap(zip(single.program.variables, originals, strict=True))
    goal = single.program.sign * single.program.objective.expr
    return _mpcc(goal, constraints, pairs, known, names)


def _of_mpec(model: Any) -> _Mpcc:
    clone = model.clone()
    conditions = list(clone.component_data_objects(pyo_mpec.Complementarity, active=True))
    if not conditions:
        expected = "complementarities of pyomo.mpec, or a Follower"
        raise ModelError("model", f"{model.name!r} without complementarity", expected)
    objectives = list(clone.component_data_objects(pyo.Objective, active=True))
    if len(objectives) != 1:
        raise ModelError("model", f"{len(objectives)} active objectives", "exactly one")
    variables, originals = (
        list(ComponentSet(one.component_data_objects(pyo.Var))) for one in (clone, model)
    )
    constraints = list(clone.component_data_objects(pyo.Constraint, active=True))
    pairs: list[_Pair] = []
    for condition in conditions:
        pairs += _sides_of_condition(condition, constraints)
    sign = 1 if objectives[0].sense == pyo.minimize else -1
    known = ComponentMap(zip(variables, originals, strict=True))
    return _mpcc(sign * objectives[0].expr, constraints, pairs, known, ComponentMap())


def _sides_of_condition(condition: Any, constraints: list[Any]) -> list[_Pair]:
    """Return the pairs of a condition of pyomo.mpec; an equation is added to the constraints."""
    name = str(condition.name)
    try:
        condition.to_standard_form()
    except RuntimeError as error:
        expected = "0 <= G _|_ H >= 0, low <= G <= high _|_ H, or G = 0"
        raise ModelError("model", f"{name!r} ({error})", expected) from error
    row = condition.c
    kind = getattr(row, "_complementarity_type", 0)
    if kind == 0:
        constraints.append(row)
        return []
    side = condition.ve.expr.arg(1)  # of the equation v = side
    if kind == 1:
        return [_Pair(name, side, row.body - row.lower)]
    # low <= side <= high _|_ w means (side - low) _|_ w+ and (high - side) _|_ w-, w = w+ - w-.
    condition.positive, condition.negative = pyo.Var(bounds=(0, None)), pyo.Var(bounds=(0, None))
    value = value_of(row.body)
    condition.positive.set_value(max(value, 0.0))
    condition.negative.set_value(max(-value, 0.0))
    condition.split = pyo.Constraint(expr=row.body == condition.positive - condition.negative)
    constraints.append(condition.split)
    low, high = condition.v.bounds
    return [
        _Pair(f"{name} (lower)", side - low, condition.positive),
        _Pair(f"{name} (upper)", high - side, condition.negative),
    ]


def _mpcc(
    goal: Any,
    constraints: list[Any],
    pairs: list[_Pair],
    known: ComponentMap,
    names: ComponentMap,
) -> _Mpcc:
    bodies = [goal, *(row.body for row in constraints)]
    bodies += [side for pair in pairs for side in (pair.G, pair.H)]
    variables = list(
        ComponentSet(v for body in bodies for v in identify_variables(body, include_fixed=False))
    )
    for v in variables:
        if v.value is None:
            raise ModelError("model", f"{v.name!r} without a value", "a point")
    written = [row for component in (*constraints, *variables) for row in rows_of(component)]
    rows = [
        _Row(str(names.get(row.component, row.component.name)), -row.body, row.side == "equal")
        for row in written
    ]
    return _Mpcc(goal, rows, pairs, variables, known)


class _Point:
    """Values and gradients of an MPCC at the current point, of what is active.

    Attributes
    ----------
    slope : ndarray, shape (n,)
        The gradient of the objective.
    rows : list of (str, ndarray, bool)
        The active constraints that are not written twice: name, gradient, is an equation.
    sides : list of (int, str, ndarray)
        The sides that vanish: number of the pair, "G" or "H", gradient.
    biactive : list of int
        The pairs of which both sides vanish.
    violation : float
    """

    def __init__(self, mpcc: _Mpcc, tol: float) -> None:
        self.mpcc, variables = mpcc, mpcc.variables
        self.slope = gradient(mpcc.objective, variables)
        values = [(value_of(pair.G), value_of(pair.H)) for pair in mpcc.pairs]
        bodies = [value_of(row.body) for row in mpcc.rows]
        gaps = [abs(b) if row.is_equation else -b for row, b in zip(mpcc.rows, bodies, strict=True)]
        gaps += [gap for G, H in values for gap in (-G, -H, min(G, H))]
        self.violation = math.inf if np.isnan(gaps).any() else max(gaps, default=0.0)
        self.sides = [
            (k, which, gradient(expression, variables))
            for k, (pair, both) in enumerate(zip(mpcc.pairs, values, strict=True))
            for which, expression, value in (("G", pair.G, both[0]), ("H", pair.H, both[1]))
            if value <= tol
        ]
        self.biactive = [k for k, (G, H) in enumerate(values) if max(G, H) <= tol]
        self.rows = self._distinct(
            [
                (row.name, gradient(row.body, variables), row.is_equation)
                for row, body in zip(mpcc.rows, bodies, strict=True)
                if row.is_equation or body <= tol
            ]
        )

    def _distinct(self, rows: list[tuple[str, FloatArray, bool]]) -> list[Any]:
        """Drop constraints whose gradients are multiples of others, and those without gradient."""
        kept: list[Any] = []
        seen = [(side, False) for _, _, side in self.sides]
        for name, slope, is_equation in sorted(rows, key=lambda row: not row[2]):
            size = np.linalg.norm(slope)
            if size == 0 or any(
                _is_parallel(slope / size, other, is_equation or equation)
                for other, equation in seen
            ):
                continue
            seen.append((slope, is_equation))
            kept.append((name, slope, is_equation))
        return kept

    @property
    def gradients(self) -> FloatArray:
        """The gradients of all active constraints and sides, shape (m, n)."""
        found = [slope for _, slope, _ in self.rows] + [slope for *_, slope in self.sides]
        return np.array(found).reshape(-1, len(self.slope))

    @property
    def names(self) -> list[str]:
        """The names of the rows of `gradients`."""
        sides = [self.mpcc.pairs[k].name for k, *_ in self.sides]
        return [name for name, *_ in self.rows] + sides


def _is_parallel(unit: FloatArray, other: FloatArray, either_sign: bool) -> bool:
    size = float(np.linalg.norm(other))
    if size == 0:
        return False
    cosine = float(unit @ other) / size
    return (abs(cosine) if either_sign else cosine) >= 1 - PARALLEL


def _dependency(point: _Point) -> tuple[bool, tuple[str, ...]]:
    """Return whether the gradients are independent, and the names of those in a dependency."""
    J = point.gradients
    if not len(J):
        return True, ()
    sizes = np.linalg.norm(J, axis=1)
    scaled = J / np.where(sizes > 0, sizes, 1.0)[:, None]
    left, singular, _ = np.linalg.svd(scaled)
    rank = int((singular > RANK * max(singular.max(), 1.0)).sum())
    if rank == len(J):
        return True, ()
    weights = np.abs(left[:, rank:]).max(axis=1)
    names = [name for name, w in zip(point.names, weights, strict=True) if w > 1e-6]
    return False, tuple(dict.fromkeys(names))


def _not_feasible(point: _Point) -> MpccStationarity:
    biactive = tuple(point.mpcc.pairs[k].name for k in point.biactive)
    return MpccStationarity(
        "none", None, ComponentMap(), 0.0, None, (), biactive, {}, None, point.violation
    )


def _classify(point: _Point, node_limit: int) -> MpccStationarity:
    licq, dependent = _dependency(point)
    is_b, slope, direction = _steepest_descent(point, node_limit)
    kind, multipliers = _kind(point, node_limit)
    pairs = {pair.name: [0.0, 0.0] for pair in point.mpcc.pairs}
    for (k, which, _), nu in zip(point.sides, multipliers[len(point.rows) :], strict=False):
        pairs[point.mpcc.pairs[k].name]["GH".index(which)] = float(nu)
    sizes = [(abs(float(nu)), name) for name, nu in zip(point.names, multipliers, strict=False)]
    known = point.mpcc.original
    moved = ComponentMap(
        (known[v], float(d))
        for v, d in zip(point.mpcc.variables, direction, strict=False)
        if v in known and d != 0
    )
    return MpccStationarity(
        kind=kind,
        b_stationary=is_b,
        direction=moved,
        slope=slope,
        licq=licq,
        dependent=dependent,
        biactive=tuple(point.mpcc.pairs[k].name for k in point.biactive),
        multipliers={name: (nu[0], nu[1]) for name, nu in pairs.items()},
        largest=max(((name, size) for size, name in sizes), key=lambda pair: pair[1], default=None),
        violation=point.violation,
    )


def _program(c: FloatArray, A: Any, low: Any, high: Any, least: Any, most: Any) -> ConvexProgram:
    n = len(c)
    rows, columns = (np.asarray(low, float), np.asarray(high, float)), (least, most)
    nothing = sp.csr_array((n, n))
    return ConvexProgram(nothing, c, 0.0, sp.csr_array(A), rows, columns, np.zeros(n, dtype=bool))


def _steepest_descent(point: _Point, node_limit: int) -> tuple[bool | None, float, FloatArray]:
    """Solve the linearised problem in the box -1 <= d <= 1, with a slack for each biactive side."""
    n, place = len(point.slope), {k: i for i, k in enumerate(point.biactive)}
    count = 2 * len(place)
    rows = [(np.r_[slope, np.zeros(count)], equation) for _, slope, equation in point.rows]
    for k, which, slope in point.sides:
        slack = np.zeros(count)
        if k in place:
            slack[2 * place[k] + "GH".index(which)] = -1.0
        rows.append((np.r_[slope, slack], True))
    A = np.array([row for row, _ in rows]).reshape(-1, n + count)
    high = [0.0 if equation else math.inf for _, equation in rows]
    box = np.r_[np.ones(n), np.full(count, math.inf)]
    least = np.r_[-np.ones(n), np.zeros(count)]
    c = np.r_[point.slope, np.zeros(count)]
    pairs = n + np.arange(count).reshape(-1, 2)
    limit = -DESCENT * (1 + np.abs(point.slope).sum())
    tree = Branching(_program(c, A, np.zeros(len(A)), high, least, box), pairs, limit)
    tree.run(node_limit=node_limit)
    if tree.best is not None and tree.value < limit:
        return False, tree.value, tree.best[:n]
    return (True if tree.bound >= limit else None), 0.0, np.zeros(n)


def _kind(point: _Point, node_limit: int) -> tuple[str, FloatArray]:
    """Return the strongest kind for which there are multipliers, and these."""
    if not len(point.gradients):
        is_flat = np.abs(point.slope).max(initial=0.0) <= BALANCE
        return ("S" if is_flat else "none"), np.zeros(0)
    undecided = False
    for kind in KINDS:
        tree, read = _multiplier_search(point, kind)
        tree.run(node_limit=node_limit)
        if tree.best is not None and tree.value < tree.goal:
            return ("unknown" if undecided else kind), read(tree.best)
        undecided |= tree.bound < tree.goal
    return ("unknown" if undecided else "none"), np.zeros(0)


def _multiplier_search(point: _Point, kind: str) -> tuple[Branching, Callable[..., FloatArray]]:
    """Return min |grad F - J' (p - q)|_inf over multipliers p - q of a kind, p, q >= 0.

    The variables are p, q, the residual, and for M the sums p + q of the biactive sides.
    """
    J, n, m = point.gradients, len(point.slope), len(point.gradients)
    first = len(point.rows)
    both = [
        [first + i for i, (pair, *_) in enumerate(point.sides) if pair == k] for k in point.biactive
    ]
    sums = 2 * len(both) if kind == "M" else 0
    size = 2 * m + 1 + sums
    most = np.full(size, math.inf)
    for i, (_, _, is_equation) in enumerate(point.rows):
        if not is_equation:
            most[m + i] = 0.0
    residual = np.ones((n, 1))
    balance = np.hstack([J.T, -J.T, residual, np.zeros((n, sums))])
    opposite = np.hstack([-J.T, J.T, residual, np.zeros((n, sums))])
    A, low = np.vstack([balance, opposite]), np.r_[point.slope, -point.slope]
    high = np.full(2 * n, math.inf)
    pairs: list[tuple[int, int]] = []
    for t, (g, h) in enumerate(both):
        if kind == "S":
            most[[m + g, m + h]] = 0.0
        elif kind == "C":
            pairs += [(g, m + h), (m + g, h)]
        elif kind == "M":
            for own, other, k in ((g, h, 0), (h, g, 1)):
                total = 2 * m + 1 + 2 * t + k
                row = np.zeros(size)
                row[[other, m + other]], row[total] = 1.0, -1.0
                A, low, high = np.vstack([A, row]), np.r_[low, 0.0], np.r_[high, 0.0]
                pairs.append((m + own, total))
    c = np.zeros(size)
    c[2 * m] = 1.0
    program = _program(c, A, low, high, np.zeros(size), most)
    goal = BALANCE * (1 + float(np.abs(point.slope).max()))
    tree = Branching(program, np.array(pairs, dtype=int).reshape(-1, 2), goal)
    return tree, lambda z: z[:m] - z[m : 2 * m]
