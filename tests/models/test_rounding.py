"""Rounding errors of sums and products, against rational arithmetic."""

import pickle
from fractions import Fraction

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from bilad.models.rounding import (
    array_sum,
    fractions,
    matrix_product,
    product_errors,
    sum_errors,
    with_errors,
)

NUMBERS = st.floats(-1e308, 1e308, allow_subnormal=True)
USUAL = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)


@given(NUMBERS, NUMBERS)
def test_errors_of_sums(a, b):
    if np.isfinite(a + b):
        own = Fraction(a) + Fraction(b) - Fraction(a + b)
        assert Fraction(float(sum_errors(np.array(a), np.array(b)))) == abs(own)


@given(NUMBERS, NUMBERS)
def test_errors_of_products_are_bounded(a, b):
    if np.isfinite(a * b):
        own = Fraction(a) * Fraction(b) - Fraction(a * b)
        assert Fraction(float(product_errors(np.array(a), np.array(b)))) >= abs(own)


@given(USUAL, USUAL)
def test_errors_of_usual_products_are_exact(a, b):
    own = Fraction(a) * Fraction(b) - Fraction(a * b)
    assert Fraction(float(product_errors(np.array(a), np.array(b)))) == abs(own)


@given(st.data())
def test_errors_of_matrix_products_and_sums(data):
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    entries = data.draw(
        st.lists(
            st.sampled_from([0.0, 0.0, 1.0, -1.0]) | USUAL,
            min_size=rows * columns,
            max_size=rows * columns,
        )
    )
    T = sp.csr_array(np.reshape(entries, (rows, columns)))
    v = np.array(data.draw(st.lists(USUAL, min_size=columns, max_size=columns)))
    a = np.array(data.draw(st.lists(USUAL, min_size=rows, max_size=rows)))
    product = matrix_product(T, v, (rows, 1))
    expected = [
        sum(Fraction(t) * Fraction(x) for t, x in zip(row, v.tolist(), strict=True))
        for row in T.toarray().tolist()
    ]
    assert product.exact() == expected
    is_bounded(product)
    total = array_sum(a[:, None], product)
    assert total.exact() == [Fraction(x) + y for x, y in zip(a.tolist(), expected, strict=True)]
    is_bounded(total)
    single = np.diff(T.indptr) <= 1
    own = [abs(x - y) for x, y in zip(fractions(product.values.ravel()), expected, strict=True)]
    found = fractions(product.errors.ravel())
    assert all(
        not (x > y * Fraction(1.001)) for x, y, one in zip(found, own, single, strict=True) if one
    )


def is_bounded(array):
    assert array.values.shape == array.errors.shape
    values, errors = fractions(array.values.ravel()), fractions(array.errors.ravel())
    for value, error, exact in zip(values, errors, array.exact(), strict=True):
        assert abs(value - exact) <= error


def test_numbers_that_are_not_known_stay_unknown_also_in_other_processes():
    array = with_errors(np.ones(2), np.ones(2))
    assert pickle.loads(pickle.dumps(array)).exact() is None
    assert pickle.loads(pickle.dumps(array_sum(np.zeros(2), array))).exact() is None
