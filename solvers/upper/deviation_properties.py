"""A search for counterexamples to the properties that the paper requires of a deviation function.

Paper, section 4: (i) U is nondecreasing in ||eps||, (ii) U(eps) >= 0, (iii) U(0) = 0. In section 5
the properties refer to the number of points that are moved. Which points move is decided by the
learning model, so the properties have to be tested on each problem. (i) is tested in two ways:
along each ray, and between rays, where it means that U at an eps is at least U at any eps of
smaller norm in another direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bilad.models.deviation_function import DeviationFunction
from bilad.models.problem import BilevelProblem, MaxDeviation, check_problem
from bilad.models.representation import Represented
from bilad.models.validation import (
    ArgumentError,
    FloatArray,
    IntArray,
    real_array,
    seed_number,
    whole_number,
)
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.upper.ray_samples import Site, exact_sites, is_exact, sampled_sites

ZERO = "zero at zero"
NONNEGATIVE = "nonnegative"
ALONG = "nondecreasing along a ray"
IN_NORM = "nondecreasing in the norm"

ROUNDING = 1e-12  # relative to the largest |U|; a smaller decrease may be a rounding error
CONFIRMATIONS = 40  # largest number of pairs that are recomputed until one is confirmed


@dataclass(frozen=True, repr=False)
class Violation(Represented):
    """A counterexample to a property; the labels are proved at each eps that it contains.

    Attributes
    ----------
    property : str
        "zero at zero", "nonnegative", "nondecreasing along a ray" or "nondecreasing in the norm".
    eps : ndarray, shape (k,)
    norm : float
        ||eps|| in the problem's norm.
    value : float
        U(eps).
    other_eps : ndarray, shape (k,), or None
        For the last two properties, an eps of larger norm and smaller U: on the same ray, or in
        another direction.
    other_norm, other_value : float or None
        Of `other_eps`.
    """

    property: str
    eps: FloatArray
    norm: float
    value: float
    other_eps: FloatArray | None = None
    other_norm: float | None = None
    other_value: float | None = None

    def describe(self) -> str:
        """Return the counterexample in one sentence."""
        first = f"U = {self.value:.10g} at {_shown(self.eps, self.norm)}"
        if self.other_eps is None:
            return f"Not {self.property}: {first}."
        second = f"{self.other_value:.10g} at {_shown(self.other_eps, self.other_norm)}"
        return f"Not {self.property}: {first}, but {second}."


@dataclass(frozen=True, repr=False)
class PropertyCheck(Represented):
    """The result of testing the properties of a deviation function on a problem.

    Attributes
    ----------
    deviation : str
        Name of the function.
    violations : tuple of Violation
        At most one for each property, in the order of the names in `Violation`: the confirmed
        counterexample with the largest decrease of U.
    rays : int
        Number of rays that were examined.
    exact : bool
        Whether every eps on each ray was examined, by the exact parametric path, and its violations
        were confirmed. Then it is proved that no other property is violated on these rays or
        between them.
    exhaustive : bool
        Whether, in addition, the rays contain all eps of the problem, that is, k = 1.
    evaluations : int
        Lower-level solves, for samples and for confirmations.
    remark : str
        Difficulties of the search; empty if there were none.
    """

    deviation: str
    violations: tuple[Violation, ...]
    rays: int
    exact: bool
    exhaustive: bool
    evaluations: int
    remark: str = ""

    def summary(self) -> dict[str, Any]:
        """Return the deviation, the properties that it violates, and how much was examined."""
        violated = {"violated": [one.property for one in self.violations]}
        names = ("rays", "exact", "exhaustive", "evaluations")
        return {"deviation": self.deviation, **violated, **{k: getattr(self, k) for k in names}}

    @property
    def violation(self) -> Violation | None:
        """The first violation, or None if there is none."""
        return self.violations[0] if self.violations else None

    def describe(self) -> str:
        """Return the result in one or more sentences."""
        if self.violations:
            return " ".join(violation.describe() for violation in self.violations)
        if self.exhaustive:
            return f"{self.deviation!r} has all properties on this problem: proved."
        how = "every eps" if self.exact else "samples"
        remark = f" ({self.remark})" if self.remark else ""
        return f"No violation by {self.deviation!r} on {how} of {self.rays} rays{remark}."


def find_violation(
    problem: BilevelProblem,
    deviation: str | DeviationFunction | None = None,
    *,
    rays: int | ArrayLike = 16,
    points: int = 32,
    seed: int = 0,
    lower: str = "auto",
    tol: float = 1e-8,
    max_solves: int | None = None,
) -> PropertyCheck:
    """Search for a counterexample to the properties of a deviation function.

    Parameters
    ----------
    problem : MaxDeviation or MinPerturbation
        Only its admissible eps are considered: within the radius and the bounds.
    deviation : str or DeviationFunction, optional
        By default the problem's own.
    rays : int or array_like of shape (r, k), default 16
        The number of random rays, or the directions of the rays, of any length. With one parameter
        there are only two rays, and a number is ignored.
    points : int, default 32
        Number of samples on a ray without an exact parametric path. Afterwards the intervals
        between samples with different U are halved three times.
    seed : int, default 0
        Seed of the random directions.
    lower, tol
        Method and tolerance of the samples, as in `cluster`; not for black boxes.
    max_solves : int, optional
        Largest number of samples.

    Returns
    -------
    PropertyCheck
        Rays are exact if the capability `ray_steps` applies to the model. Every violation is
        confirmed: the lower level is solved again at its eps until the labels are proved. A
        decrease by less than 1e-12 of the largest |U| does not count.

    Raises
    ------
    ArgumentError
        If an argument is wrong, or the bounds of eps exclude every direction.
    ClustererError
        If a black box fails.
    """
    question = _question(problem, deviation)
    points = whole_number(points, "points", least=1)
    directions = _directions(question, rays, seed_number(seed))
    return _Search(question, directions, LowerLevel(question, lower, tol, max_solves)).run(points)


def _question(problem: BilevelProblem, deviation: str | DeviationFunction | None) -> MaxDeviation:
    check_problem(problem)
    chosen = problem.deviation if deviation is None else deviation
    return MaxDeviation(
        problem.model, problem.perturbation, problem.radius, problem.norm, deviation=chosen
    )


def _directions(problem: BilevelProblem, rays: int | ArrayLike, seed: int) -> list[FloatArray]:
    """Return directions of norm 1 that the bounds of eps admit."""
    k = problem.perturbation.dim
    if not isinstance(rays, int | np.integer):
        given = np.array(real_array(rays, "rays", (None, k)))
    elif k == 1:
        given = np.array([[1.0], [-1.0]])
    else:
        count = whole_number(rays, "rays", least=1)
        given = np.random.default_rng(seed).normal(size=(count, k))
        lower, upper = problem.box
        given = np.where(lower == 0, abs(given), np.where(upper == 0, -abs(given), given))
    sized = [vector / problem.size(vector) for vector in given if vector.any()]
    able = [direction for direction in sized if problem.largest_step(direction) > 0]
    if not able:
        raise ArgumentError("rays", "none in which eps may go", "at least one")
    return able


@dataclass(frozen=True)
class _Confirmed:
    """One eps, at which the lower level was solved again."""

    eps: FloatArray
    norm: float
    value: float
    proved: bool


class _Search:
    """The rays of one problem, the known sites on them, and the eps that were solved again."""

    def __init__(
        self, problem: MaxDeviation, directions: list[FloatArray], lower: LowerLevel
    ) -> None:
        self.problem, self.directions, self.lower = problem, directions, lower
        self.exact = all(is_exact(problem, direction) for direction in directions)
        self.confirmed: dict[bytes, _Confirmed] = {}
        self.unconfirmed = False
        zero = np.zeros(problem.perturbation.dim)
        solution = lower.confirm(zero)
        self.before = solution.outcome
        self.at_zero = self._confirm(zero)

    def run(self, points: int) -> PropertyCheck:
        """Search for a violation of each property."""
        if not self.at_zero.proved:
            return self._report([], "the labels at eps = 0 are not proved")
        sites = self._sites(points)
        found = [
            self._nonzero_at_zero(),
            self._negative(sites),
            self._fall(sites, ALONG),
            self._fall(sites, IN_NORM),
        ]
        return self._report(found, "")

    def _sites(self, points: int) -> list[Site]:
        sites: list[Site] = []
        for ray, direction in enumerate(self.directions):
            if self.exact:
                sites += exact_sites(self.problem, direction, ray, self.before)
            else:
                sites += sampled_sites(self.lower, direction, ray, points)
        return sites

    def _nonzero_at_zero(self) -> Violation | None:
        zero = self.at_zero
        return None if zero.value == 0 else Violation(ZERO, zero.eps, zero.norm, zero.value)

    def _negative(self, sites: list[Site]) -> Violation | None:
        """Return the least value, if it is negative or NaN."""
        wrong = sorted((site for site in sites if not site.value >= 0), key=lambda site: site.value)
        for site in wrong[:CONFIRMATIONS]:
            seen = self._at(site, site.start, site.end, Fraction(1, 2))
            if seen is not None and not seen.value >= 0:
                return Violation(NONNEGATIVE, seen.eps, seen.norm, seen.value)
        self.unconfirmed |= bool(wrong)
        return None

    def _fall(self, sites: list[Site], name: str) -> Violation | None:
        """Return the largest decrease from a smaller eps to a larger one, if there is any."""
        threshold = ROUNDING * max(abs(site.value) for site in sites)
        left = sites
        for _ in range(CONFIRMATIONS):
            pair = _largest_fall(left, name == ALONG, threshold)
            if pair is None:
                break
            inner, outer = pair
            # One eps is in the first third of its site and the other in the last third, so that the
            # norms are in this order even if the sites overlap.
            low, high = max(inner.start, outer.start), min(inner.end, outer.end)
            first = self._at(inner, inner.start, high, Fraction(1, 3))
            second = self._at(outer, low, outer.end, Fraction(2, 3))
            if first is not None and second is not None:
                falls = first.value - second.value > threshold
                if falls and first.norm < second.norm:
                    return Violation(name, *_fields(first), *_fields(second))
            seen = ((inner, first), (outer, second))
            wrong = [site for site, at in seen if at is None or at.value != site.value]
            left = [site for site in left if site not in (wrong or [inner])]
        self.unconfirmed |= len(left) < len(sites)
        return None

    def _at(self, site: Site, low: Fraction, high: Fraction, share: Fraction) -> _Confirmed | None:
        """Return the proved solution at an eps of a site whose norm is between two norms."""
        length = site.double_between(low, high, share)
        if length is None:
            return None
        eps = self.problem.project(length * self.directions[site.ray]) + 0.0
        seen = self._confirm(eps)
        return seen if seen.proved else None

    def _confirm(self, eps: FloatArray) -> _Confirmed:
        key = eps.tobytes()
        if key not in self.confirmed:
            solution = self.lower.confirm(eps)
            value = float(self.problem.deviation.value(self.before, solution.outcome))
            self.confirmed[key] = _Confirmed(eps, self.problem.size(eps), value, solution.proved)
        return self.confirmed[key]

    def _report(self, found: list[Violation | None], remark: str) -> PropertyCheck:
        remarks = [remark] if remark else []
        if self.unconfirmed:
            remarks.append("a violation that was seen could not be confirmed")
        if self.lower.max_solves is not None and self.lower.solves >= self.lower.max_solves:
            remarks.append("solve limit")
        exact = self.exact and self.at_zero.proved and not self.unconfirmed
        return PropertyCheck(
            deviation=self.problem.deviation.name,
            violations=tuple(violation for violation in found if violation is not None),
            rays=len(self.directions),
            exact=exact,
            exhaustive=exact and self._are_all_rays(),
            evaluations=self.lower.solves + len(self.confirmed),
            remark="; ".join(remarks),
        )

    def _are_all_rays(self) -> bool:
        if self.problem.perturbation.dim > 1:
            return False
        both = (np.array([1.0]), np.array([-1.0]))
        able = {sign[0] for sign in both if self.problem.largest_step(sign) > 0}
        return able == {direction[0] for direction in self.directions}


def _fields(seen: _Confirmed) -> tuple[FloatArray, float, float]:
    return seen.eps, seen.norm, seen.value


def _largest_fall(sites: list[Site], same_ray: bool, threshold: float) -> tuple[Site, Site] | None:
    """Return the sites of the largest decrease above a threshold; the first has smaller eps."""
    starts, ends = _ranks(sites)
    values = np.array([site.value for site in sites])
    rays = np.array([site.ray for site in sites])
    best, pair = threshold, None
    for ray in np.unique(rays):
        outer = np.flatnonzero(rays == ray)
        inner = outer if same_ray else np.flatnonzero(rays != ray)
        inner = inner[np.argsort(starts[inner], kind="stable")]
        # A site contains a smaller eps than another one iff it starts before the other one ends.
        smaller = np.searchsorted(starts[inner], ends[outer], side="left")
        reached = np.concatenate([[-np.inf], np.maximum.accumulate(values[inner])])
        falls = reached[smaller] - values[outer]
        place = int(np.argmax(falls))
        if falls[place] > best:
            best = float(falls[place])
            highest = inner[np.argmax(values[inner[: smaller[place]]])]
            pair = sites[highest], sites[outer[place]]
    return pair


def _ranks(sites: list[Site]) -> tuple[IntArray, IntArray]:
    """Return integers that have the same order and the same ties as the starts and ends."""
    places = sorted({place for site in sites for place in (site.start, site.end)})
    rank = {place: k for k, place in enumerate(places)}
    return (
        np.array([rank[site.start] for site in sites]),
        np.array([rank[site.end] for site in sites]),
    )


def _shown(eps: FloatArray, norm: float | None) -> str:
    return f"eps = {eps[0]:.6g}" if len(eps) == 1 else f"an eps of norm {norm:.6g}"
