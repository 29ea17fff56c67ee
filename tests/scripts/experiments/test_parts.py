"""Selections of rows, columns and edges."""

import numpy as np
import pytest

from bilad.models import ArgumentError
from bilad.scripts.experiments.parts import clouds, convex_clustering, edges, table


@pytest.fixture
def model():
    return convex_clustering(clouds(np.random.default_rng(0), points=20), gamma=1.0, neighbours=3)


def test_all_edges_of_some_points(model):
    free = edges(model, np.random.default_rng(0), points=[2, 5])
    moved = free.changes(np.full(free.dim, 0.5))["weights"] != 0
    assert np.array_equal(moved, np.isin(model.graph.edges, [2, 5]).any(axis=1))
    drawn = edges(model, np.random.default_rng(0), points=3)
    assert 3 <= drawn.dim < model.graph.m


def test_either_edges_or_points(model):
    with pytest.raises(ArgumentError, match="edges: got .*, expected either edges or points"):
        edges(model, np.random.default_rng(0), edges=3, points=2)
    assert edges(model, np.random.default_rng(0)).dim == model.graph.m


def iris(**options):
    return table(np.random.default_rng(0), source="iris", **options)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, [0, 1, 2, 3]),
        (2, [0, 1]),
        ([3, 0], [3, 0]),
        ("3", [3]),
        ("3, 0:2", [3, 0, 1]),
        (":2", [0, 1]),
        ("2:", [2, 3]),
        ("petal width (cm)", [3]),
        (["petal width (cm)", 0], [3, 0]),
        ("petal width (cm),0", [3, 0]),
    ],
)
def test_a_selection(given, kept):
    sample, whole = iris(columns=given), iris()
    assert np.array_equal(sample.data, whole.data[:, kept])
    assert sample.features == [whole.features[k] for k in kept]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("4", "got 4, expected distinct integers from 0 to 3"),
        ("0,0", "got 0 twice"),
        ("1:5", "got '1:5', expected a range within 0:4"),
        ("2:2", "got '2:2', expected a range within 0:4"),
        ("-1", "got '-1', expected indices from 0"),
        ("", "got '', expected indices from 0"),
        ("petal width", r"got 'petal width', .* did you mean 'petal width"),
        (0, "got 0, expected a number from 1 to 4"),
    ],
)
def test_a_selection_that_selects_nothing(given, said):
    with pytest.raises(ArgumentError, match=f"^columns: {said}"):
        iris(columns=given)


def test_a_name_that_two_columns_have_selects_neither(tmp_path):
    (tmp_path / "twice.csv").write_text("x,x,2,y\n1,2,3,4\n5,6,7,8\n")
    rng, source = np.random.default_rng(0), str(tmp_path / "twice.csv")
    with pytest.raises(ArgumentError, match="columns: got 'x', the name of 2 columns"):
        table(rng, source=source, header=True, columns="x")
    # A name goes before an index.
    assert table(rng, source=source, header=True, columns="2,3").features == ["2", "y"]
