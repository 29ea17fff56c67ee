"""The bilevel problems as a mixed-integer linear program, where the lower level's KKT is linear.

That is p = 1 (any d), p = inf, and d = 1. Unlike the other reformulations it is not a relaxation of
something smooth: binaries name the cells on which the partition is constant, so that a MILP solver
proves a bound on the optimum, and a cell that attains it.

The cells are those of `orders`. On each of them the dual of an edge is confined to a face of its
ball, and everything is linear in eps, x and the duals (`duals`). The program describes the closures
of the cells: points that are apart may touch. So its optimum bounds that of the bilevel problem,
and is equal to it where the cell that attains it is not empty (`ClosedCell` decides that).
Transitivity of the orders is what keeps the closures tight: without it, fused points could send a
flow in a circle and claim to be apart.

Coincidences. Points that no chain of fused edges joins may still meet, at isolated eps. The model
counts them as together, which is the definition, though a solve in floating point leaves them
undecided. They can be left out.
"""

from __future__ import annotations

import numpy as np
import pyomo.environ as pyo

from bilad.formulations import leader
from bilad.formulations.clustering.displacement import data_box
from bilad.formulations.clustering.milp.difference_bounds import DifferenceBounds
from bilad.formulations.clustering.milp.duals import add_duals, ends
from bilad.formulations.clustering.milp.orders import add_orders, together_of
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.validation import ArgumentError, BoolArray, FloatArray, IntArray

ROUNDING = 1e-9  # of a deviation, in its units


MOST_TRIPLES = 250_000  # n (n - 1) (n - 2) d; these rows alone then take half a minute to write


def is_linear(model: ConvexClustering) -> bool:
    """Whether the KKT system of the lower level is linear, up to complementarity."""
    return model.p != 2 or model.d == 1


def refusal(model: ConvexClustering, problem: BilevelProblem) -> str | None:
    """Say why there is no MILP for a problem, or None."""
    name = problem.deviation.name
    if not is_linear(model):
        return "the MILP is for p = 1 and p = inf (any p if d = 1), the model has p = 2 and d > 1"
    if problem.deviation.pairs is None:
        return f"the MILP needs a deviation additive over pairs, such as 'delta', not {name!r}"
    triples = model.n * (model.n - 1) * (model.n - 2) * model.d
    if triples > MOST_TRIPLES:
        return f"the MILP is for n (n - 1) (n - 2) d <= {MOST_TRIPLES}, the model has {triples}"
    return None


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
        Whether points can be together that no chain of fused edges joins. If not, `connectivity_cuts`
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
        if not is_linear(clustering_of(problem)):
            raise ArgumentError("problem", "p = 2 with d > 1", "p = 1, p = inf or d = 1")
        if problem.deviation.pairs is None:
            raise ArgumentError(
                "problem", f"deviation {problem.deviation.name!r}", "one additive over pairs"
            )
        self.problem = problem
        self.bounds = DifferenceBounds(problem) if bounds is None else bounds
        self.model = model = pyo.ConcreteModel(name=type(self).__name__)
        n, d = clustering_of(problem).n, clustering_of(problem).d
        model.points, model.features = pyo.RangeSet(0, n - 1), pyo.RangeSet(0, d - 1)
        model.signs = pyo.Set(initialize=[1, -1])
        model.edges = pyo.Set(initialize=np.flatnonzero(clustering_of(problem).radii > 0).tolist())
        leader.add_eps(model, problem)
        low, high = data_box(problem)
        model.x = pyo.Var(
            model.points, model.features, bounds=lambda _, i, c: (float(low[c]), float(high[c]))
        )
        add_orders(model, problem, self.bounds)
        add_duals(model, problem, self.bounds.most_radii)
        self._add_size()
        self._add_deviation(labels)
        model.cell_cuts = pyo.ConstraintList()
        model.connectivity_cuts = pyo.ConstraintList()
        if not coincidences:
            self._connect_each_point()

    def _add_size(self) -> None:
        """Add `size`, at least ||eps||; for norm 2, up to the error of the polyhedral ball."""
        model, problem = self.model, self.problem
        model.size = pyo.Var(bounds=(0.0, problem.radius))
        model.ball_cuts = pyo.ConstraintList()
        if problem.norm == 2 and problem.perturbation.dim > 1:
            length = leader.add_polyhedral_ball(model, problem.radius)
            model.measured = pyo.Constraint(expr=length <= model.size)
            return
        norm = problem.norm if problem.perturbation.dim > 1 else np.inf
        size = leader.add_polyhedral_norm(model, norm, problem.radius)
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
        pairs, coefficients = problem.deviation.pairs(clustering_of(problem).n)
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
        if problem.sense == "max":
            model.goal = pyo.Objective(expr=model.deviation, sense=pyo.maximize)
        else:
            self.require(problem.target)
            model.goal = pyo.Objective(expr=model.size, sense=pyo.minimize)

    # What is asked of the model from outside

    def require(self, deviation: float) -> None:
        """Ask for at least this deviation, in the deviation's own units."""
        least = deviation / self.unit
        self.model.least_deviation.set_value(np.ceil(least - ROUNDING) if self.is_count else least)

    def limit_size(self, size: float) -> None:
        """Ask for ||eps|| of at most this."""
        self.model.size.setub(size)

    def cell(self) -> BoolArray:
        """Return the cell of the current values: order[c, i, j], shape (d, n, n), i >= i true."""
        n, d = clustering_of(self.problem).n, clustering_of(self.problem).d
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

    def add_connectivity_cuts(self, together: BoolArray) -> bool:
        """Cut off coincidences: clusters (n, n) that fused edges do not join; say if there are any.

        A chain of fused edges from a point out of a set that holds it crosses the set's border.
        """
        model = clustering_of(self.problem)
        i, j = model.graph.edges.T
        part = model.graph.components((model.radii > 0) & together[i, j])
        loose = np.argwhere(np.triu(together & (part[:, None] != part)))
        for i, j in loose:
            self._cut_border(part == part[i], int(i), int(j))
        return len(loose) > 0

    def _connect_each_point(self) -> None:
        for i, j in self.model.ordered_pairs:
            self._cut_border(np.arange(len(self.model.points)) == i, i, j)

    def _cut_border(self, inside: BoolArray, i: int, j: int) -> None:
        """Ask for a fused edge across the border of a set with i, without j, if they are fused."""
        crossing = [
            together_of(self.model, first, second)
            for first, second in (ends(self.problem, e) for e in self.model.edges)
            if inside[first] != inside[second]
        ]
        self.model.connectivity_cuts.add(together_of(self.model, i, j) <= pyo.quicksum(crossing))

    def eps(self) -> FloatArray:
        """Return the current eps, scaled back if it is outside the problem's ball."""
        return self.problem.project([pyo.value(self.model.eps[k]) for k in self.model.parameters])
