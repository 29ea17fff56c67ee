"""Two theorems on a line (d = 1): monotone bounds, and the cost of leaving a cluster.

*Monotone bounds.* Theorem: with fixed weights the solution is nondecreasing in the data. Proof: the
objective is submodular in (X, A). Hence over a box of data each x_i lies between its values at the
two extreme corners of the box.

*Separation cost.* Let the graph be complete with equal weights and r = gamma w. Let A be points
that stay together at every eps of the budget and that eps does not move.

Theorem. If a point f that eps moves is not in the cluster A' of A, then |a_f - mean_A| >
r (|A| + 1) for its data at that eps. Proof: let the cluster G of f lie above A'. Then

    mean_G - mean_A' > r (|A'| + |G|)         since G and A' are different clusters,
    a_f >= mean_G - r (|G| - 1)               since f has not left G downwards,
    mean_A' + r |A'| >= mean_A + r |A|        since the rest of A' has not left A,

and the sum of the three is the claim. As eps does not move A, this is a condition on the entry of
eps that moves f; the least absolute value that satisfies it is the separation cost of f. If each
entry of eps moves one point, the points that leave share the budget. Similarly, two such sets stay
apart if the following holds for every choice of the moved points that join them: the means of
their clusters differ by more than r times the number of their points plus twice the number of
points of other clusters.
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
from bilad.solvers.certificates.contracted_problem import ContractedSolution
from bilad.solvers.certificates.norm_ball import ROUNDOFF, NormBall
from bilad.solvers.clustering.cluster import solve_lower

TOL = 1e-10  # tolerance of the solutions at the corners of the box
STRETCHES = (0.0, 1e-7, 1e-5)  # relative enlargements of the box, tried until the labels are proved


def never_meet(problem: BilevelProblem, radius: float) -> BoolArray | None:
    """Return which points the monotone bounds prove apart at every ||eps|| <= radius: (n, n).

    The result is None if d > 1, if weights are perturbed, or if the labels at a corner of the box
    are not proved.
    """
    if clustering_of(problem).d > 1 or edge_operator(problem).nnz:
        return None
    reach = radius * NormBall.of(problem).magnitudes(problem.operator("data").toarray())
    low, high = _solution(problem, -reach), _solution(problem, reach)
    if low is None or high is None:
        return None
    below = high[0][:, None] + high[1] + low[1] < low[0]
    return below | below.T


def _solution(problem: BilevelProblem, move: FloatArray) -> tuple[FloatArray, float] | None:
    """Return x (n,) and a bound on its error, at a corner of a slightly enlarged box."""
    model = clustering_of(problem)
    for stretch in STRETCHES:
        moved = model.data[:, 0] + move * (1 + stretch)
        moved += np.sign(move) * 4 * ROUNDOFF * (np.abs(moved) + np.abs(move))
        corner = model.replace(data=moved[:, None])
        found = solve_lower(corner, tol=TOL, refine=True)
        if found.proved:
            solution = ContractedSolution.of(corner, found.labels, found.X)
            rounding = 2 * ROUNDOFF * float(np.abs(solution.centroids).max())
            return solution.centroids[solution.blocks, 0], solution.error + rounding
    return None


@dataclass(frozen=True)
class SeparationCosts:
    """Pairs that are fixed as long as no point leaves its cluster, and the costs of leaving.

    Attributes
    ----------
    costs : ndarray, shape (n,)
        The least |eps_f| at which point f can leave its cluster; infinite if it cannot.
    together, apart : ndarray of bool, shape (n, n)
        Pairs that are fixed if neither of their points leaves, and pairs that are always fixed.
    """

    costs: FloatArray
    together: BoolArray
    apart: BoolArray

    @classmethod
    def of(
        cls, problem: BilevelProblem, clusters: IntArray, together: BoolArray, apart: BoolArray
    ) -> SeparationCosts:
        """Return the costs for the clusters (n,) at eps = 0 and the pairs (n, n) that are fixed."""
        n = clustering_of(problem).n
        costs, group = np.full(n, np.inf), np.arange(n)
        if _is_applicable(problem):
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
    """Return which points that eps does not move never meet at ||eps|| <= radius: shape (n, n)."""
    n = clustering_of(problem).n
    result = np.zeros((n, n), dtype=bool)
    if not _is_applicable(problem):
        return result
    parts = [_core(problem, np.flatnonzero(clusters == k), together) for k in np.unique(clusters)]
    parts = [part for part in parts if len(part[0])]
    a = clustering_of(problem).data[:, 0]
    for low, high in combinations(sorted(parts, key=lambda part: float(a[part[0]].mean())), 2):
        if _never_merge(problem, low, high, radius):
            result[np.ix_(low[0], high[0])] = True
    return result | result.T


def moves_one_each(operator: sp.csr_array) -> bool:
    """Return whether each entry of eps moves one entry of the data, and no two the same."""
    moved = abs(operator) > 0
    return bool(moved.sum(axis=0).max() <= 1 and moved.sum(axis=1).max() <= 1)


def _is_applicable(problem: BilevelProblem) -> bool:
    """Return whether the theorem on the separation cost holds."""
    model = clustering_of(problem)
    if model.d > 1 or edge_operator(problem).nnz or not moves_one_each(problem.operator("data")):
        return False
    return model.graph.uniform_weight is not None


def _never_merge(
    problem: BilevelProblem,
    low: tuple[IntArray, IntArray],
    high: tuple[IntArray, IntArray],
    radius: float,
) -> bool:
    """Return whether two cores stay apart, for every choice of free points that join them."""
    a, r = clustering_of(problem).data[:, 0], float(clustering_of(problem).radii[0])
    below, above = _means(-a, *low), _means(a, *high)  # the means with the least distance
    sizes = len(low[0]) + np.arange(len(below)), len(high[0]) + np.arange(len(above))
    rest = len(a) - sum(len(part) for part in (*low, *high))
    joined = np.add.outer(*sizes) + 2 * rest
    moved = float(abs(problem.operator("data")).max()) * radius
    shares = [np.arange(len(size)) ** (1 / conjugate(problem.norm)) / size for size in sizes]
    outer = {1: np.maximum.outer, 2: np.hypot.outer, np.inf: np.add.outer}[problem.norm]
    error = 8 * (len(a) + 8) * ROUNDOFF * (np.abs(a).max() + r * joined.max() + moved)
    gaps = np.add.outer(below, above) - r * joined - moved * outer(*shares)
    return bool((gaps > error).all())


def _means(a: FloatArray, core: IntArray, free: IntArray) -> FloatArray:
    """Return the least means of the core with 0, 1, .. free points: shape (len(free) + 1,)."""
    sums = a[core].sum() + np.concatenate([[0.0], np.cumsum(np.sort(a[free]))])
    return sums / (len(core) + np.arange(len(sums)))


def _core(
    problem: BilevelProblem, members: IntArray, together: BoolArray
) -> tuple[IntArray, IntArray]:
    """Return the core A of a cluster, which eps does not move, and the free points (moved)."""
    moved = abs(problem.operator("data")).sum(axis=1)[members] > 0
    still = members[~moved]
    if not len(still):
        return still, members
    first = still[together[np.ix_(still, still)].sum(axis=1).argmax()]
    return still[together[first, still]], members[moved]


def _costs(problem: BilevelProblem, core: IntArray, free: IntArray) -> FloatArray:
    """Return the separation cost of each free point, rounded down: shape (len(free),)."""
    model, T = clustering_of(problem), problem.operator("data").tocsr()[free]
    a, r = model.data[:, 0], float(model.radii[0])
    T.eliminate_zeros()  # one entry in each row is left
    gap = a[free] - a[core].mean()
    room = r * (len(core) + 1)
    error = 4 * (model.n + 8) * ROUNDOFF * (np.abs(a).max() + room)
    slope = np.asarray(T.sum(axis=1))
    lower, upper = problem.perturbation.lower[T.indices], problem.perturbation.upper[T.indices]
    result = np.full(len(free), np.inf)
    for way in (1.0, -1.0):
        needed = np.maximum(room - way * gap - error, 0.0) / np.abs(slope) * (1 - 8 * ROUNDOFF)
        within = np.where(way * np.sign(slope) > 0, upper, -lower)
        result = np.where(needed <= within, np.minimum(result, needed), result)
    return result
