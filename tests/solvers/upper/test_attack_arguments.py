"""A wrong argument of `attack` is refused before any work, and the message names the remedy."""

import re

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.models.deviation import between_clusters, chosen_pairs
from bilad.models.validation import ArgumentError
from bilad.solvers import attack
from bilad.solvers.errors import UnsupportedError

METHODS = ["direct", "kkt", "duality", "value-function"]
SMOOTH = METHODS[1:]


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"method": "direct", "starts": 3}, "keyword"),
        ({"method": "kkt", "step": 0.1}, "keyword"),
        ({"method": "kkt", "tangents": 2}, "keyword"),
        ({"method": "direct", "step": 0.0}, "step"),
        ({"method": "direct", "step": -1}, "step"),
        ({"method": "direct", "step": 1e-9}, "step"),
        ({"method": "kkt", "starts": 0}, "starts"),
        ({"method": "kkt", "start": [1.0, 2.0]}, "start"),
        ({"method": "kkt", "start": float("nan")}, "start"),
        ({"method": "value-function", "start": [[1.0]]}, "start"),
        ({"method": "kkt", "relaxation": "exact"}, "relaxation"),
        ({"method": "kkt", "relaxation": None}, "relaxation"),
        ({"method": "kkt", "kernel": "gaussian"}, "kernel"),
        ({"method": "duality", "kernel": 2}, "kernel"),
        ({"method": "value-function", "kernel": ""}, "kernel"),
        ({"method": "duality", "aggregate": "yes"}, "aggregate"),
        ({"method": "duality", "aggregate": 2}, "aggregate"),
        ({"method": "duality", "aggregate": None}, "aggregate"),
        ({"method": "duality", "relaxation": "scholtes"}, "keyword"),
        ({"method": "kkt", "aggregate": True}, "keyword"),
        ({"method": "value-function", "aggregate": True}, "keyword"),
        ({"method": "value-function", "relaxation": 1}, "keyword"),
        ({"method": "value-function", "tangents": 2}, "keyword"),
    ],
)
def test_refused_before_any_work(groups, no_clustering, options, argument):
    with pytest.raises(ArgumentError) as caught:
        attack(groups.bl1(), **options)
    assert caught.value.argument == argument
    assert re.search(r": got .*, expected ", str(caught.value))


def test_unknown_names_are_answered_with_the_known_names(groups):
    with pytest.raises(ArgumentError) as caught:
        attack(groups.bl1(), "magic")
    for name in METHODS:
        assert repr(name) in str(caught.value)
    with pytest.raises(ArgumentError, match="keyword: got 'depth', expected .*'step'"):
        attack(groups.bl1(), "direct", depth=1)


def test_too_many_points_of_a_lattice(groups):
    problem = MaxDeviation(groups.model(), groups.each(), 5.0)
    with pytest.raises(ArgumentError, match=r"at most 2000000 points, not 10001\^2"):
        attack(problem, "direct", step=0.001)


def test_too_many_parameters_for_a_lattice(groups, no_clustering):
    everything = Perturbation.additive((groups.n, 1), points=range(7))
    with pytest.raises(UnsupportedError) as caught:
        attack(MaxDeviation(groups.model(), everything, 5.0), "direct")
    message = str(caught.value)
    assert "'direct'" in message.split("cannot")[0]
    assert "at most 6 parameters, eps has 7" in message
    able = message.split("able: ")[1]
    assert "'direct'" not in able
    for name in SMOOTH:
        assert repr(name) in able


@pytest.mark.parametrize("method", SMOOTH)
@pytest.mark.parametrize("name", ["nmi", "adjusted-rand", "changed", "changed-matched"])
def test_a_deviation_that_is_not_smoothed(groups, no_clustering, method, name):
    with pytest.raises(UnsupportedError) as caught:
        attack(groups.bl1(deviation=name), method)
    message = str(caught.value)
    assert "one of delta, rand, chosen_pairs, between_clusters has" in message
    assert f"{name!r} has no smooth form" in message
    assert "'direct'" in message
    assert not any(repr(method) in message.split("able: ")[1] for method in SMOOTH)


@pytest.mark.parametrize(
    ("method", "problem", "options"),
    [
        ("kkt", {"deviation": "rand"}, {}),
        ("kkt", {"deviation": chosen_pairs([(0, 3), (6, 1)])}, {}),
        ("kkt", {"deviation": between_clusters([0, 1], [4, 5])}, {"kernel": "exponential"}),
        ("duality", {"deviation": chosen_pairs([(0, 3), (6, 1)])}, {}),
        ("value-function", {"deviation": between_clusters([0, 1], [4, 5])}, {}),
        ("value-function", {}, {"kernel": "exponential"}),
    ],
)
def test_every_additive_deviation_and_kernel(groups, method, problem, options):
    """The budget admits shifts that move the points into the other cluster."""
    found = attack(groups.bl1(**problem), method, bound="none", **options)
    grid = attack(groups.bl1(**problem), "direct", step=1.0, bound="none", closing="none")
    assert found.deviation == pytest.approx(grid.deviation)
    assert found.deviation > 0


@pytest.mark.parametrize("name", ["nmi", "adjusted-rand", "changed", "changed-matched"])
def test_direct_takes_every_deviation(groups, name):
    assert attack(groups.bl1(deviation=name), "direct", step=1.0).deviation > 0


def in_the_plane(p, kind):
    A = np.random.default_rng(0).normal(size=(6, 2))
    model = ConvexClustering(A, FusionGraph.complete(6), 0.1, p)
    return kind(model, Perturbation.additive(A.shape, points=[0]), 1.0)


@pytest.mark.pairwise(p=[1, np.inf], kind=[MaxDeviation, MinPerturbation], method=METHODS)
def test_every_norm_of_the_fusion_terms_is_taken(p, kind, method):
    assert attack(in_the_plane(p, kind), method, max_solves=3).termination == "solve limit"


def test_a_lower_level_that_cannot_take_the_model(planar, no_clustering):
    problem = MaxDeviation(planar, Perturbation.additive(planar.data.shape, points=[0]), 1.0)
    with pytest.raises(UnsupportedError, match=r"'exact'.* d = 1.*able: .*'ssnal', 'clarabel'"):
        attack(problem, "direct", lower="exact")
