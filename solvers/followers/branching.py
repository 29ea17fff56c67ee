"""Branch and bound for programs with linear complementarity constraints, without big-M.

    min 1/2 z'Pz + c'z + d   s.t.   l <= A z <= u,   zl <= z <= zu,   z_i integer for i in I,
                                    (z_a - zl_a) (z_b - zl_b) = 0 for pairs (a, b)

HiGHS treats the integer variables of a linear program; with a quadratic objective they are branched
on.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.common.collections import ComponentMap, ComponentSet
from pyomo.core.expr import identify_variables

from bilad.formulations.bilevel_model import KktModel
from bilad.formulations.complementarity import Complementarity, Side
from bilad.models.validation import FloatArray
from bilad.solvers.followers.convex_program import ConvexAnswer, ConvexProgram, convex_program
from bilad.solvers.termination import CONVERGED, TIME_LIMIT

NODE_LIMIT = "node limit"
Columns = tuple[FloatArray, FloatArray]  # lower and upper bounds of all variables

COMPLEMENTARY = 1e-7  # relative; a pair with a smaller side counts as satisfied
WHOLE = 1e-6  # distance to a whole number within which an integer variable is integral
ROUNDING = 1e-6  # relative difference between a node and the point at it, by rounding errors
PROVED = 1e-7  # relative gap between the best value and the bound at which the search ends


@dataclass
class Branching:
    """Branch and bound on complementarities with linear KKT conditions, which proves a bound.

    It needs followers with linear KKT conditions (linear or convex quadratic programs), linear
    constraints of the leader, and a linear or convex quadratic objective. A node fixes one variable
    of each of some pairs at its lower bound, and is solved as a linear or convex quadratic program.
    The tree keeps the best point and the bound while it runs.

    Parameters
    ----------
    program : ConvexProgram
    pairs : ndarray of int, shape (p, 2)
        The variables of each pair. They have finite lower bounds.
    goal : float, optional
        Only values below it are of interest: the search ends as soon as there is one, and does not
        refine bounds above it.
    complete : callable(z), optional
        Returns a point near z, shape (n,), whose pairs are complementary, or None. It is called at
        the root and whenever the number of nodes has doubled.

    Attributes
    ----------
    best : ndarray or None
        The best point found.
    value : float
        Its objective; inf without one.
    bound : float
        A proved lower bound on the optimal value.
    nodes : int
        The number of nodes that were solved.
    status : {"optimal", "infeasible", "unbounded", "unknown"}
        What is proved; "unknown" if a limit was reached first, or a node could not be solved.
    termination : str

    References
    ----------
    Bard and Moore, A branch and bound algorithm for the bilevel programming problem, SIAM J. Sci.
    Stat. Comput. 11, 1990.
    """

    program: ConvexProgram
    pairs: Any
    goal: float = -math.inf
    complete: Callable[[FloatArray], FloatArray | None] | None = None
    best: FloatArray | None = None
    value: float = math.inf
    bound: float = -math.inf
    nodes: int = 0
    status: str = "unknown"
    termination: str = CONVERGED
    _completed: int = field(default=0, init=False)  # nodes at which a point is completed next
    _left: float = field(default=math.inf, init=False)  # least bound of the nodes left unsolved

    def run(self, time_limit: float = math.inf, node_limit: float = math.inf) -> None:
        """Search until the gap is closed, or a limit is reached."""
        self._deadline = time.perf_counter() + time_limit
        self._queue: list[Any] = []
        self._push(self.program.columns, -math.inf)
        while self._queue and self.status != "unbounded" and not self.value < self.goal:
            self.bound = min(self._queue[0][0], self._left, self.value)
            if self.bound >= self._cutoff():
                break
            if self.nodes >= node_limit or time.perf_counter() >= self._deadline:
                self.termination = NODE_LIMIT if self.nodes >= node_limit else TIME_LIMIT
                return
            _, _, columns, answer = heapq.heappop(self._queue)
            for child in self._children(columns, answer):
                self._push(child, answer.bound)
        if self.status == "unbounded":
            self.bound = self.value = -math.inf
            return
        self.bound = min([self._left, self.value, *(node[0] for node in self._queue[:1])])
        if self.bound >= self._cutoff():
            self.status = "infeasible" if self.best is None else "optimal"

    def _cutoff(self) -> float:
        if self.best is None:
            return self.goal if math.isfinite(self.goal) else math.inf
        return self.value - PROVED * (1 + abs(self.value))

    def _solve(self, columns: Columns) -> ConvexAnswer:
        self.nodes += 1
        return self.program.solve(columns, self._deadline - time.perf_counter())

    def _push(self, columns: Columns, parent: float) -> None:
        """Solve a node, and queue it unless it is infeasible or cannot improve the best point."""
        answer = self._solve(columns)
        if answer.status == "infeasible":
            return
        least = max(parent, answer.bound)
        if answer.status == "optimal":
            self._round(columns, answer.z)
            self._complete(answer.z)
        if least < self._cutoff():
            heapq.heappush(self._queue, (least, self.nodes, columns, answer))
        else:
            self._left = min(self._left, least)

    def _open_pairs(self, columns: Columns) -> list[int]:
        """Return the pairs of which a node has fixed no side."""
        low, high = columns
        found: list[int] = np.flatnonzero((high > low)[self.pairs].all(axis=1)).tolist()
        return found

    def _complete(self, z: FloatArray) -> None:
        """Improve the piece of a completed point, at the root and ever more rarely."""
        if self.complete is None or self.nodes < self._completed:
            return
        self._completed = 2 * self.nodes
        point = self.complete(z)
        if point is not None:
            self._round(self.program.columns, point)

    def _round(self, columns: Columns, z: FloatArray) -> None:
        """Fix the smaller side of every pair, which gives a feasible point or nothing."""
        low, high = columns[0].copy(), columns[1].copy()
        smaller = (z[self.pairs] - low[self.pairs]).argmin(axis=1)
        chosen = np.take_along_axis(self.pairs, smaller[:, None], axis=1).ravel()
        high[chosen] = low[chosen]
        whole = self._branched()
        low[whole] = high[whole] = np.clip(np.round(z[whole]), low[whole], high[whole])
        found = self._solve((low, high))
        if found.status == "optimal" and found.value < self.value:
            self.best, self.value = found.z, found.value
        if found.status == "unbounded":
            self.status = "unbounded"

    def _branched(self) -> Any:
        """Return the integer variables that HiGHS does not treat."""
        is_mixed = not self.program.is_linear
        return np.flatnonzero(self.program.integer & is_mixed)

    def _children(self, columns: Columns, answer: ConvexAnswer) -> list[Columns]:
        """Return the bounds of the two children of a node; none if it is solved."""
        open_pairs = self._open_pairs(columns)
        if answer.status != "optimal":
            if open_pairs:
                return self._split(columns, open_pairs[0])
            if answer.status == "unbounded" and not self._branched().size:
                self.status = "unbounded"
            self._left = min(self._left, answer.bound)
            return []
        sides = answer.z[self.pairs] - columns[0][self.pairs]
        smaller, larger = sides.min(axis=1), sides.max(axis=1)
        if open_pairs:
            worst = max(open_pairs, key=lambda k: smaller[k])
            if smaller[worst] > COMPLEMENTARY * (1 + larger[worst]):
                return self._split(columns, worst)
        for k in self._branched():
            value = answer.z[k]
            if abs(value - round(value)) > WHOLE:
                below, above = columns[1].copy(), columns[0].copy()
                below[k], above[k] = math.floor(value), math.ceil(value)
                return [(columns[0], below), (above, columns[1])]
        # Only rounding errors can separate this node from the point that `_round` found at it.
        if self.value > answer.bound + ROUNDING * (1 + abs(answer.bound)):
            if open_pairs:
                return self._split(columns, worst)
            self._left = min(self._left, answer.bound)
        return []

    def _split(self, columns: Columns, pair: int) -> list[Columns]:
        low, high = columns
        children = []
        for k in self.pairs[pair]:
            fixed = high.copy()
            fixed[k] = low[k]
            children.append((low, fixed))
        return children


def complementarity_branching(single: KktModel) -> Branching | None:
    """Return the search for a single-level model whose pairs are not relaxed.

    Parameters
    ----------
    single : KktModel
        With `relaxation=None`.

    Returns
    -------
    Branching or None
        None if a constraint is not linear, or the leader's objective is not linear or convex
        quadratic. `variables_of` gives the order of the variables.
    """
    variables = variables_of(single)
    program = convex_program(
        variables,
        single.program.sign * single.program.objective.expr,
        single.model.component_data_objects(pyo.Constraint, active=True),
    )
    if program is None:
        return None
    place = ComponentMap((v, k) for k, v in enumerate(variables))
    pairs = [[place[side.component] for side in sides_of(pair)] for pair in single.pairs.values()]
    return Branching(program, np.array(pairs, dtype=int).reshape(-1, 2))


def variables_of(single: KktModel) -> list[Any]:
    """Return the variables of a single-level model that are used and not fixed."""
    rows = single.model.component_data_objects(pyo.Constraint, active=True)
    bodies = [single.program.objective.expr, *(row.body for row in rows)]
    found = ComponentSet(v for body in bodies for v in identify_variables(body, False))
    found.update(side.component for pair in single.pairs.values() for side in sides_of(pair))
    return list(found)


def sides_of(pair: Complementarity) -> tuple[Side, Side]:
    """Return both sides of a pair, of which the model contains the sides."""
    assert pair.left is not None
    assert pair.right is not None
    return pair.left, pair.right
