"""The bilevel problems as a mixed-integer linear program, where the lower level's KKT is linear.

That is p = 1 (any d), p = inf, and d = 1. Unlike the other reformulations it is not a relaxation of
something smooth: binaries name the cells on which the partition is constant, so that a MILP solver
proves a bound on the optimum, and a cell that attains it.

Cells. For a closed convex cone K, "x_i - x_j in K" is a partial preorder of the points. Take

    p = 1:    K_c = {u : u_c >= 0}                   one total preorder for each feature c
    p = inf:  K_c = {u : u_c = ||u||_inf}            the 2 d cones K_c, -K_c cover the space

and a binary order[i, j, c] for "x_i - x_j in K_c". On such a cell the dual of an edge is confined
to a face of its ball, and everything is linear in (eps, x, z):

    x - A(eps) + B'z = 0
    p = 1:    |z_c| <= r,  and z_c = r if i is strictly above j in feature c
    p = inf:  z = forward - backward,  sum_c forward_c + backward_c <= r,  equal if i, j are apart;
              forward_c > 0 only if order[i, j, c],  backward_c > 0 only if order[j, i, c]

with r = gamma w (1 - S eps). The duals are not scaled by r: stationarity stays linear when the
weights are perturbed. The program describes the closures of the cells: points that are apart may
touch. So its optimum bounds that of the bilevel problem, and is equal to it where the cell that
attains it is not empty (`ClosedCell` decides that). Transitivity of the orders is what keeps the
closures tight: without it, fused points could send a flow in a circle and claim to be apart.

Coincidences. Points that no chain of fused edges joins may still meet, at isolated eps. The model
counts them as together, which is the definition, though no floating-point solution can confirm it.
They can be left out.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations import upper_level
from bilad.formulations.difference_bounds import DifferenceBounds
from bilad.formulations.polyhedral_ball import add_polyhedral_ball
from bilad.models.bilevel import BilevelProblem, MaxDeviation, MinPerturbation
from bilad.models.validation import ArgumentError, BoolArray, FloatArray, IntArray

ROUNDING = 1e-9  # of a deviation, in its units
REDUCED_COST = 1e-9  # less is zero


def is_linear(problem: BilevelProblem) -> bool:
    """Whether the KKT system of the lower level is linear, up to complementarity."""
    return problem.white_box.p != 2 or problem.white_box.d == 1


def separates(problem: BilevelProblem) -> bool:
    """Whether each feature has an order of its own: p = 1, or d = 1, where p does not matter."""
    return problem.white_box.p == 1 or problem.white_box.d == 1


class MilpFormulation:
    """A MILP whose optimum bounds that of a bilevel problem, from above (BL1) or below (BL2).

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
        With p = 1, p = inf or d = 1, and a deviation additive over pairs. `problem.normalised()`
        makes the solver's absolute tolerances relative.
    labels : ndarray of int, shape (n,)
        Labels at eps = 0.
    bounds : DifferenceBounds, optional
        Of x_i - x_j over all eps that count; computed if not given.
    coincidences : bool, default True
        Whether points can be together that no chain of fused edges joins. If not, `held_cuts`
        exclude most of that, and `hold` adds more of them where they are needed.

    Attributes
    ----------
    problem : BilevelProblem
    bounds : DifferenceBounds
    model : pyomo.environ.ConcreteModel
        `eps[k]`, `x[i, c]`, `order[i, j, c]`, the duals (`z[e, c]`, or `forward[e, c]` and
        `backward[e, c]`) and the objective `goal`; `deviation` counts what changed in units of
        c_ij, `size` bounds the norm of eps. `ball_cuts` are tangents of the ball of norm 2, added
        by `cut_ball`, and `cell_cuts` exclude cells, added by `exclude`. Change it before you
        solve it.

    Raises
    ------
    ArgumentError
        If the lower level's KKT system is not linear, or the deviation not additive over pairs.
    """

    def __init__(
        self,
        problem: BilevelProblem,
        labels: IntArray,
        bounds: DifferenceBounds | None = None,
        coincidences: bool = True,
    ) -> None:
        if not is_linear(problem):
            raise ArgumentError("problem", "p = 2 with d > 1", "p = 1, p = inf or d = 1")
        if problem.deviation.pairs is None:
            raise ArgumentError(
                "problem", f"deviation {problem.deviation.name!r}", "one additive over pairs"
            )
        self.problem = problem
        self.bounds = DifferenceBounds(problem) if bounds is None else bounds
        self.model = model = pyo.ConcreteModel(name=type(self).__name__)
        n, d = problem.white_box.n, problem.white_box.d
        model.points, model.features = pyo.RangeSet(0, n - 1), pyo.RangeSet(0, d - 1)
        self._positive = np.flatnonzero(problem.white_box.radii > 0)
        model.signs = pyo.Set(initialize=[1, -1])
        model.edges = pyo.Set(initialize=self._positive.tolist())
        upper_level.add_eps(model, problem)
        low, high = upper_level.hull(problem)
        model.x = pyo.Var(
            model.points, model.features, bounds=lambda _, i, c: (float(low[c]), float(high[c]))
        )
        self._add_orders()
        if separates(problem):
            self._add_halfspaces()
            self._add_feature_duals()
        else:
            self._add_cones()
            self._add_joint_duals()
        self._add_stationarity()
        self._add_size()
        self._add_deviation(labels)
        model.cell_cuts = pyo.ConstraintList()
        model.held_cuts = pyo.ConstraintList()
        if not coincidences:
            self._hold_each_point()

    # The orders

    def _add_orders(self) -> None:
        model = self.model
        pairs, triples = (list(permutations(model.points, size)) for size in (2, 3))
        model.ordered_pairs = pyo.Set(dimen=2, initialize=pairs)
        model.pairs = pyo.Set(dimen=2, initialize=[(i, j) for i, j in pairs if i < j])
        model.order = pyo.Var(model.ordered_pairs, model.features, domain=pyo.Binary)
        known = self._known_orders()
        for (i, j, c), variable in model.order.items():
            if not np.isnan(known[i, j, c]):
                variable.fix(int(known[i, j, c]))
        model.together = pyo.Var(model.pairs, bounds=(0.0, 1.0))
        model.equal = pyo.Constraint(
            model.ordered_pairs,
            model.features,
            rule=lambda m, i, j, c: self._together(i, j) <= m.order[i, j, c],
        )
        model.transitive = pyo.Constraint(
            pyo.Set(dimen=3, initialize=triples),
            model.features,
            rule=lambda m, i, j, k, c: m.order[i, j, c] + m.order[j, k, c] <= 1 + m.order[i, k, c],
        )

    def _known_orders(self) -> FloatArray:
        """Return 0 or 1 where the bounds decide an order, else NaN: shape (n, n, d)."""
        upper = self.bounds.upper
        lower = -upper.transpose(1, 0, 2)
        known = np.full(upper.shape, np.nan)
        if separates(self.problem):
            known[lower >= 0] = 1
            known[upper < 0] = 0
            return known
        most, least = np.maximum(upper, -lower), np.maximum(np.maximum(lower, -upper), 0.0)
        for c in range(upper.shape[2]):
            known[lower[:, :, c] >= np.delete(most, c, axis=2).max(axis=2), c] = 1
            known[upper[:, :, c] < np.delete(least, c, axis=2).max(axis=2), c] = 0
            known[upper[:, :, c] < 0, c] = 0
        return known

    def _together(self, i: int, j: int) -> Any:
        return self.model.together[min(i, j), max(i, j)]

    def _difference(self, i: int, j: int, c: int) -> Any:
        return self.model.x[i, c] - self.model.x[j, c]

    def _unless_above(self, i: int, j: int, c: int, slack: Any) -> Any:
        """Return an expression: 0 if order[i, j, c], else a slack, at least 0."""
        return max(float(slack), 0.0) * (1 - self.model.order[i, j, c])

    def _add_halfspaces(self) -> None:
        """Order the points by each feature: total preorders."""
        model, upper = self.model, self.bounds.upper
        model.total = pyo.Constraint(
            model.pairs,
            model.features,
            rule=lambda m, i, j, c: m.order[i, j, c] + m.order[j, i, c] >= 1,
        )
        model.ordered = pyo.Constraint(
            model.ordered_pairs,
            model.features,
            rule=lambda m, i, j, c: (
                self._difference(j, i, c) <= self._unless_above(i, j, c, upper[j, i, c])
            ),
        )
        model.fused = pyo.Constraint(
            model.pairs,
            rule=lambda m, i, j: (
                m.together[i, j]
                >= 1 - pyo.quicksum(2 - m.order[i, j, c] - m.order[j, i, c] for c in m.features)
            ),
        )

    def _add_cones(self) -> None:
        """Order the points by the cones, which together cover the space."""
        model, upper = self.model, self.bounds.upper
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
            excess = self._difference(first, second, other) - self._difference(i, j, c)
            return excess <= self._unless_above(i, j, c, slack)

        model.dominates = pyo.Constraint(
            model.ordered_pairs, model.features, model.features, self.model.signs, rule=dominates
        )
        model.fused = pyo.Constraint(
            model.pairs,
            model.features,
            rule=lambda m, i, j, c: m.together[i, j] >= m.order[i, j, c] + m.order[j, i, c] - 1,
        )

    # The duals

    def _add_feature_duals(self) -> None:
        """Add z[e, c], saturated where one end is strictly above the other: p = 1."""
        model, radii = self.model, upper_level.perturbed_radii(self.model, self.problem)
        most = self._largest_radii()
        model.z = pyo.Var(model.edges, model.features, bounds=lambda _, e, c: (-most[e], most[e]))

        def saturated(m: pyo.ConcreteModel, e: int, c: int, sign: int) -> Any:
            i, j = self._ends(e)
            below = m.order[j, i, c] if sign > 0 else m.order[i, j, c]
            return sign * m.z[e, c] >= radii[e] - 2 * most[e] * below

        model.saturated = pyo.Constraint(model.edges, model.features, model.signs, rule=saturated)
        model.capacity = pyo.Constraint(
            self._perturbed_edges(),
            model.features,
            model.signs,
            rule=lambda m, e, c, sign: sign * m.z[e, c] <= radii[e],
        )

    def _add_joint_duals(self) -> None:
        """Add both parts of z[e, c], on the face that the orders name: p = inf."""
        model, radii = self.model, upper_level.perturbed_radii(self.model, self.problem)
        most = self._largest_radii()

        def part() -> Any:
            return pyo.Var(model.edges, model.features, bounds=lambda _, e, c: (0.0, most[e]))

        model.forward, model.backward = part(), part()

        def allowed(m: pyo.ConcreteModel, e: int, c: int, sign: int) -> Any:
            i, j = self._ends(e)
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
            rule=lambda m, e: m.length[e] >= radii[e] - most[e] * m.together[self._ends(e)],
        )
        model.z = pyo.Expression(
            model.edges, model.features, rule=lambda m, e, c: m.forward[e, c] - m.backward[e, c]
        )

    def _ends(self, e: int) -> tuple[int, int]:
        i, j = self.problem.white_box.graph.edges[e]
        return int(i), int(j)

    def _largest_radii(self) -> list[float]:
        return [float(r) for r in self.bounds.most_radii]

    def _perturbed_edges(self) -> Any:
        changes = np.diff(self.problem.edge_operator.indptr)[self._positive] > 0
        return pyo.Set(initialize=self._positive[changes].tolist())

    def _add_stationarity(self) -> None:
        model, data = self.model, upper_level.perturbed_data(self.model, self.problem)
        outward: list[list[tuple[int, int]]] = [[] for _ in model.points]
        for e in model.edges:
            i, j = self._ends(e)
            outward[i].append((e, 1))
            outward[j].append((e, -1))
        model.stationary = pyo.Constraint(
            model.points,
            model.features,
            rule=lambda m, i, c: (
                m.x[i, c] + pyo.quicksum(sign * m.z[e, c] for e, sign in outward[i]) == data[i, c]
            ),
        )

    # The upper level

    def _add_size(self) -> None:
        """Add `size`, at least ||eps||; for norm 2, up to the error of the polyhedral ball."""
        model, problem = self.model, self.problem
        model.size = pyo.Var(bounds=(0.0, problem.radius))
        model.ball_cuts = pyo.ConstraintList()
        if problem.norm == 2 and problem.perturbation.dim > 1:
            length = add_polyhedral_ball(model, problem.radius)
            model.measured = pyo.Constraint(expr=length <= model.size)
            return
        norm = problem.norm if problem.perturbation.dim > 1 else np.inf
        size = upper_level.add_polyhedral_norm(model, norm, problem.radius)
        model.measured = pyo.Constraint(expr=size <= model.size)

    def cut_ball(self, eps: FloatArray) -> None:
        """Add the tangent of the ball of norm 2 in the direction of eps (k,), not zero."""
        # HiGHS drops coefficients that are nearly zero; without them it is a tangent elsewhere.
        direction = np.where(abs(eps) < 1e-8 * abs(eps).max(), 0.0, eps)
        direction /= np.linalg.norm(direction)
        along = pyo.quicksum(float(v) * self.model.eps[k] for k, v in enumerate(direction) if v)
        self.model.ball_cuts.add(along <= self.model.size)

    def _add_deviation(self, labels: IntArray) -> None:
        model, problem = self.model, self.problem
        assert problem.deviation.pairs is not None
        pairs, coefficients = problem.deviation.pairs(problem.white_box.n)
        self.unit = float(coefficients.max())
        changed = []
        for (i, j), c in zip(pairs.tolist(), coefficients / self.unit, strict=True):
            relation = model.together[i, j]
            changed.append(float(c) * (1 - relation if labels[i] == labels[j] else relation))
        model.deviation = pyo.Expression(expr=pyo.quicksum(changed))
        # Equal coefficients: the deviation is a whole number of units.
        self.is_count = bool(np.ptp(coefficients) == 0)
        model.least_deviation = pyo.Param(mutable=True, initialize=0.0)
        model.reached = pyo.Constraint(expr=model.deviation >= model.least_deviation)
        if isinstance(problem, MaxDeviation):
            model.goal = pyo.Objective(expr=model.deviation, sense=pyo.maximize)
        elif isinstance(problem, MinPerturbation):
            self.require(problem.target)
            model.goal = pyo.Objective(expr=model.size, sense=pyo.minimize)

    # What is asked of the model from outside

    def require(self, deviation: float) -> None:
        """Ask for at least this deviation, in the deviation's own units."""
        least = deviation / self.unit
        self.model.least_deviation.set_value(np.ceil(least - ROUNDING) if self.is_count else least)

    def shorten(self, size: float) -> None:
        """Ask for ||eps|| of at most this."""
        self.model.size.setub(size)

    def cell(self) -> BoolArray:
        """Return the cell of the current values: order[c, i, j], shape (d, n, n), i >= i true."""
        n, d = self.problem.white_box.n, self.problem.white_box.d
        orders = np.broadcast_to(np.eye(n, dtype=bool), (d, n, n)).copy()
        for i, j, c in self.model.order:
            orders[c, i, j] = pyo.value(self.model.order[i, j, c]) > 0.5
        return orders

    def exclude(self, orders: BoolArray, literals: BoolArray | None = None) -> None:
        """Cut off every cell that agrees with this one on the literals, all by default.

        Parameters
        ----------
        orders, literals : ndarray of bool, shape (d, n, n)
        """
        chosen = np.ones_like(orders) if literals is None else literals
        change = [
            1 - variable if orders[c, i, j] else variable
            for (i, j, c), variable in self.model.order.items()
            if chosen[c, i, j] and not variable.fixed
        ]
        if change:
            self.model.cell_cuts.add(pyo.quicksum(change) >= 1)
        else:
            self.model.cell_cuts.add(pyo.Constraint.Infeasible)

    def hold(self, together: BoolArray) -> bool:
        """Cut off coincidences: clusters (n, n) that fused edges do not join; say if there are any.

        A chain of fused edges from a point out of a set that holds it crosses the set's border.
        """
        graph, free = (
            self.problem.white_box.graph,
            np.zeros(self.problem.white_box.graph.m, dtype=bool),
        )
        free[self._positive] = True
        part = graph.components(free & together[graph.edges[:, 0], graph.edges[:, 1]])
        loose = np.argwhere(np.triu(together & (part[:, None] != part)))
        for i, j in loose:
            self._cut_border(part == part[i], int(i), int(j))
        return len(loose) > 0

    def _hold_each_point(self) -> None:
        for i, j in self.model.ordered_pairs:
            self._cut_border(np.arange(len(self.model.points)) == i, i, j)

    def _cut_border(self, inside: BoolArray, i: int, j: int) -> None:
        """Ask for a fused edge across the border of a set with i, without j, if they are fused."""
        crossing = [
            self._together(*ends)
            for ends in map(self._ends, self.model.edges)
            if inside[ends[0]] != inside[ends[1]]
        ]
        self.model.held_cuts.add(self._together(i, j) <= pyo.quicksum(crossing))

    def eps(self) -> FloatArray:
        """Return the current eps, scaled back if it is outside the problem's ball."""
        return self.problem.project([pyo.value(self.model.eps[k]) for k in self.model.parameters])


class MarginProgram:
    """The linear relaxation of a MILP that asks how far apart a cell's points can be.

    With the binaries of a cell fixed, its optimum is positive iff the cell is not empty. If it is
    empty, the binaries with a reduced cost are already in conflict, whatever the others.

    Parameters
    ----------
    formulation : MilpFormulation
        As it is now; what is asked of it (`require`, `shorten`) is dropped.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        A relaxed copy, with `margin` to maximise.
    """

    def __init__(self, formulation: MilpFormulation) -> None:
        self._free = [index for index, v in formulation.model.order.items() if not v.fixed]
        self.model = model = formulation.model.clone()
        pyo.TransformationFactory("core.relax_integer_vars").apply_to(model)
        model.goal.deactivate()
        model.reached.deactivate()
        model.size.setub(formulation.problem.radius)
        model.margin = pyo.Var(bounds=(0.0, 1.0))
        upper = formulation.bounds.upper

        def strict(m: pyo.ConcreteModel, i: int, j: int, c: int) -> Any:
            slack = 1.0 + max(float(upper[j, i, c]), 0.0)
            if separates(formulation.problem):
                loose = m.order[j, i, c]
            else:
                loose = 1 - m.order[i, j, c] + m.together[min(i, j), max(i, j)]
            return m.x[i, c] - m.x[j, c] >= m.margin - slack * loose

        model.strict = pyo.Constraint(model.ordered_pairs, model.features, rule=strict)
        model.widest = pyo.Objective(expr=model.margin, sense=pyo.maximize)

    def fix(self, orders: BoolArray) -> None:
        """Fix the binaries to a cell, by their bounds."""
        for i, j, c in self._free:
            value = float(orders[c, i, j])
            self.model.order[i, j, c].setlb(value)
            self.model.order[i, j, c].setub(value)

    def conflict(self, reduced_costs: Any, orders: BoolArray) -> BoolArray:
        """Return the binaries with a reduced cost: shape (d, n, n)."""
        literals = np.zeros_like(orders)
        for i, j, c in self._free:
            cost = reduced_costs[self.model.order[i, j, c]]
            literals[c, i, j] = abs(cost) > REDUCED_COST
        return literals
