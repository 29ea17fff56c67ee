"""A problem in parts that can be looked at one by one: the lines of a model that separates.

The data of a line are sums of features with signs, and these are rounded: s = v + e + F eps, where
v and what moves it are doubles, and e and F the errors of the roundings, which are doubles, too.
So a line is the line of v, moved by eps and by two further parameters

    theta = t, with the column e / t,    phi = c eps, with the columns F / c,

for any t and c: ||(eps, theta, phi)|| <= ||eps|| (1 + c) + t, and the proofs on the line of v hold
for all of that. With c, and t in a unit of eps, near the root of the unit roundoff, both what the
columns do and how much farther the proofs reach are negligible. Where no sum is rounded nothing is
added.
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
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.result import Clustering
from bilad.solvers.errors import UnsupportedError

TOL = 1e-10  # of the lines' own solutions
SHARE = 2.0**-27  # c
CAUTION = 4 * ROUNDOFF  # relative, for the roundings of a radius


@dataclass(frozen=True)
class LineProblem:
    """A line of a problem, or a problem in which p = 2 joins the features.

    Attributes
    ----------
    problem : BilevelProblem
        Of its eps, the first entries are those of the problem that it is a line of.
    clustering : Clustering
        At eps = 0.
    stretch, offset : float
        An eps of that problem with the norm r is one of this problem, with a norm of at most
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
        """Return how long an eps may be that this problem has within a radius; rounded down."""
        if self.is_exact:
            return radius
        return max(radius - self.offset, 0.0) / self.stretch * (1 - CAUTION)

    def reach(self, radius: float) -> float:
        """Return the radius within which this problem has every eps of a norm; rounded up."""
        if self.is_exact:
            return radius
        return (radius * self.stretch + self.offset) * (1 + CAUTION)


def is_supported(model: ConvexClustering) -> bool:
    """Whether anything can be proved: for p = inf and d > 2 nothing is."""
    return model.p == 2 or line_signs(model) is not None


def lines(problem: BilevelProblem, clustering: Clustering) -> Iterator[LineProblem]:
    """Yield the problem's lines, or the problem itself if it is one line or p = 2.

    They have the same eps. Points share a cluster iff they do on every line.

    Raises
    ------
    UnsupportedError
        For p = inf and d > 2.
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
        offset = 2.0 ** int(np.log2(length))  # so that nothing is rounded here
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

    Knuth's two-sum: rounded + error is the sum, if it does not overflow.
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
