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
