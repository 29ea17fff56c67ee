"""Brackets of breakpoints, against the exact parametric path and in the plane."""

from itertools import pairwise

import numpy as np
import pytest

from bilad.models import ArgumentError, ConvexClustering, FusionGraph, Perturbation
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.bracketed import bracket_breakpoints
from bilad.solvers.clustering.parametric.parametric_path import parametric_path


@pytest.fixture(scope="module")
def planar():
    """Two triples of points; one point of the first moves to the second."""
    data = np.array([[0.0, 0.0], [0.3, 0.1], [0.1, 0.4], [4.0, 1.0], [4.2, 1.3], [3.9, 1.5]])
    V = np.zeros((6, 2))
    V[0] = [1.0, 0.3]
    return ConvexClustering(data, FusionGraph.complete(6), 0.2), Perturbation.shift(V)


@pytest.mark.parametrize("p", [2, pytest.param(np.inf, marks=pytest.mark.slow)])
def test_steps_in_the_plane(planar, p):
    model, shift = planar
    model = ConvexClustering(model.data, model.graph, model.gamma, p=p)
    steps = bracket_breakpoints(model, shift, -5.0, 5.0, width=1e-3, points=21)
    assert len(steps.brackets) >= 3
    assert (np.diff(steps.brackets, axis=1) <= 1e-3).all()
    for left, right in steps.brackets:
        ends = [cluster(shift.apply(model, eps), tol=1e-10, refine=True) for eps in (left, right)]
        assert all(end.proved for end in ends)
        assert (ends[0].labels != ends[1].labels).any()


def test_between_brackets_proved_labels_are_equal(planar):
    model, shift = planar
    steps = bracket_breakpoints(model, shift, -5.0, 5.0, width=1e-2, points=11)
    changes = {tuple(bracket) for bracket in steps.brackets.tolist()}
    known = [
        (e, row)
        for e, row, proved in zip(steps.eps, steps.labels, steps.proved, strict=True)
        if proved
    ]
    for (left, before), (right, after) in pairwise(known):
        assert (before != after).any() == ((left, right) in changes)


@pytest.mark.parametrize("seed", range(2))
def test_every_bracket_holds_an_exact_step(seed):
    rng = np.random.default_rng(seed)
    model = ConvexClustering(rng.normal(size=(10, 1)), FusionGraph.complete(10), 0.05)
    shift = Perturbation.shift(rng.normal(size=(10, 1)))
    steps = bracket_breakpoints(model, shift, -2.0, 2.0, width=1e-7, points=101)
    exact = parametric_path(model, shift, -2.0, 2.0)
    assert len(steps.brackets) > 5
    for left, right in steps.brackets:
        assert (
            (left - 1e-12 <= exact.inner_breakpoints) & (exact.inner_breakpoints <= right + 1e-12)
        ).any()


def test_nothing_is_claimed_where_nothing_is_proved():
    """With gamma = 0.5 two points touch exactly on the whole of eps <= 1, each in the plane."""
    data = [[0.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    model = ConvexClustering(data, FusionGraph(3, [[0, 1]], [1.0]), 0.5)
    far = Perturbation.shift([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    steps = bracket_breakpoints(model, far, -2, 2, width=1e-3, points=5)
    assert not steps.proved.any()
    assert len(steps.brackets) == 0


@pytest.mark.parametrize(
    ("argument", "options"),
    [("width", {"width": 0.0}), ("points", {"width": 0.1, "points": 1})],
)
def test_the_error_names_the_argument(planar, argument, options):
    with pytest.raises(ArgumentError) as caught:
        bracket_breakpoints(*planar, -1.0, 1.0, **options)
    assert caught.value.argument == argument
