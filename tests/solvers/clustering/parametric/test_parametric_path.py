"""The exact parametric path against independent exact solutions, and against closed forms."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from bilad.models import ArgumentError, ConvexClustering, FusionGraph, Perturbation
from bilad.solvers import cluster
from bilad.solvers.clustering.parametric.parametric_path import parametric_path
from bilad.solvers.errors import UnsupportedError


def path_of(case):
    return parametric_path(case.model, case.perturbation, case.low, case.high)


def places_to_check(path, rng, random_places):
    """Every break, the middle of every piece and points next to its ends, and random ones."""
    places = list(path.breakpoints)
    for low, high in pairwise(path.breakpoints):
        places += [(low + high) / 2, low + (high - low) / 10**9, high - (high - low) / 10**9]
    return places + [Fraction(x) for x in rng.uniform(path.low, path.high, random_places)]


def check(case, solve, rng, random_places=5, most=60):
    path = path_of(case)
    places = places_to_check(path, rng, random_places)
    if len(places) > most:
        places = [places[k] for k in rng.permutation(len(places))[:most]]
    for eps in places:
        assert path.labels_at(eps).tolist() == solve(case, eps), f"eps = {eps}"
    for k, (before, after) in enumerate(pairwise(path.between)):
        changes = [before, path.at_breakpoints[k + 1], after]
        assert any((one != other).any() for one, other in pairwise(changes)), "an idle break"


@pytest.mark.parametrize("seed", range(25))
def test_any_graph(seed, random_case, partition_at):
    rng = np.random.default_rng(seed)
    check(random_case(rng, int(rng.integers(2, 6))), partition_at, rng, most=25)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_any_graph_in_space(seed, d, random_case, partition_at):
    rng = np.random.default_rng(100 * d + seed)
    check(random_case(rng, int(rng.integers(2, 5)), d), partition_at, rng, most=25)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("seed", range(15))
def test_equal_weights_on_the_complete_graph(seed, d, random_case, complete_partition_at):
    rng = np.random.default_rng(1000 * d + seed)
    check(random_case(rng, int(rng.integers(2, 13)), d, "complete"), complete_partition_at, rng)


@pytest.mark.parametrize("seed", range(10))
def test_weights_that_fade(seed, random_case, partition_at):
    rng = np.random.default_rng(seed)
    case = random_case(rng, 5)
    decay = rng.integers(0, 3, case.model.graph.m) / 2.0
    moved = Perturbation.linear(
        case.model.data.shape,
        case.perturbation.operators["data"],
        case.model.graph,
        type(case.perturbation.operators["data"])(decay[:, None]),
        lower=0.0,
        upper=1.0,
    )
    check(type(case)(case.model, moved, 0.0, 1.0), partition_at, rng, most=25)


def test_one_edge_that_fades(partition_at):
    """Two points at distance 2 with gamma = 2: apart as soon as 2 gamma w (1 - eps) < 2."""
    model = ConvexClustering([[0.0], [2.0]], FusionGraph.complete(2), 2.0)
    path = parametric_path(model, Perturbation.edges(model.graph), 0.0, 1.0)
    assert path.breakpoints == (0, Fraction(1, 2), 1)
    assert path.between.tolist() == [[0, 0], [0, 1]]
    assert path.labels_at(0.5).tolist() == [0, 0]


def test_blocks_that_no_edge_joins_meet_at_one_eps_only():
    model = ConvexClustering([[0.0], [1.0]], FusionGraph(2, [], []), 1.0)
    path = parametric_path(model, Perturbation.shift([[1.0], [0.0]]), -3.0, 3.0)
    assert path.breakpoints == (-3, 1, 3)
    assert path.between.tolist() == [[0, 1], [0, 1]]
    assert path.at_breakpoints.tolist() == [[0, 1], [0, 0], [0, 1]]
    assert path.labels_at(1.0).tolist() == [0, 0]
    assert path.labels_at(np.nextafter(1.0, 2.0)).tolist() == [0, 1]


def test_without_an_edge_equal_points_that_move_alike_stay_together():
    model = ConvexClustering([[0.0], [0.0], [1.0]], FusionGraph(3, [], []), 1.0)
    path = parametric_path(model, Perturbation.shift([[1.0], [1.0], [0.0]]), -3.0, 3.0)
    assert path.between.tolist() == [[0, 0, 1], [0, 0, 1]]


def test_a_touch_over_a_whole_range_is_decided():
    """The two outer points touch the cut exactly; gamma = 1/2 is a double, so they stay equal."""
    model = ConvexClustering([[0.0], [1.0], [9.0]], FusionGraph(3, [[0, 1]], [1.0]), 0.5)
    path = parametric_path(model, Perturbation.shift([[0.0], [0.0], [1.0]]), -1.0, 1.0)
    assert path.between.tolist() == [[0, 0, 1]]
    model = ConvexClustering(model.data, model.graph, np.nextafter(0.5, 0.0))
    path = parametric_path(model, Perturbation.shift([[0.0], [0.0], [1.0]]), -1.0, 1.0)
    assert path.between.tolist() == [[0, 1, 2]]


def test_two_groups_have_their_closed_form():
    """Of n_1 = 8 points at 0, two move; 6 are at 20: see the upper level's closed form."""
    gamma, data = Fraction(0.3), np.r_[np.zeros(8), np.full(6, 20.0)][:, None]
    model = ConvexClustering(data, FusionGraph.complete(14), 0.3)
    path = parametric_path(
        model, Perturbation.shift(np.eye(14)[:, :1] + np.eye(14)[:, 1:2]), -18, 18
    )
    assert path.breakpoints == (-18, -8 * gamma, 8 * gamma, 20 - 8 * gamma, 18)
    between, at_breakpoints = path.values()
    assert between.tolist() == [24, 0, 24, 48]
    assert at_breakpoints.tolist() == [24, 0, 0, 48, 48]


def test_huge_and_tiny_numbers(partition_at, random_case):
    rng = np.random.default_rng(3)
    case = random_case(rng, 4)
    for unit in (2.0**-900, 2.0**900):
        model = ConvexClustering(case.model.data * unit, case.model.graph, case.model.gamma * unit)
        scaled = parametric_path(model, Perturbation.shift(case.direction * unit), -3.0, 3.0)
        path = path_of(case)
        assert scaled.breakpoints == path.breakpoints
        assert (scaled.between == path.between).all()


@pytest.mark.parametrize("kind", ["graph", "complete"])
@pytest.mark.parametrize("seed", range(2))
def test_agrees_with_proved_labels_of_the_package(seed, kind, random_case):
    """Away from breakpoints, where `apply` rounds to the same side."""
    rng = np.random.default_rng(seed)
    case = random_case(rng, 8, 2, kind)
    path = path_of(case)
    grid = np.linspace(case.low, case.high, 19)
    for eps in grid[np.abs(grid[:, None] - path.inner_breakpoints).min(axis=1, initial=1.0) > 1e-6]:
        clustering = cluster(case.perturbation.apply(case.model, eps), refine=True)
        if clustering.proved:
            assert clustering.labels.tolist() == path.labels_at(eps).tolist()


class TestArguments:
    model = ConvexClustering([[0.0], [1.0]], FusionGraph.complete(2), 0.1)
    shift = Perturbation.shift([[1.0], [0.0]])

    def test_the_plane_with_p_2_is_refused(self):
        model = ConvexClustering(np.eye(2), FusionGraph.complete(2), 0.1)
        with pytest.raises(UnsupportedError, match="p = 1, d = 1"):
            parametric_path(model, Perturbation.shift(np.eye(2)), -1, 1)

    @pytest.mark.parametrize(
        ("argument", "call"),
        [
            ("model", lambda s: parametric_path("no", s.shift, -1, 1)),
            ("perturbation", lambda s: parametric_path(s.model, "no", -1, 1)),
            (
                "perturbation",
                lambda s: parametric_path(s.model, Perturbation.additive((2, 1)), -1, 1),
            ),
            (
                "perturbation",
                lambda s: parametric_path(s.model, Perturbation.shift(np.eye(2)), -1, 1),
            ),
            ("low", lambda s: parametric_path(s.model, s.shift, np.nan, 1)),
            ("high", lambda s: parametric_path(s.model, s.shift, 1, 1)),
            ("low", lambda s: parametric_path(s.model, Perturbation.edges(s.model.graph), -1, 1)),
            ("high", lambda s: parametric_path(s.model, Perturbation.edges(s.model.graph), 0, 2)),
            ("eps", lambda s: parametric_path(s.model, s.shift, -1, 1).labels_at(2)),
            ("eps", lambda s: parametric_path(s.model, s.shift, -1, 1).labels_at("a")),
            ("deviation", lambda s: parametric_path(s.model, s.shift, -1, 1).values("no")),
            ("baseline", lambda s: parametric_path(s.model, s.shift, -1, 1).values("delta", "x")),
            ("baseline", lambda s: parametric_path(s.model, s.shift, -1, 1).values("delta", [0])),
            ("baseline", lambda s: parametric_path(s.model, s.shift, -1, 1).values("delta", 3)),
            (
                "baseline",
                lambda s: parametric_path(s.model, s.shift, -1, 1).values("delta", [[0, 1]]),
            ),
            (
                "baseline",
                lambda s: parametric_path(s.model, s.shift, -1, 1).values("delta", [0, 0.5]),
            ),
            (
                "baseline",
                lambda s: parametric_path(s.model, s.shift, -1, 1).values("delta", [0, None]),
            ),
            (
                "baseline",
                lambda s: parametric_path(s.model, s.shift, -1, 1).values("delta", [[0], [1, 2]]),
            ),
            ("deviation", lambda s: parametric_path(s.model, s.shift, -1, 1).values(3)),
            ("deviation", lambda s: parametric_path(s.model, s.shift, -1, 1).values(None)),
        ],
    )
    def test_the_error_names_the_argument(self, argument, call):
        with pytest.raises(ArgumentError) as caught:
            call(self)
        assert caught.value.argument == argument

    def test_weights_that_would_be_negative_are_refused(self):
        graph = self.model.graph
        operator = -Perturbation.edges(graph).operators["weights"]
        doubled = Perturbation.linear((2, 1), None, graph, 2 * operator)
        with pytest.raises(ArgumentError, match="no weight is negative"):
            parametric_path(self.model, doubled, 0.0, 1.0)
