"""The smooth deviation against a double loop, and against the deviation it blurs."""

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.formulations import smooth_deviation
from bilad.formulations.kkt import KKTFormulation
from bilad.formulations.schedule import ScheduleStage
from bilad.formulations.smooth_deviation import KERNELS, SmoothDeviation
from bilad.formulations.value_function import ValueFunctionFormulation
from bilad.models import MaxDeviation, MinPerturbation, deviation
from bilad.models.deviation import between_clusters, chosen_pairs
from bilad.solvers import cluster

FORMULATIONS = [KKTFormulation, ValueFunctionFormulation]


def by_loops(X, labels, width):
    """Sum over ordered pairs of 1 - s_ij if together, s_ij if not."""
    total = 0.0
    for i in range(len(X)):
        for j in range(len(X)):
            if i != j:
                s = width**2 / (width**2 + ((X[i] - X[j]) ** 2).sum())
                total += 1 - s if labels[i] == labels[j] else s
    return total


def by_shares(X, labels, width):
    """The module's own terms, on numbers in place of Pyomo variables."""
    pairs = np.column_stack(np.triu_indices(len(X), k=1))
    together = labels[pairs[:, 0]] == labels[pairs[:, 1]]
    smooth = SmoothDeviation(pairs, np.full(len(pairs), 2.0), together, KERNELS["rational"])
    squared = ((X[:, None] - X) ** 2).sum(axis=2)
    return pyo.value(smooth.share(range(len(pairs)), lambda i, j: squared[i, j], width))


instances = st.tuples(st.integers(0, 10**6), st.integers(2, 9), st.integers(1, 3))


def draw_instance(instance):
    seed, n, d = instance
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.integers(0, 3, n), rng


@given(instance=instances, width=st.sampled_from([0.01, 0.3, 5.0]))
def test_shares_add_up_to_the_double_loop(instance, width):
    X, labels, _ = draw_instance(instance)
    assert by_shares(X, labels, width) == pytest.approx(by_loops(X, labels, width), rel=1e-12)


@given(instance=instances)
def test_order_of_points_and_names_of_clusters_do_not_matter(instance):
    X, labels, rng = draw_instance(instance)
    value = by_shares(X, labels, 0.5)
    order = rng.permutation(len(X))
    assert by_shares(X[order], labels[order], 0.5) == pytest.approx(value, rel=1e-12)
    assert by_shares(X, 2 - labels, 0.5) == pytest.approx(value, rel=1e-12)


@given(instance=instances)
def test_tends_to_delta_of_points_that_coincide_exactly(instance):
    """As the width shrinks; and it is symmetric in the two partitions, as delta is."""
    X, labels, rng = draw_instance(instance)
    other = rng.integers(0, 3, len(X))
    sites, spots = rng.normal(size=(2, 3, X.shape[1]))
    truth = deviation(labels, other)
    assert by_shares(sites[other], labels, 1e-6) == pytest.approx(truth, abs=1e-6)
    assert by_shares(spots[labels], other, 1e-6) == pytest.approx(truth, abs=1e-6)


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize("kind", ["line", "complete", "knn"])
def test_the_models_expression_is_the_double_loop(make_problem, formulation, kind):
    problem = make_problem(kind, n=7, budget=50.0)  # so that no pair is out of reach
    baseline = cluster(problem.model)
    built = formulation(problem, baseline.labels, baseline.X)
    X = np.random.default_rng(1).normal(size=problem.model.data.shape)
    built.start_from(np.zeros(4), X, np.zeros((problem.model.graph.m, X.shape[1])))
    built.set_stage(ScheduleStage(1.0, 0.4))
    expected = by_loops(X, baseline.labels, 0.4 * built.unit)
    assert pyo.value(built.model.smooth_deviation) == pytest.approx(expected, rel=1e-12)
    assert pyo.value(built.model.goal) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize("kind", ["line", "complete", "knn"])
def test_tends_to_delta_at_lower_level_solutions(make_problem, formulation, kind):
    problem = make_problem(kind, budget=20.0)
    baseline = cluster(problem.model, tol=1e-12)
    built = formulation(problem, baseline.labels, baseline.X)
    seen = set()
    for eps in [np.zeros(4), *np.random.default_rng(2).uniform(-6, 6, (7, 4))]:
        after = cluster(problem.perturbation.apply(problem.model, eps), tol=1e-12)
        built.start_from(eps, after.X, after.Z)
        built.set_stage(ScheduleStage(1e-3, 1e-4))
        truth = deviation(baseline.labels, after.labels)
        seen.add(truth)
        assert after.proved
        assert pyo.value(built.model.smooth_deviation) == pytest.approx(truth, abs=0.01)
    assert 0 in seen
    assert len(seen) > 1


def test_rand_is_delta_over_all_pairs_and_bl2_asks_for_it(make_problem):
    values = {}
    for name in ("delta", "rand"):
        for kind, target in ((MaxDeviation, 2.0), (MinPerturbation, 0.5)):
            problem = make_problem("line", n=7, budget=target, problem=kind, deviation=name)
            baseline = cluster(problem.model)
            built = KKTFormulation(problem, baseline.labels, baseline.X)
            built.start_from(np.zeros(4), baseline.X, baseline.Z)
            built.set_stage(ScheduleStage(1.0, 0.7))
            values[name, kind] = pyo.value(built.model.smooth_deviation)
            if kind is MinPerturbation:
                assert built.model.reach.lower() == 0.5
                assert pyo.value(built.model.reach.body) == pytest.approx(values[name, kind])
    assert values["delta", MaxDeviation] > 0
    for kind in (MaxDeviation, MinPerturbation):
        assert values["rand", kind] == pytest.approx(values["delta", kind] / (7 * 6), rel=1e-12)


@pytest.mark.parametrize("name", ["nmi", "adjusted-rand", "changed", "changed-matched"])
def test_refuses_by_naming_what_is_smoothed(make_problem, name):
    reason = smooth_deviation.refusal(make_problem("line", deviation=name))
    for word in ("delta", "rand", repr(name)):
        assert word in reason
    assert smooth_deviation.refusal(make_problem("line", deviation="rand")) is None


DEVIATIONS = {
    "delta": "delta",
    "rand": "rand",
    "chosen": chosen_pairs([(9, 0), (1, 4), (0, 1), (0, 3)]),
    "between": between_clusters([0, 1], [3, 4, 6]),
}


@pytest.mark.pairwise(
    deviation_function=DEVIATIONS, graph=["line", "complete", "knn"], kernel=KERNELS
)
def test_tends_to_every_deviation_by_every_kernel(make_problem, deviation_function, kernel, graph):
    """Also where a pair that counts is no edge."""
    function = DEVIATIONS[deviation_function]
    problem = make_problem(graph, budget=20.0, deviation=function)
    baseline = cluster(problem.model, tol=1e-12)
    seen = set()
    for formulation in FORMULATIONS:
        built = formulation(problem, baseline.labels, baseline.X, kernel=kernel)
        for eps in [np.zeros(4), *np.random.default_rng(2).uniform(-6, 6, (5, 4))]:
            after = cluster(problem.perturbation.apply(problem.model, eps), tol=1e-12)
            built.start_from(eps, after.X, after.Z)
            truth = problem.deviation.value(baseline.labels, after.labels)
            errors = []
            for width in (1.0, 0.1, 1e-4):
                built.set_stage(ScheduleStage(1e-3, width))
                errors.append(abs(pyo.value(built.model.smooth_deviation) - truth))
            assert errors[-1] < 0.005 * max(truth, problem.deviation.largest(10) / 10)
            assert errors[-1] <= errors[0] + 1e-9
            seen.add(truth)
    assert len(seen) > 1


@pytest.mark.parametrize("name", KERNELS)
@given(length=st.floats(0.0, 1e3), width=st.floats(1e-3, 1e3))
def test_kernels_are_shares_of_one(name, length, width):
    kernel, squared, w2 = KERNELS[name], length**2, width**2
    together, apart = (pyo.value(f(squared, w2)) for f in (kernel.together, kernel.apart))
    assert 0 <= together <= 1
    assert 0 <= apart <= 1
    assert together + apart == pytest.approx(1.0, rel=1e-15)
    assert pyo.value(kernel.together(0.0, w2)) == 1
    assert pyo.value(kernel.apart(0.0, w2)) == 0
    assert pyo.value(kernel.together(4 * squared, 4 * w2)) == pytest.approx(together)
    assert pyo.value(kernel.together(2 * squared, w2)) <= together


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_do_not_cancel_near_zero(name):
    """1 - k is small where points nearly coincide; it keeps its digits as far as IPOPT sees."""
    apart = pyo.value(KERNELS[name].apart(1e-12, 1.0))
    assert apart == pytest.approx(1e-12, rel=1e-3)


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_pair_variables_only_where_a_pair_that_counts_is_no_edge(make_problem, formulation):
    problem = make_problem("knn", budget=50.0, deviation=chosen_pairs([(0, 3), (0, 1), (2, 7)]))
    baseline = cluster(problem.model)
    built = formulation(problem, baseline.labels, baseline.X)
    edges = set(map(tuple, problem.model.graph.edges.tolist()))
    expected = {(0, 3), (0, 1), (2, 7)} - edges
    assert set(built.model.pairs) == expected
    assert 0 < len(expected) < 3
    X = np.random.default_rng(0).normal(size=(10, 2))
    built.start_from(np.zeros(4), X, np.zeros((problem.model.graph.m, 2)))
    for i, j in [(0, 3), (0, 1), (2, 7)]:
        squared = pyo.value(built.squared_distance(i, j))
        assert squared == pytest.approx(((X[i] - X[j]) ** 2).sum(), rel=1e-12)


def test_an_edge_of_zero_weight_is_a_pair(make_case):
    problem = make_case(2, 2, "additive", "knn", budget=50.0)
    baseline = cluster(problem.model)
    built = KKTFormulation(problem, baseline.labels, baseline.X)
    edges = problem.model.graph.edges.tolist()
    assert {tuple(edges[0]), tuple(edges[-1])} <= set(built.model.pairs)
    assert len(built.model.pairs) == 15 - (len(edges) - 2)


def test_a_target_between_values_of_rand_is_asked_for_in_its_units(make_problem):
    """`reached` never exceeds the shares, so the target is met by the smooth deviation."""
    problem = make_problem("line", problem=MinPerturbation, budget=0.3, limit=4.0, deviation="rand")
    baseline = cluster(problem.model)
    built = KKTFormulation(problem, baseline.labels, baseline.X)
    built.start_from(np.zeros(4), baseline.X, baseline.Z)
    built.set_stage(ScheduleStage(1.0, 0.5))
    reached = [built.model.reached[i].value for i in built.model.points]
    smooth = pyo.value(built.model.smooth_deviation)
    assert sum(reached) == pytest.approx(smooth)
    assert pyo.value(built.model.reach.body) == pytest.approx(smooth)
    assert built.model.reach.lower() == 0.3
