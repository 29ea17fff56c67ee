"""(BL1) and (BL2) as mixed-integer linear programs, if the KKT system of the lower level is linear.

That is the case for p = 1, for p = inf, and for d = 1. Unlike the other reformulations, this one is
not relaxed or smoothed. Binary variables select a cell, which is a set of eps on which the
partition is constant (see `orders`). On each cell the KKT system is linear in eps, x and the duals
(see `duals`). A MILP solver therefore proves a bound on the optimum, and returns a cell that
attains it.

The program describes closures of cells, in which points that are apart may touch. Its optimum is a
bound of that of the bilevel problem, with equality if the optimal cell is nonempty, which
`ClosedCell` decides. The transitivity constraints of the orders are needed to obtain closures;
without them, a circular flow between fused points would be compatible with orders in which they are
apart.

Coincidences. Two points that are not connected by a path of fused edges can have equal x at
isolated eps. By definition they are then together. A solver in floating-point arithmetic leaves
such a pair undecided. The option `coincidences=False` excludes these points.
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

ROUNDING = 1e-9  # rounding error of a deviation, in units of its largest coefficient
# The largest n (n - 1) (n - 2) d, the number of transitivity constraints. Writing these constraints
# then takes half a minute.
MOST_TRIPLES = 250_000


def is_linear(model: ConvexClustering) -> bool:
    """Return whether the KKT system of the lower level is linear except for complementarity."""
    return model.p != 2 or model.d == 1


def refusal(model: ConvexClustering, problem: BilevelProblem) -> str | None:
    """Return why there is no MILP for a problem, or None."""
    name = problem.deviation.name
    if not is_linear(model):
        return "the MILP needs p = 1, p = inf or d = 1, and the model has p = 2 and d > 1"
    if problem.deviation.pairs is None:
        return f"the MILP needs a deviation additive over pairs, such as 'delta', not {name!r}"
    triples = model.n * (model.n - 1) * (model.n - 2) * model.d
    if triples > MOST_TRIPLES:
        return f"the MILP needs n (n - 1) (n - 2) d <= {MOST_TRIPLES}, and the model has {triples}"
    return None


class MilpFormulation:
    """A MILP whose optimum bounds that of a bilevel problem, from above (BL1) or below (BL2).

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
        With p = 1, p = inf or d = 1, and a deviation that is additive over pairs; preferably in
        normal form, because MILP solvers have absolute tolerances.
    labels : ndarray of int, shape (n,)
        The labels at eps = 0.
    bounds : DifferenceBounds, optional
        Bounds of x_i - x_j over all admissible eps; computed if not given.
    coincidences : bool, default True
        Whether two points may be together that are not connected by a path of fused edges. If
        False, the constraints `connectivity_cuts` exclude most of these solutions, and
        `add_connectivity_cuts` adds further ones when they are needed.

    Attributes
    ----------
    problem : BilevelProblem
    bounds : DifferenceBounds
    model : pyomo.environ.ConcreteModel
        Its components are the variables `eps[k]`, `x[i, c]`, `order[i, j, c]`, the duals (`z[e,
        c]`, or `forward[e, c]` and `backward[e, c]`) and `size` >= ||eps||; the Expression
        `deviation` in units of the largest c_ij; and the objective `goal`. `ball_cuts` are tangents
        of the Euclidean ball, added by `cut_ball`; `cell_cuts` exclude cells, added by `exclude`.
        Users may change the model before they solve it.

    Raises
    ------
    ArgumentError
        If the lower level's KKT system is not linear, or the deviation is not additive over pairs.
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
        """Add `size` >= ||eps||; for the norm 2 up to the error of the polyhedral approximation."""
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
        """Add the tangent of the Euclidean ball in the direction of eps, shape (k,), not zero."""
        # HiGHS drops coefficients that are nearly zero, which would change the tangent. They are
        # set to zero first, and the result is the tangent at another point.
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
        # If all coefficients are equal, the deviation is an integer in this unit.
        self.is_count = bool(np.ptp(coefficients) == 0)
        model.least_deviation = pyo.Param(mutable=True, initialize=0.0)
        model.reached = pyo.Constraint(expr=model.deviation >= model.least_deviation)
        if problem.sense == "max":
            model.goal = pyo.Objective(expr=model.deviation, sense=pyo.maximize)
        else:
            self.require(problem.target)
            model.goal = pyo.Objective(expr=model.size, sense=pyo.minimize)

    def require(self, deviation: float) -> None:
        """Require at least this deviation, in the unit of the deviation function."""
        least = deviation / self.unit
        self.model.least_deviation.set_value(np.ceil(least - ROUNDING) if self.is_count else least)

    def limit_size(self, size: float) -> None:
        """Require ||eps|| <= size."""
        self.model.size.setub(size)

    def cell(self) -> BoolArray:
        """Return the current orders: order[c, i, j], shape (d, n, n), true for i = j."""
        n, d = clustering_of(self.problem).n, clustering_of(self.problem).d
        orders = np.broadcast_to(np.eye(n, dtype=bool), (d, n, n)).copy()
        for i, j, c in self.model.order:
            orders[c, i, j] = pyo.value(self.model.order[i, j, c]) > 0.5
        return orders

    def exclude(self, orders: BoolArray, literals: BoolArray | None = None) -> None:
        """Exclude every cell whose orders agree with `orders` on the entries chosen by `literals`.

        Parameters
        ----------
        orders : ndarray of bool, shape (d, n, n)
        literals : ndarray of bool, shape (d, n, n), optional
            All entries by default.
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
        """Exclude the coincidences of a partition; return whether there are any.

        For a set of points that contains i and not j, the cut states: if i and j are together, an
        edge between the set and its complement is fused.

        Parameters
        ----------
        together : ndarray of bool, shape (n, n)
            The partition.
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
        """Add the cut for the set `inside`, which contains i and not j."""
        crossing = [
            together_of(self.model, first, second)
            for first, second in (ends(self.problem, e) for e in self.model.edges)
            if inside[first] != inside[second]
        ]
        self.model.connectivity_cuts.add(together_of(self.model, i, j) <= pyo.quicksum(crossing))

    def eps(self) -> FloatArray:
        """Return the current eps, projected onto the admissible set."""
        return self.problem.project([pyo.value(self.model.eps[k]) for k in self.model.parameters])
