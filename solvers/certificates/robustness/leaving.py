"""What it costs a point to leave its cluster: on a line, complete graph, equal weights.

Let r = gamma w, and let A be points that stay together at every eps of the budget, none of them
moved by it. At some eps let A' be the cluster of A, G that of another point f, and x_f > x_A. Then

    mean_G - mean_A' > r (|A'| + |G|)         G lies above A',
    a_f >= mean_G - r (|G| - 1)               f has not left G downwards,
    mean_A' + r |A'| >= mean_A + r |A|        nor the rest of A' left A,

of the data at that eps; so a_f > mean_A + r (|A| + 1). Likewise downwards. A is not moved, so that
this is a condition on the eps of f alone: its cost. Where each entry of eps moves one point, those
that have left share the budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.sparse as sp

from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.norms import conjugate
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray, IntArray
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF


@dataclass(frozen=True)
class Leaving:
    """What is settled as long as nobody leaves, and the price of leaving.

    Attributes
    ----------
    costs : ndarray, shape (n,)
        The least |eps_f| with which point f leaves; infinite if none does.
    together, apart : ndarray of bool, shape (n, n)
        Of the pairs of which neither leaves; no less than what is settled anyhow.
    """

    costs: FloatArray
    together: BoolArray
    apart: BoolArray

    @classmethod
    def of(
        cls, problem: BilevelProblem, clusters: IntArray, together: BoolArray, apart: BoolArray
    ) -> Leaving:
        """Price what can be priced; what cannot is as settled as it was.

        Parameters
        ----------
        problem : BilevelProblem
        clusters : ndarray of int, shape (n,)
            At eps = 0.
        together, apart : ndarray of bool, shape (n, n)
            Settled within the budget.
        """
        n = clustering_of(problem).n
        costs, group = np.full(n, np.inf), np.arange(n)
        if _is_even_line(problem):
            for members in (np.flatnonzero(clusters == k) for k in range(int(clusters.max()) + 1)):
                core, free = _core(problem, members, together)
                if len(core):
                    costs[free] = _costs(problem, core, free)
                    group[np.r_[core, free]] = core[0]
        same = group[:, None] == group
        return cls(costs, together | same, apart | apart[np.ix_(group, group)])


def cores_apart(
    problem: BilevelProblem, clusters: IntArray, together: BoolArray, radius: float
) -> BoolArray:
    """Return which points, that nothing moves, never meet at ||eps|| <= radius: shape (n, n)."""
    n = clustering_of(problem).n
    result = np.zeros((n, n), dtype=bool)
    if not _is_even_line(problem):
        return result
    parts = [_core(problem, np.flatnonzero(clusters == k), together) for k in np.unique(clusters)]
    parts = [part for part in parts if len(part[0])]
    a = clustering_of(problem).data[:, 0]
    for low, high in combinations(sorted(parts, key=lambda part: float(a[part[0]].mean())), 2):
        if _never_merge(problem, low, high, radius):
            result[np.ix_(low[0], high[0])] = True
    return result | result.T


def _never_merge(
    problem: BilevelProblem,
    low: tuple[IntArray, IntArray],
    high: tuple[IntArray, IntArray],
    radius: float,
) -> bool:
    """Whether two cores stay apart, however many of the free points of both are with them."""
    a, r = clustering_of(problem).data[:, 0], float(clustering_of(problem).radii[0])
    below, above = _means(-a, *low), _means(a, *high)  # nearest to each other
    sizes = len(low[0]) + np.arange(len(below)), len(high[0]) + np.arange(len(above))
    rest = len(a) - sum(len(part) for part in (*low, *high))
    joined = np.add.outer(*sizes) + 2 * rest
    moved = float(abs(problem.operator("data")).max()) * radius
    shares = [np.arange(len(size)) ** (1 / conjugate(problem.norm)) / size for size in sizes]
    if problem.norm == 1:
        shift = np.maximum.outer(*shares)
    elif problem.norm == 2:
        shift = np.hypot.outer(*shares)
    else:
        shift = np.add.outer(*shares)
    error = 8 * (len(a) + 8) * ROUNDOFF * (np.abs(a).max() + r * joined.max() + moved)
    return bool((np.add.outer(below, above) - r * joined - moved * shift > error).all())


def _means(a: FloatArray, core: IntArray, free: IntArray) -> FloatArray:
    """Return the least means of the core and 0, 1, .. of the free: shape (len(free) + 1,)."""
    sums = a[core].sum() + np.concatenate([[0.0], np.cumsum(np.sort(a[free]))])
    return sums / (len(core) + np.arange(len(sums)))


def moves_one_each(operator: sp.csr_array) -> bool:
    """Whether each entry of eps moves one number, and each number is moved by at most one."""
    moved = abs(operator) > 0
    return bool(moved.sum(axis=0).max() <= 1 and moved.sum(axis=1).max() <= 1)


def _is_even_line(problem: BilevelProblem) -> bool:
    model = clustering_of(problem)
    if model.d > 1 or edge_operator(problem).nnz or not moves_one_each(problem.operator("data")):
        return False
    return model.graph.uniform_weight is not None


def _core(
    problem: BilevelProblem, members: IntArray, together: BoolArray
) -> tuple[IntArray, IntArray]:
    """Return the most points of a cluster that nothing moves or parts, and those that eps moves."""
    moved = abs(problem.operator("data")).sum(axis=1)[members] > 0
    still = members[~moved]
    if not len(still):
        return still, members
    first = still[together[np.ix_(still, still)].sum(axis=1).argmax()]
    return still[together[first, still]], members[moved]


def _costs(problem: BilevelProblem, core: IntArray, free: IntArray) -> FloatArray:
    """Return the least |eps| with which each point leaves, rounded down: shape (len(free),)."""
    model, T = clustering_of(problem), problem.operator("data").tocsr()[free]
    a, r = model.data[:, 0], float(model.radii[0])
    T.eliminate_zeros()  # one entry in each row
    gap = a[free] - a[core].mean()
    room = r * (len(core) + 1)
    error = 4 * (model.n + 8) * ROUNDOFF * (np.abs(a).max() + room)
    slope = np.asarray(T.sum(axis=1))
    columns = T.indices
    result = np.full(len(free), np.inf)
    for way in (1.0, -1.0):
        needed = np.maximum(room - way * gap - error, 0.0) / np.abs(slope) * (1 - 8 * ROUNDOFF)
        signs = way * np.sign(slope)
        within = np.where(
            signs > 0, problem.perturbation.upper[columns], -problem.perturbation.lower[columns]
        )
        result = np.where(needed <= within, np.minimum(result, needed), result)
    return result
