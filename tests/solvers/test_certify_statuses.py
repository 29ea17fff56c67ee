"""`certify` near a radius that is known in closed form: robust below it, attacked above."""

import importlib
import math

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.scripts.known_problems import two_points
from bilad.solvers import attack, certify, check_counterexample, cluster
from bilad.solvers.certificates.attack_directions import attack_directions

certify_module = importlib.import_module("bilad.solvers.certify")
EVERY = {known.name: known for known in two_points() if isinstance(known.problem, MinPerturbation)}
PLANE = "two points, p = inf, d = 2, merging_factors, BL2"
SPACE = "two points, p = inf, d = 3, merging_shift, BL2"
STEPS = {name: known for name, known in EVERY.items() if name not in (PLANE, SPACE)}
FEW, MORE = 40, 100  # solves
ROUNDING = 1e-12  # of the closed forms
NORMS = (1, 2, np.inf)


def with_budget(problem, budget):
    return MaxDeviation(problem.model, problem.perturbation, budget, problem.norm)


def assert_brackets(found, radius, budget, share=1.0):
    """The status is that of the closed form, of which a share is proved, and so are both ends."""
    proved = "robust" if budget < share * radius else "unknown"
    assert found.status == (proved if budget < radius else "attacked")
    if found.attack is None:
        assert found.method == "exact staircase"
        assert budget < found.lower <= radius
    else:
        least = share * radius
        assert least * (1 - 1e-5) <= found.lower <= least * (1 + ROUNDING)
        assert radius * (1 - ROUNDING) <= found.upper <= radius * (1 + 1e-5)


@pytest.mark.parametrize("share", [0.5, 0.9999, 1.0001, 2.0])
@pytest.mark.parametrize("name", STEPS)
def test_two_points(name, share, tmp_path):
    """They merge or part at a known ||eps||: p = 1, 2, in one to three dimensions; a line."""
    problem, radius = STEPS[name].problem, STEPS[name].optimum
    found = certify(with_budget(problem, share * radius), FEW)
    assert_brackets(found, radius, share * radius)
    if found.status == "attacked":
        found.write(tmp_path / "attack.json")
        assert check_counterexample(tmp_path / "attack.json") == found.upper


def test_a_change_beyond_the_search_limit_is_not_excluded():
    """Three fused points: the limit is the diameter of the data, 2, but one parts at 7.5."""
    model = ConvexClustering([[0.0], [1.0], [2.0]], FusionGraph.complete(3), 3.0)
    free = Perturbation.shift([[0.0], [0.0], [1.0]])
    found = certify(MaxDeviation(model, free, 1.0))
    assert cluster(free.apply(model, [8.0])).n_clusters == 2
    assert (found.status, found.exact) == ("robust", False)
    assert 2.0 < found.lower <= 7.5


def test_two_points_whose_sums_part_first():
    """The sums of the features are 5/6 apart, part at 1, and move by up to 7/2 of eps."""
    problem, merge = EVERY[PLANE].problem, EVERY[PLANE].optimum
    found = certify(with_budget(problem, 0.1 * merge), MORE)
    assert (found.status, found.method) == ("robust", "facets")
    assert found.lower == pytest.approx(1 / 21, rel=ROUNDING)
    assert found.upper == pytest.approx(merge, rel=1e-5)


def test_nothing_is_proved_in_space():
    problem, merge = EVERY[SPACE].problem, EVERY[SPACE].optimum
    found = certify(with_budget(problem, 0.1 * merge), MORE)
    assert (found.status, found.lower, found.method) == ("unknown", 0.0, "none")
    assert found.upper == pytest.approx(merge, rel=1e-5)


# Two groups, each in one place, `GAP` too far apart to meet: points of both may move in the plane.
FIRST, SECOND, GAMMA, GAP = 4, 3, 0.5, 0.3


def two_groups(p, norm, budget):
    n = FIRST + SECOND
    data = np.zeros((n, 2))
    data[FIRST:, 0] = GAMMA * n + GAP
    model = ConvexClustering(data, FusionGraph.complete(n), GAMMA, p)
    return MaxDeviation(model, Perturbation.additive(data.shape), budget, norm)


# The means differ by eps'(1/4 .. 1/4, -1/3 .. -1/3): the radius is the gap over its dual norm.
RADII = {1: GAP * SECOND, 2: GAP / math.sqrt(1 / FIRST + 1 / SECOND), np.inf: GAP / 2}


# What is proved of it, by p and norm. p = inf: the sum of both features moves by sqrt(2), or by 2
# times as much as one. p = 2, norm inf: the means are in a ball that holds the box they are in.
PROVED = {(np.inf, 2): 0.5**0.5, (np.inf, np.inf): 0.5, (2, np.inf): 0.5**0.5}


@pytest.mark.parametrize("share", [0.9999, 1.0001])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("p", NORMS)
def test_two_groups_in_the_plane(p, norm, share, tmp_path):
    budget = share * RADII[norm]
    found = certify(two_groups(p, norm, budget), FEW)
    assert_brackets(found, RADII[norm], budget, PROVED.get((p, norm), 1.0))
    found.write(tmp_path / "attack.json")
    assert check_counterexample(tmp_path / "attack.json") == found.upper
    assert (found.upper <= budget) == (share > 1), "attacks beyond the budget are shown too"


@pytest.mark.parametrize("p", NORMS)
def test_unknown_if_nobody_looks(p):
    """Above the radius nothing is robust; without an attack nothing is attacked."""
    found = certify(two_groups(p, 2, 1.5 * RADII[2]), max_solves=0)
    assert (found.status, found.upper, found.attack) == ("unknown", math.inf, None)
    assert 0 < found.lower <= RADII[2]


@pytest.mark.parametrize("p", NORMS)
def test_at_a_step(p):
    """Two points 2 gamma apart are together, but are not for any longer distance: radius 0.

    That they are together is proved in exact arithmetic only, p = 1 or inf.
    """
    model = ConvexClustering([[0.0, 0.0], [1.0, 0.0]], FusionGraph.complete(2), 0.5, p)
    found = certify(MaxDeviation(model, Perturbation.additive((2, 2)), 0.1), FEW)
    assert found.lower == 0
    assert found.status == ("unknown" if p == 2 else "attacked")


def random_cloud(seed, d):
    """Up to three clouds, on the complete graph or nearest neighbours."""
    rng = np.random.default_rng([0, seed])
    n = int(rng.integers(6, 16))
    A = rng.normal(size=(n, d))
    A[:, 0] += 5 * rng.integers(0, 3, n)
    if rng.random() < 0.5:
        graph, gamma = FusionGraph.complete(n, 1 / n), 10 ** rng.uniform(0.0, 0.6)
    else:
        graph, gamma = FusionGraph.knn(A, 4, 0.1), 10 ** rng.uniform(-0.5, 0.6)
    return MaxDeviation(ConvexClustering(A, graph, gamma), Perturbation.additive((n, d)), 1.0)


@pytest.mark.parametrize("seeds", [range(4), pytest.param(range(4, 24), marks=pytest.mark.slow)])
def test_no_attack_on_a_cloud_is_shorter_than_the_radius(seeds):
    ends = [certify(random_cloud(seed, 2 + seed % 4), FEW) for seed in seeds]
    assert all(found.lower <= found.upper for found in ends)
    assert max(found.lower / found.upper for found in ends) > 0.5, "some radius is no trivial one"


def test_unknown_between_the_ends():
    cloud = random_cloud(9, 3)
    first = certify(cloud, FEW)
    between = math.sqrt(first.lower * first.upper)
    found = certify(with_budget(cloud, between), FEW)
    assert found.status == "unknown"
    assert (found.lower, found.upper) == (first.lower, first.upper)
    assert 0 < found.lower < between < found.upper < math.inf


def test_an_interrupted_parametric_path_proves_nothing(monkeypatch):
    known = next(iter(STEPS.values()))
    problem = with_budget(known.problem, 0.5 * known.optimum)
    nothing = attack(problem, "corners", max_solves=0, bound="none")
    monkeypatch.setattr(certify_module, "attack", lambda *arguments, **options: nothing)
    found = certify(problem)
    assert (found.method, found.status, found.lower) == ("exact staircase", "unknown", 0.0)
    assert not found.exact


@pytest.mark.parametrize("norm", NORMS)
def test_attack_directions_have_norm_1(norm):
    problem = two_groups(2, norm, 1.0)
    directions = list(attack_directions(problem, cluster(problem.model)))
    assert directions
    assert [problem.size(eps) for eps in directions] == pytest.approx([1.0] * len(directions))


def test_weights_have_no_directions():
    model = two_groups(2, 2, 1.0).model
    problem = MaxDeviation(model, Perturbation.edges(model.graph), 0.5)
    assert not list(attack_directions(problem, cluster(model)))
