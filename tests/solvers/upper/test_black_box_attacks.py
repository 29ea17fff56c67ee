"""Attacks on black boxes: counted queries, confirmed results, and errors that name the eps."""

import itertools

import numpy as np
import pytest
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans, SpectralClustering

from bilad.models import (
    BlackBox,
    ClustererError,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    deviation,
)
from bilad.solvers import ConvexClusterer, attack
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper import UPPER_METHODS

CLUSTERERS = [
    KMeans(2, n_init=1, random_state=0),
    AgglomerativeClustering(2),
    DBSCAN(1.0, min_samples=2),
    SpectralClustering(2, random_state=0),
    ConvexClusterer(gamma=0.1, weights="complete"),
]


def two_clouds(n=16):
    rng = np.random.default_rng(0)
    return 0.3 * rng.normal(size=(n, 2)) + 3.0 * (np.arange(n) % 2)[:, None]


def problem(clusterer, kind=MaxDeviation, size=3.0, max_queries=None, norm=np.inf):
    data = two_clouds()
    free = Perturbation.additive(data.shape, points=[0, 1], features=[0])
    return kind(BlackBox(data, clusterer, max_queries), free, size, norm)


class Counting:
    """A clusterer that splits at a threshold, and raises or changes its result beyond a shift."""

    queries = 0

    def __init__(self, fault=None):
        self.fault = fault

    def fit_predict(self, data):
        type(self).queries += 1
        if self.fault is not None and data[0, 0] > 2:
            return self.fault(data)
        return (data[:, 0] > 1.5).astype(int)


def fail(data):
    raise ZeroDivisionError("far out")


def too_few(data):
    return np.zeros(3, dtype=int)


def never_alike():
    """Return labels that differ at each query; every call returns a new labelling function."""
    sizes = itertools.count(1)
    return lambda data: (np.arange(len(data)) < next(sizes)).astype(int)


@pytest.mark.parametrize("clusterer", CLUSTERERS, ids=lambda c: type(c).__name__)
def test_the_deviation_is_what_the_clusterer_answers(clusterer):
    given = problem(clusterer)
    found = attack(given, "corners", max_solves=30)
    after = given.perturbation.apply(given.model, found.eps).query()
    assert found.deviation == deviation(given.model.query(), after)
    assert found.deviation > 0
    assert found.proved
    assert found.gap is None


def test_smallest_perturbation_of_a_threshold():
    found = attack(problem(Counting(), MinPerturbation, 2.0), "corners")
    data = two_clouds()
    assert found.norm == pytest.approx(np.abs(1.5 - data[:2, 0]).min(), rel=1e-5)


@pytest.mark.parametrize("method", ["random", "corners", "direct"])
@pytest.mark.parametrize("queries", [0, 1, 7])
def test_the_query_budget_is_enforced(method, queries):
    Counting.queries = 0
    found = attack(problem(Counting(), max_queries=queries), method)
    assert found.lower_solves <= queries
    assert Counting.queries <= queries + 2 + 8  # twice at 0, and to confirm
    if queries == 0:
        assert not found.eps.any()
        assert found.termination == "solve limit"


@pytest.mark.parametrize(
    ("fault", "words"),
    [(fail, "Counting raised ZeroDivisionError: far out"), (too_few, "shape (3,)")],
)
def test_a_fault_is_named_with_its_eps(fault, words):
    found = attack(problem(Counting(fault)), "direct", step=0.5)
    assert found.termination.startswith("error: ClustererError: at eps = [")
    assert words in found.termination


def test_best_before_a_fault_is_kept():
    found = attack(problem(Counting(fail)), "direct", step=0.5)
    assert found.deviation > 0
    assert found.history


def test_an_answer_that_is_not_given_twice_is_no_attack():
    found = attack(problem(Counting(never_alike())), "random", closing="none")
    assert "not deterministic" in found.termination
    assert not found.eps.any()


def test_a_clusterer_that_is_not_deterministic_at_zero_is_refused():
    fault = never_alike()

    class Random(Counting):
        def fit_predict(self, data):
            return fault(data)

    with pytest.raises(ClustererError, match="not deterministic"):
        attack(problem(Random()), "corners")


def test_methods_that_look_inside_the_model_say_what_they_need():
    given = problem(KMeans(2, random_state=0))
    lacking = {
        "exact": "ray_steps",
        "hypergradient": "adjoint",
        "fgsm": "adjoint",
        "pgd": "adjoint",
        "mi-fgsm": "adjoint",
        "kkt": "write_follower",
        "duality": "duality",
        "value-function": "write_follower",
        "milp": "write_milp",
    }
    assert set(lacking) == {name for name, method in UPPER_METHODS.items() if method.needs}
    for name, capability in lacking.items():
        words = f"it needs '{capability}', which is not registered for BlackBox; able: .*'corners'"
        with pytest.raises(UnsupportedError, match=words):
            attack(given, name)


def test_the_same_model_as_black_and_as_white_box():
    data = two_clouds()
    free = Perturbation.additive(data.shape, points=[0, 1], features=[0])
    white = ConvexClustering(data, FusionGraph.complete(len(data)), 0.1)
    black = BlackBox(data, ConvexClusterer(gamma=0.1, weights="complete"))
    seen = [
        attack(MaxDeviation(model, free, 3.0, np.inf), "corners", max_solves=20)
        for model in (white, black)
    ]
    assert seen[0].deviation == seen[1].deviation
    assert seen[0].eps.tolist() == seen[1].eps.tolist()
