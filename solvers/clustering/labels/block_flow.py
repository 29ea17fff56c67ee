"""A flow that certifies blocks: balanced by electrical currents inside, at capacity between them.

The currents have the unused capacities as conductances. What exceeds a capacity is cut, and the
next current replaces it. Each current is one solve with M + B'CB, on the pattern of the graph.
"""

from __future__ import annotations

import numpy as np

from bilad.models.norms import row_norms
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.clustering.elimination.elimination import Cholesky
from bilad.solvers.clustering.labels import flow_loops
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.partition import (
    ROUNDOFF,
    Partition,
    make_partition,
    near_pairs,
    numbered,
)

MOST_CURRENTS = 4
# The imbalance at a point that ends the currents, relative to the largest capacity or to the spread
# of the data, whichever is less.
BALANCED = 1e-11
STALLED = 0.9  # a current that leaves more of the imbalance of a block is in vain
FEW_BLOCKS = 100  # up to which all pairs of centroids are compared


class BlockFlow:
    """Flows on the edges of one problem; a proof of blocks needs one of them.

    Parameters
    ----------
    problem : ContractedProblem
        The whole problem, with masses 1, in data of unit spread; the graph stays, the data may
        change.
    errors : ndarray, shape (n, d), or None
        Bounds on the errors of the data: a proof holds for all data as near as that.
    """

    def __init__(self, problem: ContractedProblem, errors: FloatArray | None = None) -> None:
        self._order = order = problem.elimination
        self._edges = order.lows, order.highs, np.ascontiguousarray(problem.radii[order.edges])
        self._goal = BALANCED * min(float(problem.radii.max()), 1.0)
        self._cholesky = Cholesky(order, 1)
        self._joined = np.zeros(len(problem.masses), dtype=np.bool_)
        self._joined[problem.tails] = self._joined[problem.heads] = True
        self._G = np.empty_like(problem.means)
        self._errors = np.zeros(len(problem.means))
        self.set_data(problem.means, self._errors if errors is None else row_norms(errors, 2))

    def set_data(self, data: FloatArray, errors: FloatArray | float) -> None:
        """Replace the data, shape (n, d), and the bounds on the error of each row."""
        self._data = self._order.enter(data)
        self._errors[:] = self._order.enter(errors) if isinstance(errors, np.ndarray) else errors

    def lift(
        self, blocks: IntArray, centroids: FloatArray, Z: FloatArray | None = None
    ) -> BoolArray:
        """Make a flow for the blocks from another flow, by default from the last, and keep it.

        Parameters
        ----------
        blocks : ndarray of int, shape (n,)
        centroids : ndarray, shape (2, K, d)
            Their sum, as `ContractedProblem.minimiser` returns it.
        Z : ndarray, shape (m, d), optional

        Returns
        -------
        ndarray of bool, shape (K,)
            Which blocks are balanced.
        """
        self._blocks, self._centroids = self._order.enter(blocks), centroids
        if Z is not None:
            self._Z = self._order.enter_flow(Z)
        shape = centroids.shape[1:]
        self._means, self._sizes, worst = np.empty(shape), np.empty(shape[0]), np.empty(shape[0])
        flow_loops.align(*self._edges, self._blocks, centroids, self._Z)
        self._worst = worst
        self._balance(self._goal)
        return worst <= self._goal

    def _balance(self, goal: float) -> None:
        """Send currents until no imbalance above the goal decreases much."""
        last = np.full_like(self._worst, np.inf)
        for current in range(MOST_CURRENTS + 1):
            self._measure_imbalance()
            open_blocks = self._worst > goal
            decreasing = open_blocks & (self._worst < STALLED * last)
            if not decreasing.any() or current == MOST_CURRENTS or not self._send_current():
                break
            last[:] = self._worst

    def _measure_imbalance(self) -> None:
        lows, highs, _ = self._edges
        flow_loops.imbalance(
            lows,
            highs,
            self._data,
            self._blocks,
            self._centroids,
            self._Z,
            self._G,
            self._means,
            self._sizes,
            self._worst,
        )

    def _send_current(self) -> bool:
        cholesky = self._cholesky
        flow_loops.conductances(*self._edges, self._blocks, self._Z, cholesky.H, cholesky.diagonal)
        if not cholesky.factorise():
            return False
        potentials = self._G.copy()
        cholesky.solve(potentials)
        flow_loops.send(*self._edges, cholesky.H, potentials, self._Z)
        return True

    def resolution(self) -> float | None:
        """Prove the blocks of the last flow.

        Returns
        -------
        float or None
            Blocks whose centroids are farther apart than this are apart in X*. None if it is not
            proved that the points of every block are equal.
        """
        proved, resolution = flow_loops.certify(
            *self._edges,
            self._data,
            self._errors,
            self._blocks,
            self._centroids,
            self._Z,
            self._G,
            self._means,
            self._sizes,
        )
        return resolution if proved else None

    def proves(self) -> bool:
        """Return whether the partition into the last blocks is proved, for few blocks."""
        resolution = self.resolution()
        if resolution is None or len(self._sizes) > FEW_BLOCKS:
            return False
        return bool(flow_loops.are_apart(self._centroids, resolution))

    def partition(self) -> Partition | None:
        """Return the partition into the blocks of the last flow if it is proved, else None."""
        resolution = self.resolution()
        balanced = self._worst <= self._goal
        if resolution is None and balanced.all():  # small capacities may need more digits
            self._balance(0.0)
            resolution = self.resolution()
        if resolution is None:
            return None
        blocks, centroids = self._order.leave(self._blocks), self._centroids.sum(axis=0)
        rounding = ROUNDOFF * float(np.abs(centroids).max())
        near = near_pairs(centroids, (1 + 8 * ROUNDOFF) * resolution + 4 * rounding)
        U = self._centroids[:, near[:, 0]] - self._centroids[:, near[:, 1]]
        margin = 1 + (centroids.shape[1] + 4) * ROUNDOFF
        nothing = np.empty((0, 2), dtype=np.int64)
        if (row_norms(U.sum(axis=0), 2) > margin * resolution).all():
            return Partition(numbered([blocks]), nothing)
        unsure = self._joined | (self._order.leave(self._errors) > 0)
        exact = np.bincount(blocks, unsure) == 0
        alone = ~self._joined  # X* = A at points without edges
        centroids[blocks[alone]] = self._order.leave(self._data)[alone]
        partition = make_partition(blocks, centroids, resolution + 4 * rounding, nothing, exact)
        return partition if partition.proved else None

    def flow(self) -> FloatArray:
        """Return the last flow on the edges of the problem: shape (m, d)."""
        return self._order.leave_flow(self._Z)
