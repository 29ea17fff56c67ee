"""Instances: plain values that determine a problem with clusters that attacks can change."""

import json
import pickle
from dataclasses import asdict, replace

import numpy as np
import pytest
from sklearn.datasets import make_moons

from bilad.models import DatasetError, FusionGraph, MaxDeviation, MinPerturbation
from bilad.scripts.compare_methods import (
    FAMILIES,
    QUICK,
    check,
    instances,
    is_suitable,
)
from bilad.scripts.instances import CENTRES, CLUSTERERS, DIGITS_GAMMA, Instance
from bilad.solvers import cluster

ALL = instances(list(FAMILIES), [1.0], [0])


def test_every_instance_is_plain_values_and_has_a_name_of_its_own():
    assert all(Instance(**json.loads(json.dumps(asdict(one)))) == one for one in ALL)
    several = instances(list(FAMILIES), [0.5, 1.0], [0, 1])
    assert len({one.name for one in several}) == len(several)
    assert {one.family for one in ALL} == set(FAMILIES)


def test_what_is_not_drawn_is_there_once():
    assert len(instances(["table1"], [1.0], [0, 1, 2])) == 6
    assert len(instances(["black-box"], [1.0], [0, 1])) == 2 * 2 * len(CLUSTERERS)


@pytest.mark.parametrize("one", QUICK, ids=lambda one: one.group)
def test_the_quick_instances_are_worth_it_and_the_same_each_time(one):
    cells = check(one)
    assert cells["worth it"] == "yes"
    assert cells["corners"] >= cells["that move"] > 0
    first, second = one.problem(), one.problem()
    assert isinstance(first, MaxDeviation if one.question == "BL1" else MinPerturbation)
    assert np.array_equal(first.model.data, second.model.data)
    assert (first.radius, first.norm, first.perturbation.dim) == (
        second.radius, second.norm, one.k,
    )  # fmt: skip
    assert pickle.loads(pickle.dumps(first)).radius == first.radius


def test_quick_instances_are_of_every_family():
    assert {one.family for one in QUICK} == set(FAMILIES)


@pytest.mark.slow
@pytest.mark.parametrize("one", ALL[::5], ids=lambda one: one.group)
def test_every_fifth_instance_of_the_first_seed_is_suitable(one):
    try:
        assert check(one)["worth it"] == "yes"
    except DatasetError:
        pytest.skip("Seeds is not here")


def test_worth_it():
    assert is_suitable(2, True, 1)
    assert not is_suitable(1, True, 1)
    assert not is_suitable(2, False, 1)
    assert not is_suitable(2, True, 0)


def test_the_target_of_bl2_is_half_of_what_corners_find():
    bl2 = Instance("entries", "iris", "entries", 20, "inf", "BL2", seed=1)
    largest = check(bl2)["largest"]
    assert bl2.problem().target == largest / 2
    assert replace(bl2, share=0.95).problem().target == 0.95 * largest
    assert replace(bl2, share=0.95).name != bl2.name
    assert bl2.problem().radius == replace(bl2, question="BL1").problem().budget


def test_a_target_is_positive_where_corners_find_nothing():
    nothing = Instance("entries", "iris", "entries", 5, "inf", "BL2", seed=1)
    assert check(nothing)["worth it"] == "NO"
    assert nothing.problem().target == 2


def test_budgets_scale():
    one = Instance("edges", "gaussians", "edges", 20, "1", "BL1")
    assert one.problem().budget == 5
    assert replace(one, budget=0.5).problem().budget == 2.5
    assert "budget 0.5" in replace(one, budget=0.5).name


@pytest.mark.parametrize("data", ["iris", "gaussians"])
@pytest.mark.parametrize("norm", ["2", "inf"])
def test_entries_are_drawn_by_the_seed(data, norm):
    instance = Instance("entries", data, "entries", 20, norm, "BL1", seed=1)
    first, other = instance.problem(), replace(instance, seed=2).problem()
    assert (first.model.n, first.model.d, first.norm, first.perturbation.dim) == (
        (100, 1, float(norm), 20) if data == "iris" else (200, 2, float(norm), 20)
    )
    assert 2 <= cluster(first.model).n_clusters <= 12
    moved = (one.perturbation.operators["data"] for one in (first, other))
    assert (next(moved) != next(moved)).nnz > 0
    assert instance.group == replace(instance, seed=2).group


@pytest.mark.parametrize("norm", ["2", "inf"])
@pytest.mark.parametrize(
    ("data", "gamma", "phi", "budget"),
    [("gaussians 60", 2.0, 0.5, 4.0), ("moons 60", 0.3, 20, 0.5)],
)
def test_gaussians_and_moons_of_any_size(data, gamma, phi, budget, norm):
    problem = Instance("entries", data, "entries", 16, norm, "BL1", seed=3).problem()
    model, rng = problem.model, np.random.default_rng(3)
    if data.startswith("moons"):
        points = make_moons(60, noise=0.05, random_state=3)[0]
    else:
        points = CENTRES[np.arange(60) % 3] + rng.normal(size=(60, 2))
    assert np.array_equal(model.data, points)
    graph = FusionGraph.knn(points, 10, phi)
    assert np.array_equal(model.graph.edges, graph.edges)
    assert model.graph.weights == pytest.approx(graph.weights)
    assert (model.gamma, model.p) == (gamma, 2)
    free = rng.choice(60, 16, replace=False)
    rows = problem.perturbation.operators["data"].tocoo().row
    assert sorted(rows) == sorted(2 * free)
    assert problem.radius == budget * (0.5 * 4 if norm == "2" else 1)


def test_two_hundred_gaussians_are_the_default():
    sized, plain = (
        Instance("entries", data, "entries", 5, "inf", "BL1", seed=1).problem()
        for data in ("gaussians 200", "gaussians")
    )
    assert np.array_equal(sized.model.data, plain.model.data)


@pytest.mark.parametrize("n", [100, 300, 600])
def test_digits_have_five_to_fifty_clusters(n):
    model = Instance("size", f"digits {n}", "entries", 20, "inf", "BL1").problem().model
    found = cluster(model)
    assert (model.n, model.d) == (n, 5)
    assert found.proved
    assert 5 <= found.n_clusters <= 50
    assert max(DIGITS_GAMMA) == 1797
