"""The contracted problem: every block of points replaced by one point with the block's mass.

    min_y  1/2 sum_k n_k ||y_k - abar_k||^2 + sum_{k<l} r_kl ||y_k - y_l||_p,   r_kl = gamma w^(k,l)

where n_k is the mass and abar_k the mean of the data of block k, and w^(k,l) is the sum of the
weights between blocks k and l. For p = 2 the objective is smooth where all y_k differ, and a few
steps of Newton's method from the centroids of a solver's solution give the forces between blocks to
rounding accuracy, although the solver stopped earlier.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.elimination.elimination import Cholesky, Elimination
from bilad.solvers.clustering.labels import contracted_loops
from bilad.solvers.clustering.labels.components import fused_components
from bilad.solvers.clustering.labels.flow import block_sums

STEPS, HALVINGS = 20, 8
SLOW = 0.9  # if a full step leaves more of the gradient, rounding errors dominate: it is the last
ROUNDOFF = float(np.finfo(float).eps)
SMALL_GRADIENT = 1e-12  # relative to the forces
# Newton's matrix is factorised up to this many rows, and up to this many entries if it is sparse.
MOST_ROWS, MOST_ENTRIES, DENSE_ROWS = 30_000, 1_000_000, 1_000


@dataclass(frozen=True)
class BlockPairs:
    """The edges between different blocks, aggregated by pair of blocks.

    Attributes
    ----------
    between : ndarray of int, shape (b,)
        Edges between different blocks, of positive weight.
    pair : ndarray of int, shape (b,)
        The pair of blocks of each of them, 0..P-1.
    signs : ndarray, shape (b, 1)
        1 if the edge goes from the block with the smaller number to the other, else -1.
    tails, heads : ndarray of int, shape (P,)
        The two blocks of each pair, tails < heads.
    weights : ndarray, shape (P,)
        The sum of the weights of the edges of each pair.
    """

    between: IntArray
    pair: IntArray
    signs: FloatArray
    tails: IntArray
    heads: IntArray
    weights: FloatArray


def aggregate_edges(
    tails: IntArray, heads: IntArray, weights: FloatArray, blocks: IntArray
) -> BlockPairs:
    """Aggregate the edges between blocks.

    Parameters
    ----------
    tails, heads : ndarray of int, shape (m,)
    weights : ndarray, shape (m,)
        Nonnegative numbers to be summed.
    blocks : ndarray of int, shape (n,)
        Block of each point, 0..K-1.
    """
    return BlockPairs(
        *contracted_loops.aggregate(tails, heads, weights, blocks, int(blocks.max()) + 1)
    )


class ContractedProblem:
    """The problem of the blocks' centroids, p = 2.

    Parameters
    ----------
    masses : ndarray, shape (K,)
        Masses of the blocks.
    means : ndarray, shape (K, d)
        Means of the data.
    tails, heads : ndarray of int, shape (P,)
        The joined pairs of blocks, tails < heads.
    radii : ndarray, shape (P,)
        Their capacities r_kl.
    offset : float, default 0
        A constant of the objective: the misfit inside the blocks.
    """

    def __init__(
        self,
        masses: FloatArray,
        means: FloatArray,
        tails: IntArray,
        heads: IntArray,
        radii: FloatArray,
        offset: float = 0.0,
    ) -> None:
        self.masses, self.means = masses, means
        self.tails, self.heads, self.radii, self.offset = tails, heads, radii, offset
        self.d = means.shape[1]

    @classmethod
    def of(cls, model: ConvexClustering, blocks: IntArray) -> ContractedProblem:
        """Contract the blocks (n,) of a model, numbered 0..K-1."""
        return cls.whole(model).contracted(blocks)[0]

    @classmethod
    def whole(cls, model: ConvexClustering) -> ContractedProblem:
        """Return the problem in which every point is a block."""
        (tails, heads), radii, positive = model.graph.ends, model.radii, model.radii > 0
        if not positive.all():
            tails, heads, radii = tails[positive], heads[positive], radii[positive]
        return cls(np.ones(model.n), model.data, tails, heads, radii)

    def contracted(self, blocks: IntArray) -> tuple[ContractedProblem, BlockPairs]:
        """Contract the blocks (K,) of this problem; return also the pairs that it joins."""
        pairs = aggregate_edges(self.tails, self.heads, self.radii, blocks)
        masses = np.bincount(blocks, self.masses).astype(np.float64)
        weighted = self.masses[:, None] * self.means
        means = block_sums(weighted, blocks) / masses[:, None]
        inside = np.vdot(weighted - self.masses[:, None] * means[blocks], self.means)
        offset = self.offset + 0.5 * float(inside)
        problem = ContractedProblem(masses, means, pairs.tails, pairs.heads, pairs.weights, offset)
        return problem, pairs

    def merged(self, blocks: IntArray) -> ContractedProblem:
        """Contract the blocks (K,) and keep the elimination order, which a few steps are worth."""
        problem, _ = self.contracted(blocks)
        order = self.elimination.contracted_order(blocks)
        problem.elimination = Elimination(len(order), problem.tails, problem.heads, order)
        return problem

    def fused_components(
        self, Y: FloatArray, F: FloatArray, resolution: float, short: float
    ) -> IntArray:
        """Return the components of the pairs taken as fused (module `components`): shape (K,)."""
        return fused_components(self.tails, self.heads, self.radii, Y, F, resolution, short)

    def set_means(self, means: FloatArray) -> None:
        """Replace the means, shape (K, d), as if the data had moved; the offset stays."""
        self.means = means
        if "_newton" in self.__dict__:
            self._newton.means = self.elimination.enter(means)

    @property
    def small(self) -> bool:
        """Whether blocks are joined at all, and the Newton matrix is cheap to factorise."""
        rows, entries = self.means.size, 2 * len(self.radii) * self.d**2
        if entries == 0:
            return False
        return rows <= DENSE_ROWS or (rows <= MOST_ROWS and entries <= min(MOST_ENTRIES, 50 * rows))

    @cached_property
    def elimination(self) -> Elimination:
        """The elimination order of the blocks."""
        return Elimination(len(self.masses), self.tails, self.heads)

    def is_joined_like(self, other: ContractedProblem) -> bool:
        """Return whether another problem has the same pairs in the same order."""
        same = len(self.masses) == len(other.masses)
        ends = (self.tails, self.heads), (other.tails, other.heads)
        return same and all(map(np.array_equal, *ends))

    @cached_property
    def _size(self) -> float:
        """The size of the terms of the gradient, to which its rounding error is proportional."""
        weighted = self.masses[:, None] * self.means
        return float(np.linalg.norm(self.radii) + np.linalg.norm(weighted))

    @cached_property
    def _newton(self) -> _Newton:
        return _Newton(self)

    def gradient(self, y: FloatArray) -> FloatArray:
        """Return the gradient at distinct centroids: shape (K, d)."""
        order, G = self.elimination, np.empty_like(y)
        self._newton.gradient(_split(order.enter(y)), G)
        return order.leave(G)

    def solve_hessian(self, y: FloatArray, R: FloatArray) -> FloatArray:
        """Return H^-1 R for the Hessian H at distinct centroids: shape (K, d).

        H = M + B'CB with C_kl = r_kl / ||u|| (I - u u' / ||u||^2), u = y_k - y_l.
        """
        X = self.elimination.enter(R)
        if not self._newton.factorise(_split(self.elimination.enter(y))):
            raise np.linalg.LinAlgError("the Hessian of the contracted problem is not definite")
        self._newton.solve(X)
        return self.elimination.leave(X)

    def polished(
        self, y: FloatArray, deadline: float = float("inf"), steps: int = STEPS
    ) -> FloatArray:
        """Return centroids with a smaller gradient, if Newton's method finds such.

        Parameters
        ----------
        y : ndarray, shape (K, d)
        deadline : float, default inf
            Value of `time.perf_counter()` after which no step is begun.
        steps : int, default 20
            The largest number of steps.
        """
        return self.minimiser(y, deadline, steps)[0].sum(axis=0)

    def minimiser(
        self, y: FloatArray, deadline: float = float("inf"), steps: int = STEPS
    ) -> tuple[FloatArray, float]:
        """Do the same as `polished`, to more digits.

        Returns
        -------
        centroids : ndarray, shape (2, K, d)
            Their sum is the point, in which differences of close centroids keep their digits. The
            second is the rounding error of the first.
        gradient : float
            Its norm relative to the forces; where it vanishes to rounding, at most
            `SMALL_GRADIENT`.
        """
        order = self.elimination
        rounding = ROUNDOFF * self._size
        Y, norm = self._newton.minimise(_split(order.enter(y)), rounding, deadline, steps)
        rounded = Y[0] + Y[1]
        part = rounded - Y[0]
        error = (Y[0] - (rounded - part)) + (Y[1] - part)  # exact, by Knuth's TwoSum
        centroids = np.stack([order.leave(rounded), order.leave(error)])
        return centroids, norm / self._size if norm > 0 else 0.0


def _split(Y: FloatArray) -> FloatArray:
    """Return Y as a sum with zero: shape (2, K, d)."""
    return np.stack([Y, np.zeros_like(Y)])


class _Newton:
    """Newton's method on a contracted problem, with the blocks in elimination order."""

    def __init__(self, problem: ContractedProblem) -> None:
        order = problem.elimination
        self._features = tuple(range(problem.d))
        self._cholesky = Cholesky(order, problem.d)
        self._joined = order.lows, order.highs, problem.radii[order.edges]
        self._masses, self.means = order.enter(problem.masses), order.enter(problem.means)

    def gradient(self, Y: FloatArray, G: FloatArray) -> float:
        """Write the gradient at Y to G and return its norm."""
        return contracted_loops.gradient(
            self._features, *self._joined, self._masses, self.means, Y, G
        )

    def factorise(self, Y: FloatArray) -> bool:
        """Factorise the Hessian at Y."""
        matrix = self._cholesky.H, self._cholesky.diagonal
        contracted_loops.hessian(self._features, *self._joined, self._masses, Y, *matrix)
        return self._cholesky.factorise()

    def solve(self, X: FloatArray) -> None:
        """Replace X by H^-1 X for the last Hessian."""
        self._cholesky.solve(X)

    def minimise(
        self, Y: FloatArray, rounding: float, deadline: float, steps: int
    ) -> tuple[FloatArray, float]:
        """Return the last point that reduced the norm of the gradient, and that norm."""
        G, trial = np.empty_like(Y[0]), Y.copy()
        before = self.gradient(Y, G)
        for _ in range(steps if np.isfinite(before) else 0):
            if before <= rounding:
                break
            if time.perf_counter() >= deadline or not self.factorise(Y):
                break
            step = G.copy()
            self.solve(step)
            for halved in range(HALVINGS):
                np.subtract(Y[1], step, out=trial[1])
                after = self.gradient(trial, G)
                if after < before:
                    break
                step *= 0.5
            else:
                break
            Y, trial = trial, Y
            slow, before = not halved and after >= SLOW * before, after
            if slow:
                break
        return Y, before
