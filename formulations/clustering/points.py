"""The components that all conditions of convex clustering share: x, A(eps), r(eps), distances.

The rows of x belong to blocks of points (module `blocks`); without contraction every point is a
block of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyomo.environ as pyo

from bilad.formulations.clustering.blocks import BlockModel
from bilad.formulations.clustering.displacement import may_coincide
from bilad.formulations.clustering.edge_terms import difference_of_rows
from bilad.formulations.complementarity import Complementarity
from bilad.formulations.leader import affine
from bilad.formulations.schedule import ScheduleStage
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.problem import BilevelProblem
from bilad.models.smooth_deviation import SmoothDeviation, SmoothPairs
from bilad.models.validation import FloatArray, IntArray


class PointConditions(ABC):
    """Base class of the `Conditions` of convex clustering.

    Parameters
    ----------
    lower : ConvexClustering
        The model of the problem.
    model, problem, unit, baseline
        As in `Conditions`.
    block_of : ndarray of int, shape (n,), optional
        The block of each point; by default every point is a block.

    Attributes
    ----------
    model : pyomo.environ.ConcreteModel
        Its new components are the sets `points` (of the K blocks) and `features`, the parameter
        `mass[i]`, the number of points of block i, and the variables `x[i, c]` (feature c of block
        i).
    blocks : BlockModel
    data : ndarray of object, shape (K, d)
        a(eps), the centroids of the data. Entries that eps does not change are numbers.
    radii : dict of int to object
        r_e(eps) of each edge e with positive weight.
    ends : dict of int to (int, int)
        The end blocks i < j of each of these edges.
    pairs : mapping of (int, int) to Complementarity
        Empty unless a subclass has complementarity constraints.
    """

    def __init__(
        self,
        lower: ConvexClustering,
        model: pyo.ConcreteModel,
        problem: BilevelProblem,
        unit: float,
        baseline: Any,
        block_of: IntArray | None = None,
    ) -> None:
        self.lower, self.model, self.problem, self.unit = lower, model, problem, unit
        self._baseline = baseline
        self.pairs: Mapping[tuple[int, int], Complementarity] = {}
        self.blocks = blocks = BlockModel.of(problem, block_of)
        count, d = blocks.data.shape
        model.points, model.features = pyo.RangeSet(0, count - 1), pyo.RangeSet(0, d - 1)
        model.mass = pyo.Param(model.points, initialize=dict(enumerate(blocks.masses.tolist())))
        model.x = pyo.Var(model.points, model.features)
        self.data = affine(model, blocks.data, blocks.data_rates)
        names, radii = blocks.names.tolist(), affine(model, blocks.radii, blocks.radii_rates)
        self.radii = dict(zip(names, radii.tolist(), strict=True))
        self.ends = dict(zip(names, map(tuple, blocks.edges.tolist()), strict=True))
        self._edge_of = {pair: e for e, pair in self.ends.items()}

    @abstractmethod
    def difference(self, e: int, c: int) -> Any:
        """Return an expression for feature c of u_e = x_i - x_j, e = (i, j)."""

    @abstractmethod
    def violation(self) -> float:
        """Return the violation of lower-level optimality at this point: dimensionless, >= 0."""

    def edges_by_tail(self) -> dict[int, list[int]]:
        """Return, for each block i, the edges (i, j) with j > i."""
        outgoing: dict[int, list[int]] = {i: [] for i in self.model.points}
        for e, (i, _) in self.ends.items():
            outgoing[i].append(e)
        return outgoing

    def variables(self) -> list[Any]:
        """Return the row of x of each point's block, point by point."""
        rows = self.blocks.block_of.tolist()
        return [self.model.x[i, c] for i in rows for c in self.model.features]

    def relevant(self, deviation: SmoothDeviation) -> SmoothDeviation:
        """Return the deviation without the pairs that are apart for every eps."""
        if isinstance(deviation, SmoothPairs):
            deviation = self.blocks.aggregate(deviation)
            rows = self.blocks.rows(self._baseline.X)
            near = may_coincide(self.problem, rows, deviation.pairs)
            deviation = deviation.restricted(deviation.together | near)
        return deviation

    def squared_distance(self, i: int, j: int) -> Any:
        """Return an expression for ||x_i - x_j||^2, i < j."""
        e, features = self._edge_of.get((i, j)), self.model.features
        if e is None:
            return sum(difference_of_rows(self.model, (i, j), c) ** 2 for c in features)
        return sum(self.difference(e, c) ** 2 for c in features)

    def penalty(self, scale: float) -> Any:
        """Return 0; a subclass may have a penalty term."""
        return 0.0

    def set_stage(self, stage: ScheduleStage) -> None:  # noqa: B027 (a subclass may need it)
        """Do nothing; a subclass may have parameters that depend on the stage."""

    def start_from(self, eps: FloatArray, solution: Any) -> None:
        """Set x to a lower-level solution at eps, averaged over each block."""
        self._set_rows(self.blocks.rows(solution.X))

    def _set_rows(self, X: FloatArray) -> None:
        """Set x to the rows of X, one for each block."""
        for (i, c), value in np.ndenumerate(X):
            self.model.x[i, c].set_value(float(value))
