"""(BL1) and (BL2) along a ray, globally: read off the exact staircase.

The set of eps with U(eps) as wanted is a union of open pieces and single breaks. The infimum of
|eps| over it is exact; it need not be attained, and where it is, not by a double.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from numpy.typing import ArrayLike

from bilad.models.deviation import DeviationFunction
from bilad.models.validation import IntArray, real_number
from bilad.solvers.clustering.parametric.parametric_path import ParametricPath
from bilad.solvers.clustering.parametric.sites import Site, all_sites


@dataclass(frozen=True)
class RayAnswer:
    """The least |eps| at which the deviation is as wanted.

    Attributes
    ----------
    place : Fraction
        The eps nearest to 0 that is as wanted, or if there is no nearest, the limit of such eps.
    attained : bool
        Whether the eps `place` itself is as wanted; if not, only larger ones are.
    deviation : float
        U at `place` if that is attained; otherwise right beyond it.
    labels : ndarray of int, shape (n,)
        There.
    """

    place: Fraction
    attained: bool
    deviation: float
    labels: IntArray = field(repr=False)

    @property
    def infimum(self) -> Fraction:
        """Infimum of |eps| as wanted, exactly."""
        return abs(self.place)


def largest_deviation(
    stairs: ParametricPath,
    deviation: str | DeviationFunction = "delta",
    baseline: ArrayLike | None = None,
) -> RayAnswer:
    """Solve (BL1) on the staircase: the largest U, and the least |eps| that has it.

    Parameters
    ----------
    stairs : Staircase
        On [-a, a], or what bounds of eps leave of it.
    deviation : str or DeviationFunction, default "delta"
    baseline : array_like of int, shape (n,), optional
        As in `Staircase.values`.

    Returns
    -------
    RayAnswer
        Of deviation 0 at eps = 0 if no eps changes anything. The maximum is over all real eps.
    """
    sites = all_sites(stairs, stairs.values(deviation, baseline))
    most = max(site.value for site in sites)
    return _nearest(site for site in sites if site.value == most)


def least_perturbation(
    stairs: ParametricPath,
    target: float,
    deviation: str | DeviationFunction = "delta",
    baseline: ArrayLike | None = None,
) -> RayAnswer | None:
    """Solve (BL2) on the staircase: the least |eps| with U >= target.

    Parameters
    ----------
    stairs : Staircase
        As far as eps is to be searched.
    target : float
        delta_0.
    deviation, baseline
        As in `largest_deviation`.

    Returns
    -------
    RayAnswer or None
        None if there is no such eps: that is then proved.
    """
    target = real_number(target, "target")
    sites = all_sites(stairs, stairs.values(deviation, baseline))
    wanted = [site for site in sites if site.value >= target]
    return _nearest(wanted) if wanted else None


def _nearest(sites: Iterable[Site]) -> RayAnswer:
    """Return the answer where some site is as wanted."""
    first = min(sites, key=lambda site: (site.start, not site.closed))
    return RayAnswer(first.sign * first.start, first.closed, first.value, first.labels)
