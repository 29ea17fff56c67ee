"""A model in a unit of its own, in which it is solved and proved for data of any magnitude.

Squares of numbers above 1e154 overflow, and those of numbers below 1e-154 underflow. Every model is
therefore written as A = offset + 2^k A', gamma w = 2^k r', where the largest feature range of A' is
between 1 and 2. Multiplication by a power of two is exact. A feature is shifted by its least value
only if its values differ by a factor of at most two, so that the differences are exact too. Both
models have the same partitions, and X = offset + 2^k X', Z = 2^k Z'.

Capacities are restricted to a range in a way that changes neither labels nor proofs. From above: if
an edge is not fused it is at its capacity, and across a hyperplane that separates its ends all
flows have the same direction. So its capacity is at most sum_i ||a_i - x_i||_1 <= 2 n d max_k (half
the range of feature k), and an edge with a larger capacity is fused. From below: `LEAST_CAPACITY`
is far below `proof.UNDERFLOW`, which the proofs count as rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.norms import row_norms
from bilad.models.rounding import scaled_bounds
from bilad.models.validation import ArgumentError, FloatArray

LEAST_NORMAL = -1021  # exponent of the least normal number, as `frexp` defines it
LARGEST_EXPONENT = 200  # of A', so that squares and their sums are finite
LEAST_CAPACITY = 2.0**-1000
FAR = 1e120  # above the size of all numbers in the unit of a model
LEAST_REFERENCE = 1e-150  # its square does not underflow


@dataclass(frozen=True)
class UnitScale:
    """A model and the equivalent model in the unit 2^exponent.

    Attributes
    ----------
    given : ConvexClustering
    model : ConvexClustering
        The equivalent model.
    exponent : int
    offset : ndarray, shape (d,)
        In the unit of the data.
    """

    given: ConvexClustering
    model: ConvexClustering
    exponent: int
    offset: FloatArray

    @property
    def reference(self) -> float:
        """1 / 2^exponent, the unit of the data in the scaled unit, but at most 1.

        Relative errors are divided by it plus the size of the data.
        """
        return min(1.0, max(LEAST_REFERENCE, _power_of_two(-self.exponent)))

    def enter(self, X: FloatArray, Z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Convert X (n, d) and Z (m, d) to the scaled unit."""
        with np.errstate(over="ignore"):
            return np.ldexp(X - self.offset, -self.exponent), np.ldexp(Z, -self.exponent)

    def leave_primal(self, X: FloatArray) -> FloatArray:
        """Convert X (n, d) to the unit of the data."""
        with np.errstate(over="ignore"):
            return self.offset + np.ldexp(X, self.exponent)

    def leave_square(self, value: float) -> float:
        """Convert an objective to the unit of the data; 0 or inf if it underflows or overflows."""
        with np.errstate(over="ignore"):
            return float(np.ldexp(value, 2 * self.exponent))

    def relative_square(self, value: float, size: float) -> float:
        """Return value / (1 + size) in the unit of the data, both squares: a relative gap."""
        return _ratio(value, _power_of_two(-2 * self.exponent) + size)

    def relative(self, value: float, size: float) -> float:
        """Return value / (1 + size) in the unit of the data, both lengths: a relative residual."""
        return _ratio(value, _power_of_two(-self.exponent) + size)

    def beyond_capacity(self, X: FloatArray) -> float:
        """Return by how much the reduction of capacities has lowered the objective at X."""
        if self.model.graph is self.given.graph:
            return 0.0
        if not np.ptp(X, axis=0).any():  # all differences vanish; avoids making the edges
            return 0.0
        lengths = row_norms(self.model.graph.differences(X), self.model.p)
        stretched = lengths > 0
        with np.errstate(over="ignore"):
            true = _capacities(self.given.gamma, self.given.graph.weights, self.exponent)
            more = np.maximum(true - self.model.radii, 0.0)[stretched]
            return float(more @ lengths[stretched])


def unit_scale(model: ConvexClustering) -> UnitScale:
    """Scale a model to a unit of its own.

    Raises
    ------
    ArgumentError
        If the magnitudes of the data differ so much that no unit represents all of them.
    """
    low, high = model.data.min(axis=0), model.data.max(axis=0)
    near = (low > 0.5 * high) & (low > 0) | (0.5 * low > high) & (high < 0)
    offset = np.where(near, low, 0.0)
    data = model.data - offset if near.any() else model.data
    half = 0.5 * high - 0.5 * low
    size = float(half.max()) or float(np.abs(data).max())
    _, largest = math.frexp(size)
    exponent = largest
    scaled = np.ldexp(data, -exponent)
    if exponent > 0 and not np.array_equal(np.ldexp(scaled, exponent), data):
        least = float(np.abs(data[data != 0]).min())
        exponent = math.frexp(least)[1] - LEAST_NORMAL
        if largest - exponent > LARGEST_EXPONENT:
            given = f"numbers as small as {least:.1e} beside a range of {2 * size:.1e}"
            raise ArgumentError("data", given, "numbers that one unit of length can represent")
        scaled = np.ldexp(data, -exponent)
    most = 8.0 * model.n * model.d * 2.0 ** (largest - exponent)
    graph, gamma = _in_range(model, exponent, most)
    own = ConvexClustering(scaled, graph, gamma, model.p)
    if model.rounding is not None:
        # With errors of this size nothing can be proved, and their squares are finite.
        own = own.rounded(np.minimum(scaled_bounds(model.rounding, _power_of_two(-exponent)), FAR))
    return UnitScale(model, own, exponent, offset)


def _in_range(model: ConvexClustering, exponent: int, most: float) -> tuple[FusionGraph, float]:
    """Return graph and gamma in the scaled unit, with the capacities restricted to their range."""
    graph, weight = model.graph, model.graph.uniform_weight
    weights = graph.weights if weight is None else np.array([weight])
    if model.gamma == 0 or not weights.any():
        return graph, 0.0
    with np.errstate(over="ignore"):
        gamma = float(np.ldexp(model.gamma, -exponent))
        capacities = gamma * weights if LEAST_CAPACITY <= gamma < math.inf else -weights
    within = (capacities >= LEAST_CAPACITY) & (capacities <= most)
    if (within | (weights == 0)).all():
        return graph, gamma
    true = _capacities(model.gamma, weights, exponent)
    capacities = np.where(weights > 0, np.clip(true, LEAST_CAPACITY, most), 0.0)
    if weight is None:
        return graph.with_weights(capacities), 1.0
    complete = FusionGraph.complete(graph.n, float(capacities[0]))
    same = complete.has_edges_of(graph)  # the edges of a given graph may be in another order
    return complete if same else graph.with_weights(np.full(graph.m, capacities[0])), 1.0


def _capacities(gamma: float, weights: FloatArray, exponent: int) -> FloatArray:
    """Return gamma w_e / 2^exponent without overflow or underflow of the product."""
    share, power = math.frexp(gamma)
    shares, powers = np.frexp(weights)
    with np.errstate(over="ignore"):
        return np.asarray(np.ldexp(share * shares, powers + (power - exponent)))


def _power_of_two(exponent: int) -> float:
    with np.errstate(over="ignore"):
        return float(np.ldexp(1.0, exponent))


def _ratio(value: float, size: float) -> float:
    """Return value / size, also for the sizes 0 and inf."""
    if value == 0.0 or math.isinf(value):
        return value
    with np.errstate(over="ignore"):
        return float(np.float64(value) / size) if size else math.inf
