"""Perturbations: what moves, in which order, and that they are affine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, Perturbation


def test_shift_is_eps_times_the_direction():
    V = np.array([[1.0, 0.0], [-2.0, 3.0]])
    shift = Perturbation.shift(V)
    assert (shift.dim, shift.shape) == (1, (2, 2))
    assert np.array_equal(shift.displacement([0.5]), 0.5 * V)
    assert np.array_equal(shift.displacement(0.5), 0.5 * V)


def test_additive_moves_every_entry_in_row_major_order():
    everything = Perturbation.additive((2, 3))
    assert everything.dim == 6
    assert everything.displacement(np.arange(6.0)).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("points", "features", "expected"),
    [
        ([2, 0], None, [[3, 4], [0, 0], [1, 2]]),
        (None, [1], [[0, 1], [0, 2], [0, 3]]),
        ([1, 2], [1, 0], [[0, 0], [2, 1], [4, 3]]),
    ],
)
def test_additive_moves_the_chosen_entries_in_the_given_order(points, features, expected):
    perturbation = Perturbation.additive((3, 2), points, features)
    assert perturbation.displacement(np.arange(1.0, perturbation.dim + 1)).tolist() == expected


@given(data=st.data())
def test_affine_and_the_operator_is_its_linear_part(problems, data):
    n, d = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 3))
    chosen = data.draw(st.lists(st.integers(0, n - 1), unique=True, min_size=1))
    V = data.draw(problems.data(n, d).filter(np.any))
    perturbation = data.draw(
        st.sampled_from([Perturbation.shift(V), Perturbation.additive((n, d), points=chosen)])
    )
    eps, other = (data.draw(problems.data(1, perturbation.dim))[0] for _ in range(2))
    left = perturbation.displacement(2 * eps - 3 * other)
    right = 2 * perturbation.displacement(eps) - 3 * perturbation.displacement(other)
    assert np.array_equal(left, right)  # quarters: exact
    assert np.array_equal(
        (perturbation.operator.toarray() @ eps).reshape(n, d), perturbation.displacement(eps)
    )
    assert not perturbation.displacement(np.zeros(perturbation.dim)).any()


def test_apply_adds_to_the_data_and_keeps_the_model():
    model = ConvexClustering([[1.0], [2.0], [4.0]], FusionGraph.complete(3), 0.1, p=1)
    moved = Perturbation.additive((3, 1), points=[1]).apply(model, [10.0])
    assert moved.data.ravel().tolist() == [1, 12, 4]
    assert (moved.graph, moved.gamma, moved.p) == (model.graph, 0.1, 1)
    assert model.data.ravel().tolist() == [1, 2, 4]
