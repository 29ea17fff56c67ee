"""Invariances of the parametric path."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, Perturbation
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

WIDTH = 3.0
SOME = settings(max_examples=25)


@st.composite
def rays(draw):
    """Small dyadic numbers, so that translations and scalings are exact in doubles."""
    n, d = draw(st.integers(2, 6)), draw(st.integers(1, 2))
    numbers = st.integers(-16, 16).map(lambda k: k / 4)
    data = np.array(draw(st.lists(numbers, min_size=n * d, max_size=n * d))).reshape(n, d)
    V = np.array(draw(st.lists(numbers, min_size=n * d, max_size=n * d))).reshape(n, d)
    V[0, 0] = V[0, 0] or 1.0
    if draw(st.booleans()):
        graph = FusionGraph.complete(n)
    else:
        pairs = np.column_stack(np.triu_indices(n, 1))
        weights = draw(st.lists(st.integers(0, 3), min_size=len(pairs), max_size=len(pairs)))
        graph = FusionGraph(n, pairs, np.array(weights, dtype=float))
    gamma = draw(st.sampled_from([0.1, 0.25, 0.7]))
    return ConvexClustering(data, graph, gamma, p=1), V


def along(model, V, low=-WIDTH, high=WIDTH):
    return parametric_path(model, Perturbation.shift(V), low, high)


def same(path, breakpoints, between, at_breakpoints):
    assert list(path.breakpoints) == list(breakpoints)
    assert path.between.tolist() == np.asarray(between).tolist()
    assert path.at_breakpoints.tolist() == np.asarray(at_breakpoints).tolist()


@SOME
@given(rays())
def test_the_opposite_direction_is_the_mirror_image(ray):
    model, V = ray
    path, mirrored = along(model, V), along(model, -V)
    breakpoints = [-place for place in reversed(path.breakpoints)]
    same(mirrored, breakpoints, path.between[::-1], path.at_breakpoints[::-1])


@SOME
@given(rays(), st.integers(-40, 40))
def test_scaling_data_and_gamma_changes_nothing(ray, power):
    model, V = ray
    unit, path = 2.0**power, along(model, V)
    scaled = ConvexClustering(model.data * unit, model.graph, model.gamma * unit, p=1)
    same(along(scaled, V * unit), path.breakpoints, path.between, path.at_breakpoints)


@SOME
@given(rays(), st.integers(-3, 3))
def test_a_longer_direction_is_a_shorter_eps(ray, power):
    model, V = ray
    unit, path = 2.0**power, along(model, V)
    other = along(model, V * unit, -WIDTH / unit, WIDTH / unit)
    breakpoints = [place / Fraction(unit) for place in path.breakpoints]
    same(other, breakpoints, path.between, path.at_breakpoints)


@SOME
@given(rays(), st.integers(-50, 50), st.integers(-50, 50))
def test_a_translation_changes_nothing(ray, place, pace):
    """Neither of the data nor of the direction."""
    model, V = ray
    path, moved = along(model, V), model.replace(data=model.data + place / 2)
    shift = V + pace / 4
    if shift.any():
        same(along(moved, shift), path.breakpoints, path.between, path.at_breakpoints)


@SOME
@given(rays(), st.randoms(use_true_random=False))
def test_a_permutation_permutes_the_points(ray, random):
    model, V = ray
    order = random.sample(range(model.n), model.n)  # new place k has the old point order[k]
    place = np.argsort(order)
    edges = np.sort(place[model.graph.edges], axis=1)
    graph = FusionGraph(model.n, edges, model.graph.weights)
    permuted = along(ConvexClustering(model.data[order], graph, model.gamma, p=1), V[order])
    path = along(model, V)
    assert permuted.breakpoints == path.breakpoints
    for labels, others in (
        (path.between, permuted.between),
        (path.at_breakpoints, permuted.at_breakpoints),
    ):
        for row, other in zip(labels[:, order], others, strict=True):
            pairs = set(zip(row.tolist(), other.tolist(), strict=True))
            assert len(pairs) == len(set(row)) == len(set(other))


@SOME
@given(rays(), st.integers(-11, 11))
def test_a_part_of_the_interval_is_a_part_of_the_path(ray, middle):
    model, V = ray
    path = along(model, V)
    for part in (along(model, V, -WIDTH, middle / 4), along(model, V, middle / 4, WIDTH)):
        inside = [place for place in path.breakpoints if part.low < place < part.high]
        assert list(part.breakpoints[1:-1]) == inside
        for place in part.breakpoints:
            assert part.labels_at(place).tolist() == path.labels_at(place).tolist()


@SOME
@given(rays())
def test_a_uniform_weight_written_out_changes_nothing(ray):
    """The complete graph and its minimum cuts agree with the sorted one."""
    model, V = ray
    n = model.n
    path = along(ConvexClustering(model.data, FusionGraph.complete(n), model.gamma, p=1), V)
    pairs = np.column_stack(np.triu_indices(n, 1))
    graph = FusionGraph(n + 1, pairs, np.ones(len(pairs)))  # one more point, far away and free
    far = np.full((1, model.d), 1000.0)
    data = np.vstack([model.data, far])
    other = along(
        ConvexClustering(data, graph, model.gamma, p=1), np.vstack([V, np.zeros((1, model.d))])
    )
    same(other, path.breakpoints, other.between, other.at_breakpoints)
    assert other.between[:, :-1].tolist() == path.between.tolist()
