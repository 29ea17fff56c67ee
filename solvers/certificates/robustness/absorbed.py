"""What the edges inside the clusters take up of eps, and how stiff they are: bounds on the motion.

Let X be the solution at 0, of forces V = A - X, and X + D one at eps. Write h for the fusion term,
and let a flow of V leave each edge e inside a cluster the room s_e + t_e. Then

    h(X + D) >= h(X) + <V, D> + sum_e (s_e + t_e) ||D_i - D_j||_p,

and with h(X) >= h(X + D) - <V + eps - D, D>

    ||D||^2 + sum_e (s_e + t_e) ||D_i - D_j||_p <= <eps, D>.

*Absorbed.* If flows within t_e carry `eps - acting` inside the clusters, <eps - acting, D> is at
most the sum with t_e: D moves as if only `acting` were there. It is eps with a share of it, as
large as module `fusion` finds room for, replaced by its mean over each cluster.

*Stiff.* What is left, T = sum_e s_e ||D_i - D_j||_p, is at most ||acting||^2 / 4; and a point is
not farther from the mean of its cluster's D than T times `looseness`, the largest part of its
room that an edge needs for a unit flow from that point to all the others.

All this holds for solutions contracted on any blocks of the clusters, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.fusion import FusedBlock
from bilad.solvers.certificates.robustness.structure import Structure

CAUTION = 1 - 1e-9  # of a share, for its roundings
CHEAP = 1_000  # numbers in a flow that a conic program finds in some 0.02 s
KEPT = 0.7  # of the largest share, where not all can be absorbed: the rest is for stiffness


@dataclass(frozen=True)
class Acting:
    """What moves the clusters.

    Attributes
    ----------
    felt : ndarray, shape (n, d, k)
        Map from eps to data: `acting`.
    looseness : ndarray, shape (n,)
        In the Euclidean norm, per unit of T; infinite where nothing is known.
    """

    felt: FloatArray
    looseness: FloatArray

    @classmethod
    def of(
        cls,
        clusters: Structure,
        drift: Drift,
        radius: float,
        turns: FloatArray,
        tight: bool = False,
    ) -> Acting:
        """Absorb what can be at every ||eps|| <= radius.

        Parameters
        ----------
        clusters : Structure
            Of the proved clusters at eps = 0.
        drift : Drift
            Of these; no weight changes.
        radius : float
            Finite.
        turns : ndarray, shape (P,)
            Bounds on ||zeta* - zeta||_q, zeta the structure's, zeta* at the solution.
        tight : bool, default False
            Whether flows are found by conic programs too.
        """
        felt = drift.felt.copy()
        inside = _inside(clusters)
        looseness = np.where(clusters.sizes == 1, 0.0, np.inf)[clusters.blocks]
        for block in np.flatnonzero(clusters.sizes > 1):
            points = np.flatnonzero(clusters.blocks == block)
            fused = FusedBlock(clusters, drift, int(block), by_program=False)
            held, rule = fused.held(lambda _: turns, radius)
            if held < radius and (tight or inside[block] * clusters.model.d <= CHEAP):
                fused = FusedBlock(clusters, drift, int(block), by_program=True)
                held, rule = fused.held(lambda _: turns, radius)
            if rule is None:
                continue
            share = CAUTION * held if held == radius else KEPT * held
            room = fused.room(rule, share, turns)
            looseness[points] = fused.looseness(room)
            if radius > 0:
                own = drift.felt[points]
                felt[points] += share / radius * (own.mean(axis=0) - own)
        return cls(felt, looseness * _to_euclidean(clusters.model.p, clusters.model.d))


def _inside(clusters: Structure) -> IntArray:
    """Count the edges inside each cluster: shape (C,)."""
    ends = clusters.blocks[clusters.model.graph.edges]
    own = ends[:, 0] == ends[:, 1]
    return np.bincount(ends[own, 0], minlength=len(clusters.sizes))


def _to_euclidean(p: float, d: int) -> float:
    """Bound ||v||_2 / ||v||_p."""
    return float(np.sqrt(d)) if p == np.inf else 1.0
