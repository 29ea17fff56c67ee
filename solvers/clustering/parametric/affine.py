"""Numbers p + q eps with integers p and q, evaluated exactly at rational eps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

Affine = tuple[int, int]  # p + q eps


def at(affine: Affine, eps: Fraction) -> int:
    """Return p + q eps times the denominator of eps."""
    return affine[0] * eps.denominator + affine[1] * eps.numerator


def total(terms: Iterable[Affine]) -> Affine:
    """Return the sum of affine numbers."""
    p = q = 0
    for p_term, q_term in terms:
        p += p_term
        q += q_term
    return p, q


def over_common_denominator(values: Iterable[Fraction], denominator: int) -> list[int]:
    """Return the numerators for a common denominator, a multiple of each value's denominator."""
    return [value.numerator * (denominator // value.denominator) for value in values]


def simple_fraction_between(low: Fraction, high: Fraction) -> Fraction:
    """Return a fraction with few binary digits in the open interval, close to its middle."""
    width, middle = high - low, (low + high) / 2
    # 2^digits width > 2, so that the multiple of 2^-digits nearest to the middle is inside.
    digits = max(0, (2 * width.denominator // width.numerator).bit_length())
    return Fraction(round(middle * 2**digits), 2**digits)


def smallest_double(low: Fraction, high: Fraction, closed: bool) -> float | None:
    """Return the smallest double in (low, high), or in [low, high) if `closed`, or None."""
    number = float(low)
    while Fraction(number) < low or (Fraction(number) == low and not closed):
        number = math.nextafter(number, math.inf)
    return number if Fraction(number) < high else None
