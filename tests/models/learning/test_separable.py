"""Sums and differences of two features, and their rounding errors."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bilad.models.learning.separable import errors_of_sums, sums_and_differences

NUMBERS = st.floats(-1e30, 1e30, allow_subnormal=False)


@given(first=NUMBERS, second=NUMBERS)
def test_rounding_errors_of_sums_are_exact(first, second):
    rows = np.array([[first, second], [second, first], [first, first]])
    for row, sums, errors in zip(
        rows, sums_and_differences(rows), errors_of_sums(rows), strict=True
    ):
        a, b = map(Fraction, row)
        exact = [
            abs(Fraction(found) - true) for found, true in zip(sums, (a + b, a - b), strict=True)
        ]
        assert list(map(Fraction, errors)) == exact
