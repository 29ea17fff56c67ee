"""Rules by which the flow inside a block follows eps, and what they need of the capacities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.certificates.robustness.eps_ball import ROUNDOFF


@dataclass(frozen=True)
class Currents:
    """What a rule adds to the flow of each edge.

    Attributes
    ----------
    Y : ndarray, shape (m, n)
        Demands that sum to zero flow as currents `Y @ demand`, approximately.
    growth : ndarray, shape (m,)
        At most this is added per unit of ||eps||, lost capacity included.
    turning : ndarray, shape (m, P)
        At most this is added per unit of ||zeta' - zeta||_q of each pair of blocks.
    turning_growth : ndarray, shape (m, P)
        By so much `turning` grows per unit of ||eps||, as weights between blocks change.
    """

    Y: FloatArray
    growth: FloatArray
    turning: FloatArray
    turning_growth: FloatArray


@dataclass(frozen=True)
class Rule:
    """A flow that follows eps.

    Attributes
    ----------
    radii : ndarray, shape (m,)
        Capacities gamma w_e.
    used : ndarray, shape (m,)
        At eps = 0.
    currents : Currents
    """

    radii: FloatArray
    used: FloatArray
    currents: Currents

    @property
    def least_radius(self) -> float:
        """Up to which all edges hold if no zeta turns; 0 if they do not hold at eps = 0."""
        room, growth = self.radii - self.used, self.currents.growth
        lengths = np.full(len(room), np.inf)
        np.divide(room, growth, out=lengths, where=growth > 0)
        lengths[~(room >= 0)] = 0.0
        return float(lengths.min(initial=np.inf))

    def holds(self, radius: float, turns: FloatArray) -> bool:
        """Whether all edges hold within the radius, if each zeta turns by at most that much.

        Parameters
        ----------
        radius : float
            Of eps; infinite if nothing moves.
        turns : ndarray, shape (P,)
        """
        return bool((self.needs(radius, turns) <= self.radii).all())

    def needs(self, radius: float, turns: FloatArray) -> FloatArray:
        """Bound the flow of each edge within the radius, as in `holds`: shape (m,)."""
        growth = self.currents.growth
        need = self.used + np.where(growth > 0, radius, 0.0) * growth
        turning = self.currents.turning @ turns
        further = self.currents.turning_growth @ turns
        need += turning + np.where(further > 0, radius, 0.0) * further
        return need * (1 + (len(turns) + 32) * ROUNDOFF)
