"""The gradient methods: closed forms, budgets, bounds, seeds, refusals, and rivals."""

import numpy as np
import pytest

from bilad.models import (
    ArgumentError,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
)
from bilad.models.smooth_deviation import KERNELS
from bilad.solvers import attack, cluster
from bilad.solvers.errors import UnsupportedError
from bilad.solvers.upper.gradient import GRADIENT

METHODS = list(GRADIENT)
RESTARTED = [name for name in METHODS if name != "fgsm"]
NORMS = (1, 2, np.inf)
# Whether the best, or that there is none, is proved besides is not the method's doing.
ATTACKED, NOTHING = {"feasible", "optimal"}, {"no attack found", "no attack exists"}
PERTURBATIONS = ("shift", "additive", "multiplicative", "edges")


def random_problem(seed, p, perturbation, norm, kind=MaxDeviation):
    rng = np.random.default_rng(seed)
    n, d = 8, 1 + seed % 2
    A = 0.5 * rng.normal(size=(n, d)) + 2.2 * (np.arange(n) % 2)[:, None] + 0.5
    graph = FusionGraph.knn(A, 3, 0.1) if seed % 3 else FusionGraph.complete(n)
    model = ConvexClustering(A, graph, 0.5 if seed % 3 else 0.2, p)
    made = {
        "shift": lambda: Perturbation.shift(rng.normal(size=A.shape)),
        "additive": lambda: Perturbation.additive(A.shape, [0, 3, 5]),
        "multiplicative": lambda: Perturbation.multiplicative(A, [1, 4], [0]),
        "edges": lambda: Perturbation.edges(graph, [0, 2, graph.m - 1]),
    }[perturbation]()
    return kind(model, made, 1.2, norm) if kind is MaxDeviation else kind(model, made, 1, norm)


def check(found):
    """Assert that the result is admissible, and equal to that of a new lower-level solve."""
    problem = found.problem
    assert found.status in ATTACKED | NOTHING
    for seen in found.history:
        assert problem.size(seen.eps) <= problem.radius
        assert np.array_equal(problem.perturbation.vector(seen.eps), seen.eps)
    before = cluster(problem.model, tol=1e-10, refine=True)
    after = cluster(problem.perturbation.apply(problem.model, found.eps), tol=1e-10, refine=True)
    assert found.deviation == problem.deviation.value(before.labels, after.labels)
    assert found.eps.any() == (found.deviation > 0)
    assert found.lower_solves == len(found.history)


@pytest.mark.parametrize(
    ("method", "p"),
    [*[("fgsm", p) for p in NORMS], *zip(RESTARTED, NORMS, strict=True)],
)
def test_an_edge_whose_weight_has_to_be_reduced(method, p):
    """Two points joined by one edge are apart if 2 gamma w (1 - eps) < |a_1 - a_2|: eps > 0.75."""
    A = np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]])
    graph = FusionGraph(3, [(0, 1), (1, 2)], [1.0, 0.0])
    model, edges = ConvexClustering(A, graph, 2.0, p), Perturbation.edges(graph)
    options = {"bound": "none", "closing": "none", "max_solves": 60}
    found = attack(MinPerturbation(model, edges, 2), method, **options)
    check(found)
    assert found.norm == pytest.approx(0.75, rel=2e-3)
    assert attack(MaxDeviation(model, edges, 0.9), method, **options).deviation == 2
    assert attack(MaxDeviation(model, edges, 0.7), method, **options).status in NOTHING


@pytest.mark.pairwise(
    method=METHODS,
    p=NORMS,
    perturbation=PERTURBATIONS,
    norm=NORMS,
    kind=[MaxDeviation, MinPerturbation],
    seed=range(4),  # each two of: d = 1 or 2, either graph
)
def test_the_result_is_correct(method, p, perturbation, norm, kind, seed):
    problem = random_problem(seed, p, perturbation, norm, kind)
    check(attack(problem, method, max_solves=40, closing="none"))


@pytest.mark.parametrize("method", METHODS)
def test_seeds_repeat_and_limits_hold(method):
    problem = random_problem(1, 2, "additive", 2)
    options = {"max_solves": 30, "bound": "none", "closing": "none"}
    one, two, other = (attack(problem, method, seed=seed, **options) for seed in (3, 3, 4))
    assert [seen.eps.tolist() for seen in one.history] == [s.eps.tolist() for s in two.history]
    assert one.lower_solves <= 30
    if method in RESTARTED:
        assert one.termination == "solve limit"
        different = [seen.eps.tolist() for seen in other.history]
        assert different != [seen.eps.tolist() for seen in one.history]
    assert attack(problem, method, max_solves=0).lower_solves == 0
    late = attack(problem, method, time_limit=0.3, bound="none", closing="none")
    assert method not in RESTARTED or late.termination == "time limit"


@pytest.mark.parametrize("method", RESTARTED)
def test_more_restarts_use_more_solves_until_none_is_new(groups, method):
    few, more = (attack(groups.bl1(), method, restarts=count) for count in (1, 4))
    assert 0 < few.lower_solves < more.lower_solves
    # Four points fused for good: no slope anywhere, every start is one evaluation.
    model = ConvexClustering(np.zeros((4, 1)), FusionGraph.complete(4), 10.0)
    problem = MaxDeviation(model, Perturbation.shift(np.ones((4, 1))), 1.0)
    assert attack(problem, method).status in NOTHING


@pytest.mark.parametrize("method", METHODS)
def test_without_a_gradient_there_is_no_attack(method):
    """If all points are shifted equally, no distance changes, and the step sign(0) is zero."""
    model = ConvexClustering(np.arange(4.0)[:, None], FusionGraph.complete(4), 0.1)
    problem = MaxDeviation(model, Perturbation.shift(np.ones((4, 1))), 1.0, np.inf)
    found = attack(problem, method)
    assert found.status in NOTHING


@pytest.mark.parametrize("method", METHODS)
def test_a_model_without_fusion_has_nothing_to_differentiate(method):
    model = ConvexClustering(np.arange(4.0)[:, None], FusionGraph.complete(4), 0.0)
    problem = MaxDeviation(model, Perturbation.additive((4, 1), [0]), 0.5)
    assert attack(problem, method).status in NOTHING


@pytest.mark.pairwise(method=METHODS, derivative=["both", "smoothed", "solution"], kernel=KERNELS)
def test_options(groups, method, derivative, kernel):
    options = {"derivative": derivative, "kernel": kernel, "widths": [0.5, 0.05]}
    check(attack(groups.bl1(), method, smoothing=0.1, **options))


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("hypergradient", {"steps": 0}),
        ("hypergradient", {"step": 0.0}),
        ("hypergradient", {"widths": []}),
        ("pgd", {"widths": [0.1, -1.0]}),
        ("pgd", {"step": -1.0}),
        ("mi-fgsm", {"decay": -0.1}),
        ("mi-fgsm", {"kernel": "square"}),
        ("fgsm", {"smoothing": 0.0}),
        ("fgsm", {"derivative": "none"}),
        ("fgsm", {"restarts": 2}),
        ("pgd", {"restarts": 0}),
    ],
)
def test_wrong_options_are_named(groups, method, options):
    with pytest.raises(ArgumentError, match=next(iter(options))):
        attack(groups.bl1(), method, **options)


@pytest.mark.parametrize("method", METHODS)
def test_refusals(groups, method):
    with pytest.raises(UnsupportedError, match="no smooth form"):
        attack(groups.bl1(deviation="nmi"), method)

    class Halves:
        def fit_predict(self, X):
            return (X[:, 0] > X[:, 0].mean()).astype(int)

    box = BlackBox(groups.model().data, Halves())
    with pytest.raises(UnsupportedError, match="'adjoint', which is not registered for BlackBox"):
        attack(MaxDeviation(box, groups.shift(), 1.0), method)


@pytest.mark.parametrize("method", RESTARTED)
def test_it_splits_a_single_cluster(method):
    """With one cluster, an attack has to split it; vertices with the same solves are compared."""
    rng = np.random.default_rng(5)
    A = rng.normal(size=(20, 1))
    model = ConvexClustering(A, FusionGraph.complete(20), 0.12)
    assert cluster(model).n_clusters == 1
    problem = MaxDeviation(model, Perturbation.additive(A.shape, range(8)), 3.0, 2)
    rival = attack(problem, "corners", max_solves=100)
    found = attack(problem, method, max_solves=100)
    assert found.deviation >= rival.deviation
    assert found.deviation > 0
