"""The smooth deviation in Pyomo, compared with NumPy and with the deviation itself."""

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyomo.core.expr.calculus.derivatives import Modes, differentiate
from support.bilevel_problems import make_problem

from bilad.formulations.reformulations import DUALITY, KKT
from bilad.formulations.schedule import ScheduleStage
from bilad.formulations.smooth_deviation import written
from bilad.models import MaxDeviation, MinPerturbation, deviation
from bilad.models.deviation import between_clusters, chosen_pairs, deviation_function
from bilad.models.learning.convex_clustering import ScaledClustering
from bilad.models.smooth_deviation import KERNELS
from bilad.solvers import cluster

FORMULATIONS = [KKT, DUALITY]
WIDTHS = st.sampled_from([0.01, 0.3, 5.0])


class Points:
    """A stand-in for conditions: the points are variables with given values."""

    def __init__(self, X):
        self.model = pyo.ConcreteModel()
        self.model.x = pyo.Var([*np.ndindex(X.shape)])
        self.model.width = pyo.Var(initialize=1.0)
        for index, value in np.ndenumerate(X):
            self.model.x[index].set_value(value)

    def variables(self):
        return list(self.model.x.values())

    def squared_distance(self, i, j):
        assert i < j
        x = self.model.x
        rows = {row for row, *_ in x}
        assert {i, j} <= rows
        return sum((x[i, c] - x[j, c]) ** 2 for row, c in x if row == i)


instances = st.tuples(st.integers(0, 10**6), st.integers(2, 6), st.integers(1, 3))


def draw_instance(instance):
    """Points on few sites, so that some of them coincide."""
    seed, n, d = instance
    rng = np.random.default_rng(seed)
    sites = rng.normal(size=(1 + n // 2, d))
    return sites[rng.integers(0, len(sites), n)], rng.integers(0, 3, n), rng


def check_same(smooth, state, width):
    """Assert that value and gradient are the same as in NumPy."""
    points = Points(state)
    points.model.width.set_value(width)
    expression = written(smooth, points, points.model.width)
    value, gradient = smooth.at(state, width)
    assert pyo.value(expression) == pytest.approx(value, rel=1e-12, abs=1e-12)
    slopes = differentiate(expression, wrt_list=points.variables(), mode=Modes.reverse_numeric)
    scale = 1e-10 * (1 + np.abs(gradient).max())
    assert np.reshape(slopes, state.shape) == pytest.approx(gradient, rel=1e-9, abs=scale)


@given(instance=instances, width=WIDTHS, kernel=st.sampled_from(sorted(KERNELS)))
def test_the_expression_has_the_value_and_the_gradient_of_numpy(instance, width, kernel):
    X, labels, rng = draw_instance(instance)
    smooth = deviation_function("delta").smoothed(labels, kernel)
    check_same(smooth, X, width)
    check_same(smooth.restricted(rng.random(len(smooth.pairs)) < 0.7), X, width)


@given(seed=st.integers(0, 10**6), shape=st.sampled_from([(3,), (2, 2)]), width=WIDTHS)
def test_the_distance_of_parameters_is_that_of_numpy(seed, shape, width):
    before, after = np.random.default_rng(seed).normal(size=(2, *shape))
    smooth = deviation_function("distance").smoothed(before)
    check_same(smooth, after, width)
    check_same(smooth, before, width)


@pytest.mark.parametrize("name", KERNELS)
@given(squared=st.floats(0.0, 50.0), width=st.floats(0.1, 5.0))
def test_kernels_and_their_derivatives_are_the_same_in_pyomo(name, squared, width):
    kernel, w2 = KERNELS[name], width**2
    model = pyo.ConcreteModel()
    model.squared, model.w2 = pyo.Var(initialize=squared), pyo.Var(initialize=w2)
    written = kernel.together(model.squared, model.w2, pyo)
    apart = kernel.apart(model.squared, model.w2, pyo)
    assert pyo.value(apart) == pytest.approx(kernel.apart(squared, w2), rel=1e-12, abs=1e-15)
    for function in (kernel.together, kernel.slope, kernel.curvature):
        expected = function(squared, w2)
        assert pyo.value(written) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        written = differentiate(written, wrt=model.squared, mode=Modes.reverse_symbolic)


def test_what_has_no_pyomo_form_is_named():
    with pytest.raises(TypeError, match="no Pyomo form is registered for int"):
        written(3, Points(np.zeros((2, 1))), 1.0)


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize("kind", ["line", "complete", "knn"])
def test_the_models_expression_is_the_one_in_numpy(formulation, kind):
    problem = make_problem(kind, n=7, budget=50.0)  # so that no pair is out of reach
    baseline = cluster(problem.model)
    built = formulation(problem, baseline)
    X = np.random.default_rng(1).normal(size=problem.model.data.shape)
    built.start_from(np.zeros(4), ScaledClustering(X, 0 * baseline.Z, baseline.labels, 0.0))
    built.set_stage(ScheduleStage(1.0, 0.4))
    smooth = problem.deviation.smoothed(baseline.labels, "exponential")
    expected, _ = smooth.at(X, 0.4 * built.unit)
    assert pyo.value(built.model.smooth_deviation) == pytest.approx(expected, rel=1e-12)
    assert pyo.value(built.model.goal) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("formulation", FORMULATIONS)
@pytest.mark.parametrize("kind", ["line", "complete", "knn"])
def test_tends_to_delta_at_lower_level_solutions(formulation, kind):
    problem = make_problem(kind, budget=20.0)
    baseline = cluster(problem.model, tol=1e-12)
    built = formulation(problem, baseline)
    seen = set()
    for eps in [np.zeros(4), *np.random.default_rng(2).uniform(-6, 6, (7, 4))]:
        after = cluster(problem.perturbation.apply(problem.model, eps), tol=1e-12)
        built.start_from(eps, after)
        built.set_stage(ScheduleStage(1e-3, 1e-4))
        truth = deviation(baseline.labels, after.labels)
        seen.add(truth)
        assert after.proved
        assert pyo.value(built.model.smooth_deviation) == pytest.approx(truth, abs=0.01)
    assert 0 in seen
    assert len(seen) > 1


def test_rand_is_delta_over_all_pairs_and_bl2_asks_for_it():
    values = {}
    for name in ("delta", "rand"):
        for kind, target in ((MaxDeviation, 2.0), (MinPerturbation, 0.5)):
            problem = make_problem("line", n=7, budget=target, problem=kind, deviation=name)
            baseline = cluster(problem.model)
            built = KKT(problem, baseline, relaxation="scholtes")
            built.start_from(np.zeros(4), baseline)
            built.set_stage(ScheduleStage(1.0, 0.7))
            values[name, kind] = pyo.value(built.model.smooth_deviation)
            if kind is MinPerturbation:
                assert built.model.target.lower() == 0.5
                assert pyo.value(built.model.target.body) == pytest.approx(values[name, kind])
    assert values["delta", MaxDeviation] > 0
    for kind in (MaxDeviation, MinPerturbation):
        assert values["rand", kind] == pytest.approx(values["delta", kind] / (7 * 6), rel=1e-12)


DEVIATIONS = {
    "delta": "delta",
    "rand": "rand",
    "chosen": chosen_pairs([(9, 0), (1, 4), (0, 1), (0, 3)]),
    "between": between_clusters([0, 1], [3, 4, 6]),
}


@pytest.mark.pairwise(
    deviation_function=DEVIATIONS, graph=["line", "complete", "knn"], kernel=KERNELS
)
def test_tends_to_every_deviation_by_every_kernel(deviation_function, kernel, graph):
    """This holds also if a pair of the deviation is not an edge."""
    function = DEVIATIONS[deviation_function]
    problem = make_problem(graph, budget=20.0, deviation=function)
    baseline = cluster(problem.model, tol=1e-12)
    seen = set()
    for formulation in FORMULATIONS:
        built = formulation(problem, baseline, kernel=kernel)
        for eps in [np.zeros(4), *np.random.default_rng(2).uniform(-6, 6, (5, 4))]:
            after = cluster(problem.perturbation.apply(problem.model, eps), tol=1e-12)
            built.start_from(eps, after)
            truth = problem.deviation.value(baseline.labels, after.labels)
            errors = []
            for width in (1.0, 0.1, 1e-4):
                built.set_stage(ScheduleStage(1e-3, width))
                errors.append(abs(pyo.value(built.model.smooth_deviation) - truth))
            assert errors[-1] < 0.005 * max(truth, problem.deviation.largest(10) / 10)
            assert errors[-1] <= errors[0] + 1e-9
            seen.add(truth)
    assert len(seen) > 1


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_distances_of_pairs_and_of_edges(formulation):
    problem = make_problem("knn", budget=50.0, deviation=chosen_pairs([(0, 3), (0, 1), (2, 7)]))
    baseline = cluster(problem.model)
    built = formulation(problem, baseline)
    edges = set(map(tuple, problem.model.graph.edges.tolist()))
    assert 0 < len({(0, 3), (0, 1), (2, 7)} - edges) < 3
    X = np.random.default_rng(0).normal(size=(10, 2))
    built.start_from(np.zeros(4), ScaledClustering(X, 0 * baseline.Z, baseline.labels, 0.0))
    for i, j in [(0, 3), (0, 1), (2, 7)]:
        squared = pyo.value(built.conditions.squared_distance(i, j))
        assert squared == pytest.approx(((X[i] - X[j]) ** 2).sum(), rel=1e-12)


def test_a_target_between_values_of_rand_is_asked_for_in_its_units():
    problem = make_problem("line", problem=MinPerturbation, budget=0.3, limit=4.0, deviation="rand")
    baseline = cluster(problem.model)
    built = KKT(problem, baseline, relaxation="scholtes")
    built.start_from(np.zeros(4), baseline)
    built.set_stage(ScheduleStage(1.0, 0.5))
    smooth = pyo.value(built.model.smooth_deviation)
    assert pyo.value(built.model.target.body) == pytest.approx(smooth)
    assert built.model.target.lower() == 0.3
