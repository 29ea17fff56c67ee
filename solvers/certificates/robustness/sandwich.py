"""On a line, data that move up move no point of the solution down: bounds from two solves.

For d = 1 the solution X* is nondecreasing in the data A, with the weights fixed: the objective of
(X, A) is submodular. So within a box of data each x_i lies between its values at the two ends.
"""

from __future__ import annotations

import numpy as np

from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.problem import BilevelProblem
from bilad.models.validation import BoolArray, FloatArray
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF, EpsBall
from bilad.solvers.certificates.robustness.structure import Structure
from bilad.solvers.clustering.cluster import solve_lower

TOL = 1e-10
STRETCHES = (0.0, 1e-7, 1e-5)  # relative, of the box: another one, if labels at an end are a tie


def never_meet(problem: BilevelProblem, radius: float) -> BoolArray | None:
    """Return which points are apart at every ||eps|| <= radius, as far as this tells.

    Parameters
    ----------
    problem : BilevelProblem
    radius : float
        In the problem's norm, finite.

    Returns
    -------
    ndarray of bool, shape (n, n), or None
        None if d > 1, or weights are perturbed, or a solution at an end is not proved.
    """
    if clustering_of(problem).d > 1 or edge_operator(problem).nnz:
        return None
    reach = radius * EpsBall.of(problem).magnitudes(problem.operator("data").toarray())
    low, high = _solution(problem, -reach), _solution(problem, reach)
    if low is None or high is None:
        return None
    below = high[0][:, None] + high[1] + low[1] < low[0]
    return below | below.T


def _solution(problem: BilevelProblem, move: FloatArray) -> tuple[FloatArray, float] | None:
    """Return x (n,) and a bound on its error, at data moved by a little more than that."""
    model = clustering_of(problem)
    for stretch in STRETCHES:
        moved = model.data[:, 0] + move * (1 + stretch)
        moved += np.sign(move) * 4 * ROUNDOFF * (np.abs(moved) + np.abs(move))
        end = model.replace(data=moved[:, None])
        found = solve_lower(end, tol=TOL, refine=True)
        if found.proved:
            structure = Structure.of(end, found.labels, found.X)
            rounding = 2 * ROUNDOFF * float(np.abs(structure.centroids).max())
            return structure.centroids[structure.blocks, 0], structure.error + rounding
    return None
