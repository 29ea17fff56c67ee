"""What eps does to a structure before anything turns: data that move, forces that weaken.

Everything here is per unit of ||eps||. With the subgradients zeta held, the members of a block
feel `felt @ eps` more, and a block as a whole the mean of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF, EpsBall
from bilad.solvers.certificates.robustness.structure import Structure
from bilad.solvers.clustering.labels.proof import sum_at_ends


@dataclass(frozen=True)
class Drift:
    """Linear maps of eps.

    Attributes
    ----------
    ball : EpsBall
    felt : ndarray, shape (n, d, k)
    felt_error : ndarray, shape (n,)
        Bound on the error of `felt @ eps`, in any norm of R^d.
    means : ndarray, shape (K, d, k)
        What moves the solution of the contracted problem.
    mean_error : ndarray, shape (K,)
        Bound on the error of `means @ eps`, in the Euclidean norm.
    loss : ndarray, shape (m,)
        Capacity that an edge may lose.
    change : ndarray, shape (m,)
        Capacity that it may lose or win.
    """

    ball: EpsBall
    felt: FloatArray
    felt_error: FloatArray
    means: FloatArray
    mean_error: FloatArray
    loss: FloatArray
    change: FloatArray

    @classmethod
    def of(cls, problem: BilevelProblem, structure: Structure) -> Drift:
        """Take T eps, and the change of the forces by that of the weights."""
        model, ball = clustering_of(problem), EpsBall.of(problem)
        n, d, blocks = model.n, model.d, structure.blocks
        moved = problem.operator("data").toarray().reshape(n, d, -1)
        S = edge_operator(problem).toarray()
        loss, change = model.radii * ball.support(S), model.radii * ball.magnitudes(S)
        felt, felt_error = moved, np.zeros(n)
        if change.any():
            felt = moved + _weakening(structure, edge_operator(problem))
            between = np.diff(blocks[model.graph.edges], axis=1)[:, 0] != 0
            ends = sum_at_ends(model, np.where(between, change, 0.0))
            felt_error = (n + d + 16) * ROUNDOFF * ends
        means, rounding = _means(structure, ball, felt)
        members = _members(structure)
        return cls(
            ball=ball,
            felt=felt,
            felt_error=felt_error,
            means=means,
            mean_error=members @ felt_error + rounding,
            loss=loss,
            change=change,
        )


def _members(structure: Structure) -> sp.csr_array:
    """Return the map from points to means of blocks: shape (K, n)."""
    blocks = structure.blocks
    return sp.csr_array((1 / structure.sizes[blocks], (blocks, np.arange(len(blocks)))))


def _means(structure: Structure, ball: EpsBall, felt: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the means of (n, d, k) over blocks, and bounds on their roundings."""
    n, d, k = felt.shape
    members = _members(structure)
    lengths = np.sqrt(d) * ball.magnitudes(np.abs(felt).reshape(n * d, -1))
    largest = lengths.reshape(n, d).max(axis=1)
    means = np.asarray(members @ felt.reshape(n, -1)).reshape(-1, d, k)
    return means, members @ ((n + 8) * ROUNDOFF * largest)


def _weakening(structure: Structure, S: sp.csr_array) -> FloatArray:
    """Return what the points feel as weights between blocks shrink, zeta held: shape (n, d, k)."""
    model = structure.model
    directions = structure.edge_zeta()
    transpose = model.graph.incidence.T.tocsr()
    columns = [
        (transpose @ (sp.diags_array(model.radii * directions[:, feature]) @ S)).toarray()
        for feature in range(model.d)
    ]
    return np.stack(columns, axis=1)
