"""A wrong argument of `attack` is refused before any work, and the message helps."""

import re

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.models.validation import ArgumentError
from bilad.solvers import attack
from bilad.solvers.errors import UnsupportedError

METHODS = ["direct", "kkt", "value-function"]


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"method": "magic"}, "method"),
        ({"method": None}, "method"),
        ({"method": "direct", "starts": 3}, "option of method 'direct'"),
        ({"method": "kkt", "step": 0.1}, "option of method 'kkt'"),
        ({"method": "kkt", "tangents": 2}, "option of method 'kkt'"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"max_solves": -1}, "max_solves"),
        ({"max_solves": 2.5}, "max_solves"),
        ({"time_limit": -1}, "time_limit"),
        ({"time_limit": float("nan")}, "time_limit"),
        ({"lower": "simplex"}, "lower"),
        ({"method": "direct", "step": 0.0}, "step"),
        ({"method": "direct", "step": -1}, "step"),
        ({"method": "direct", "step": 1e-9}, "step"),
        ({"method": "kkt", "starts": 0}, "starts"),
        ({"method": "kkt", "start": [1.0, 2.0]}, "start"),
        ({"method": "kkt", "start": float("nan")}, "start"),
        ({"method": "value-function", "tangents": 0}, "tangents"),
    ],
)
def test_refused_before_any_work(groups, no_clustering, options, argument):
    with pytest.raises(ArgumentError) as caught:
        attack(groups.bl1(), **options)
    assert caught.value.argument == argument
    assert re.search(r": got .*, expected ", str(caught.value))


def test_a_tolerance_of_zero(groups):
    with pytest.raises(ArgumentError, match="tol: got 0.0, expected a finite number > 0"):
        attack(groups.bl1(), tol=0.0)


def test_not_a_problem(groups, no_clustering):
    with pytest.raises(ArgumentError, match="problem: got ConvexClustering, expected MaxDev"):
        attack(groups.model())


def test_unknown_names_are_answered_with_the_known(groups):
    with pytest.raises(ArgumentError, match="'direct', 'kkt', 'value-function'"):
        attack(groups.bl1(), "magic")
    with pytest.raises(ArgumentError, match="got 'depth', expected one of 'step'"):
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
    assert "able: 'kkt', 'value-function'" in message


@pytest.mark.parametrize("method", ["kkt", "value-function"])
@pytest.mark.parametrize("name", ["nmi", "adjusted-rand", "changed", "changed-matched"])
def test_a_deviation_that_is_not_smoothed(groups, no_clustering, method, name):
    with pytest.raises(UnsupportedError, match=f"delta and rand.*{name!r}; able: 'direct'"):
        attack(groups.bl1(deviation=name), method)


@pytest.mark.parametrize("name", ["nmi", "adjusted-rand", "changed", "changed-matched"])
def test_direct_takes_every_deviation(groups, name):
    assert attack(groups.bl1(deviation=name), "direct", step=1.0).deviation > 0


def in_the_plane(p, kind):
    A = np.random.default_rng(0).normal(size=(6, 2))
    model = ConvexClustering(A, FusionGraph.complete(6), 0.1, p)
    return kind(model, Perturbation.additive(A.shape, points=[0]), 1.0)


@pytest.mark.parametrize("p", [1, np.inf])
@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
@pytest.mark.parametrize("method", ["kkt", "value-function"])
def test_a_norm_of_the_fusion_terms_that_is_not_reformulated(no_clustering, method, p, kind):
    with pytest.raises(UnsupportedError) as caught:
        attack(in_the_plane(p, kind), method)
    message = str(caught.value)
    assert f"p = {p:g}" in message
    assert message.endswith("able: 'direct'")


@pytest.mark.parametrize("p", [1, np.inf])
@pytest.mark.parametrize("kind", [MaxDeviation, MinPerturbation])
def test_the_method_named_does_take_it(p, kind):
    assert attack(in_the_plane(p, kind), "direct", step=0.5).method == "direct"


@pytest.mark.parametrize("p", [1, np.inf])
@pytest.mark.parametrize("method", METHODS)
def test_a_norm_and_a_dimension_that_none_can_take(no_clustering, p, method):
    A = np.random.default_rng(0).normal(size=(6, 2))
    model = ConvexClustering(A, FusionGraph.complete(6), 0.1, p)
    problem = MaxDeviation(model, Perturbation.additive(A.shape), 1.0)
    with pytest.raises(UnsupportedError, match="able: none yet"):
        attack(problem, method)


def test_a_lower_level_that_cannot_take_the_model(planar, no_clustering):
    problem = MaxDeviation(planar, Perturbation.additive(planar.data.shape, points=[0]), 1.0)
    with pytest.raises(UnsupportedError, match=r"'exact'.* d = 1.*able: 'ssnal', 'clarabel'"):
        attack(problem, "direct", lower="exact")
