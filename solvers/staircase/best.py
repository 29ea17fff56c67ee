"""(BL1) and (BL2) along a ray, globally: read off the exact staircase.

The set of eps with U(eps) as wanted is a union of open pieces and single breaks. The infimum of
|eps| over it is exact; it need not be attained, and where it is, not by a double. So the answer
says both: the infimum, and the double of least |eps| that is as wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

from bilad.models.deviation import DeviationFunction
from bilad.models.validation import FloatArray, IntArray, real_number
from bilad.solvers.rational.affine import least_double
from bilad.solvers.staircase.staircase import Staircase


@dataclass(frozen=True)
class RayAnswer:
    """The least |eps| at which the deviation is as wanted.

    Attributes
    ----------
    place : Fraction
        The eps nearest to 0 that is as wanted, or if there is no nearest, the limit of such eps.
    attained : bool
        Whether the eps `place` itself is as wanted; if not, only larger ones are.
    stretch : tuple of Fraction
        From `place` outwards, as far as every eps is as wanted; both are `place` if only that one
        is.
    eps : float or None
        The double of least |eps| that is as wanted, in exact arithmetic; None if no double is,
        only single places that are none.
    deviation : float
        U at eps; at `place` if there is no such double.
    labels : ndarray of int, shape (n,)
        There.
    """

    place: Fraction
    attained: bool
    stretch: tuple[Fraction, Fraction]
    eps: float | None
    deviation: float
    labels: IntArray = field(repr=False)

    @property
    def infimum(self) -> Fraction:
        """Infimum of |eps| as wanted, exactly."""
        return abs(self.place)

    def beyond(self, margin: float) -> float | None:
        """Return a double inside the stretch, at most `margin` from its inner end.

        There a solver in floating point can see what exact arithmetic sees at `eps`. It is halfway
        to the margin, or to the middle of the stretch if that is shorter.

        Parameters
        ----------
        margin : float
            In units of eps, positive.

        Returns
        -------
        float or None
            None if the stretch is a single place, or so short that no double is inside.
        """
        margin = real_number(margin, "margin", above=0.0)
        inner, outer = self.stretch
        length = min(Fraction(margin), abs(outer - inner))
        if length == 0:
            return None
        middle = inner + length / 2 if outer > inner else inner - length / 2
        number = float(middle)  # if this double is not inside, none is
        return number if abs(Fraction(number) - middle) < length / 2 else None


@dataclass(frozen=True)
class _Site:
    """A break, or an open piece, on the side of eps >= 0 after a reflection for the other side."""

    start: Fraction
    end: Fraction
    closed: bool  # start belongs to it
    value: float
    labels: IntArray

    def least_double(self) -> float | None:
        """Return the least double in it."""
        if self.start == self.end:
            number = float(self.start)
            return number if Fraction(number) == self.start else None
        return least_double(self.start, self.end, self.closed)


def largest_deviation(
    stairs: Staircase,
    deviation: str | DeviationFunction = "delta",
    baseline: IntArray | None = None,
) -> RayAnswer:
    """Solve (BL1) on the staircase: the largest U, and the least |eps| that has it.

    Parameters
    ----------
    stairs : Staircase
        On [-a, a], or what bounds of eps leave of it.
    deviation : str or DeviationFunction, default "delta"
    baseline : ndarray of int, shape (n,), optional
        As in `Staircase.values`.

    Returns
    -------
    RayAnswer
        Of deviation 0 at eps = 0 if no eps changes anything. The maximum is over all real eps: if
        only single places that are no doubles attain it, `eps` is None.
    """
    values = stairs.values(deviation, baseline)
    most = max(float(part.max()) for part in values)
    answer = _nearest(stairs, values, lambda value: value == most)
    assert answer is not None  # the maximum is attained somewhere
    return answer


def least_perturbation(
    stairs: Staircase,
    target: float,
    deviation: str | DeviationFunction = "delta",
    baseline: IntArray | None = None,
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
    values = stairs.values(deviation, baseline)
    return _nearest(stairs, values, lambda value: value >= target)


def _nearest(
    stairs: Staircase,
    values: tuple[FloatArray, FloatArray],
    wanted: Callable[[float], bool],
) -> RayAnswer | None:
    """Return the answer for the better of the two directions."""
    answers = []
    for sign in (1, -1):
        sites = list(_outwards(stairs, values, sign))
        flags = [wanted(site.value) for site in sites]
        if any(flags):
            answers.append(_answer(sites, flags, sign))
    if not answers:
        return None
    first = min(answers, key=lambda answer: (answer.infimum, not answer.attained))
    by_double = [answer for answer in answers if answer.eps is not None]
    nearest = min(by_double, key=lambda answer: abs(answer.eps or 0.0), default=first)
    # The double may be on the other side.
    return replace(first, eps=nearest.eps, deviation=nearest.deviation, labels=nearest.labels)


def _answer(sites: list[_Site], flags: list[bool], sign: int) -> RayAnswer:
    """Return the answer in one direction, where at least one site is as wanted."""
    first = flags.index(True)
    last = first
    while last + 1 < len(sites) and flags[last + 1]:
        last += 1
    inner = sites[first]
    chosen, number = inner, None
    for site, flag in zip(sites, flags, strict=True):
        number = site.least_double() if flag else None
        if number is not None:
            chosen = site
            break
    return RayAnswer(
        place=sign * inner.start,
        attained=inner.closed,
        stretch=(sign * inner.start, sign * sites[last].end),
        eps=None if number is None else sign * number,
        deviation=chosen.value,
        labels=chosen.labels,
    )


def _outwards(
    stairs: Staircase, values: tuple[FloatArray, FloatArray], sign: int
) -> Iterator[_Site]:
    """Yield the sites with sign * eps >= 0, from 0 outwards, reflected if sign is -1."""
    order = slice(None, None, sign)
    breaks = [sign * place for place in stairs.breaks[order]]
    between, at_breaks = (part[order].tolist() for part in values)
    labels_between, labels_at = stairs.between[order], stairs.at_breaks[order]
    for k, start in enumerate(breaks):
        if start >= 0:
            yield _Site(start, start, True, at_breaks[k], labels_at[k])
        if k < len(between) and breaks[k + 1] > 0:
            inside = start < 0
            yield _Site(
                Fraction(0) if inside else start,
                breaks[k + 1],
                inside,
                between[k],
                labels_between[k],
            )
