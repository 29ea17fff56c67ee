"""Problems that separate into lines, in floating point with all rounding errors included.

For p = 1 each feature is a line; for p = inf and d = 2 the sum and the difference of the features
are lines (module `bilad.models.learning.separable`). Two points share a cluster if and only if
they do so on every line. Sums and differences are rounded, and the rounding errors become
parameters of their own.

Theorem. Let v and T be the rounded data and operator of a line, e and F their rounding errors, and
t, c > 0. The exact data at eps are those of the line with data v at (eps, theta, phi), where
theta = t multiplies the column e / t, and phi = c eps multiplies the columns F / c. Moreover,
||(eps, theta, phi)|| <= (1 + c) ||eps|| + t. Proof: v + e + (T + F) eps = v + T eps + theta e / t +
F phi / c.

With c, and t in a unit of eps, near the square root of the unit roundoff, both the additional
columns and the additional norm are negligible. If nothing is rounded, nothing is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.separable import line_signs
from bilad.models.perturbation import Perturbation
from bilad.models.problem import BilevelProblem, MaxDeviation
from bilad.models.validation import IntArray
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.errors import UnsupportedError

TOL = 1e-10  # tolerance of the solution on a line
SHARE = 2.0**-27  # c
CAUTION = 4 * float(np.finfo(float).eps)  # relative rounding error of a radius


@dataclass(frozen=True)
class LineProblem:
    """A line of a problem, or the problem itself if it has one line or p = 2.

    Attributes
    ----------
    problem : BilevelProblem
        The first entries of its eps are those of the original problem.
    clustering : Clustering
        At eps = 0.
    stretch, offset : float
        An eps of norm r of the original problem is an eps of this problem with a norm of at most
        `stretch * r + offset`.
    """

    problem: BilevelProblem
    clustering: Clustering
    stretch: float = 1.0
    offset: float = 0.0

    @property
    def is_exact(self) -> bool:
        """Whether no sum of features is rounded."""
        return self.stretch == 1.0 and self.offset == 0.0

    def certified(self, radius: float) -> float:
        """Convert a radius of this problem to one of the original problem, rounded down."""
        if self.is_exact:
            return radius
        return max(radius - self.offset, 0.0) / self.stretch * (1 - CAUTION)

    def reach(self, radius: float) -> float:
        """Convert a radius of the original problem to one of this problem, rounded up."""
        if self.is_exact:
            return radius
        return (radius * self.stretch + self.offset) * (1 + CAUTION)


def is_supported(model: ConvexClustering) -> bool:
    """Return whether certificates are available; for p = inf and d > 2 they are not."""
    return model.p == 2 or line_signs(model) is not None


def lines(problem: BilevelProblem, clustering: Clustering) -> Iterator[LineProblem]:
    """Yield the lines of a problem, or the problem itself if it is one line or p = 2.

    Raises
    ------
    UnsupportedError
        If p = inf and d > 2.
    """
    model = clustering_of(problem)
    if not is_supported(model):
        reason = f"p = inf, d = {model.d}: only for d <= 2 this separates into lines"
        raise UnsupportedError("certified_radius", reason, [])
    signs = line_signs(model)
    if signs is None or model.d == 1:
        yield LineProblem(problem, clustering)
        return
    for row in signs:
        yield _line(problem, row)


def _line(problem: BilevelProblem, signs: IntArray) -> LineProblem:
    """Return the line that sums the features with these signs."""
    model, given = clustering_of(problem), problem.perturbation
    T = problem.operator("data")
    data, error = _sum([sp.csr_array(model.data[:, [c]]) for c in range(model.d)], signs)
    moves, unknown = _sum([T[c :: model.d] for c in range(model.d)], signs)
    parts, stretch, offset = [(moves, given.lower, given.upper)], 1.0, 0.0
    if error.nnz:
        spread = float(np.ptp(data.toarray())) or 1.0
        length = np.sqrt(abs(error).max() * spread) / (abs(moves).max() or spread)
        offset = 2.0 ** int(np.log2(length))  # a power of two, so that e / t is exact
        parts.append((sp.csr_array(error / offset), np.zeros(1), np.full(1, np.inf)))
    if unknown.nnz:
        stretch = 1 + SHARE
        parts.append((sp.csr_array(unknown / SHARE), given.lower, given.upper))
    operators, lower, upper = zip(*parts, strict=True)
    operator = sp.csr_array(sp.hstack(operators))
    edges = edge_operator(problem)
    rest = sp.csr_array((edges.shape[0], operator.shape[1] - edges.shape[1]))
    perturbation = Perturbation.linear(
        (model.n, 1),
        operator,
        model.graph,
        sp.csr_array(sp.hstack([edges, rest])),
        np.concatenate(lower),
        np.concatenate(upper),
    )
    line = ConvexClustering(data.toarray(), model.graph, model.gamma, 1)
    found = solve_lower(line, tol=TOL, refine=True)
    return LineProblem(MaxDeviation(line, perturbation, 1.0, problem.norm), found, stretch, offset)


def _sum(columns: list[sp.csr_array], signs: IntArray) -> tuple[sp.csr_array, sp.csr_array]:
    """Return the rounded sum of at most two arrays with signs, and the exact error of each entry.

    This is Knuth's two-sum: the rounded sum plus the error is the sum, unless it overflows.
    """
    first, *others = [int(s) * column for s, column in zip(signs, columns, strict=True) if s]
    if not others:
        return first, sp.csr_array(first.shape)
    (second,) = others
    total = first + second
    part = total - first
    error = (first - (total - part)) + (second - part)
    error.eliminate_zeros()
    return sp.csr_array(total), sp.csr_array(error)
