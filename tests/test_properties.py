"""What is true of every model, from the lower level to stored results, on small random ones.

The properties of one method or one certificate are tested beside it.
"""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import problems
from support.solutions import check_same, error, solve

from bilad.models import ConvexClustering, FusionGraph
from bilad.scripts.experiments.run import Row
from bilad.scripts.experiments.store import COLUMNS, JSON, Store
from bilad.scripts.soak import attacks, learning
from bilad.scripts.soak.problem_data import model_of, problem_of
from bilad.solvers import LowerLevel, attack, fit

# Each method with the norms, dimensions and graphs that it solves.
METHODS = {
    "exact on a line": ("exact", {"d": 1, "graph": problems.complete_graphs}),
    "exact, p = 1": ("exact", {"p": 1, "graph": problems.complete_graphs}),
    "interior-point": ("interior-point", {"max_d": 2}),
    "ssnal, p = 1": ("ssnal", {"p": 1}),
    "ssnal, p = 2": ("ssnal", {"p": 2}),
    "ssnal, p = inf": ("ssnal", {"p": np.inf}),
}
ATTACKS = ("corners", "random", "nes", "hypergradient", "kkt", "auto")
FEW = {"max_solves": 12, "bound": "none"}
randoms = st.integers(0, 2**32 - 1).map(np.random.default_rng)
by_method = pytest.mark.parametrize(("method", "kind"), METHODS.values(), ids=METHODS)


def small(data, kind, **more):
    return data.draw(problems.models(max_n=6, **kind | more))


def like(model, A, graph, scale=1.0):
    return ConvexClustering(A, graph, scale * model.gamma, model.p)


@by_method
@given(data=st.data())
def test_permuted_points(method, kind, data):
    model = small(data, kind)
    order = np.array(data.draw(st.permutations(range(model.n))))
    edges = np.sort(np.argsort(order)[model.graph.edges], axis=1)
    graph = FusionGraph(model.n, edges, model.graph.weights)
    solution, permuted = solve(model, method), solve(like(model, model.data[order], graph), method)
    check_same(solution, permuted, solution.X[order], solution.labels[order])


@by_method
@given(data=st.data())
def test_translated_data(method, kind, data):
    model = small(data, kind)
    shift = data.draw(problems.data(1, model.d))
    solution, moved = solve(model, method), solve(model.replace(data=model.data + shift), method)
    check_same(solution, moved, solution.X + shift, solution.labels)


@by_method
@given(data=st.data(), scale=st.sampled_from([0.125, 0.3, 3.0, 16.0]))
def test_scaled_data_and_gamma(method, kind, data, scale):
    model = small(data, kind)
    solution = solve(model, method)
    scaled = solve(like(model, scale * model.data, model.graph, scale), method)
    check_same(solution, scaled, scale * solution.X, solution.labels, scale)


@by_method
@given(data=st.data())
def test_coincident_points_with_equal_edges_share_a_cluster(method, kind, data):
    """Without an edge between the two, this need not be proved."""
    model = small(data, kind)
    n, i = model.n, data.draw(st.integers(0, model.n - 1))
    pairs = zip(model.graph.edges.tolist(), model.graph.weights.tolist(), strict=True)
    ends = [(sum(pair) - i, w) for pair, w in pairs if i in pair]
    between = model.graph.uniform_weight if method == "exact" else data.draw(problems.weights)
    edges = [*model.graph.edges.tolist(), *([j, n] for j, _ in ends), [i, n]]
    weights = [*model.graph.weights, *(w for _, w in ends), between]
    copied = like(model, np.vstack([model.data, model.data[i]]), FusionGraph(n + 1, edges, weights))
    solution = solve(copied, method)
    assert np.linalg.norm(solution.X[n] - solution.X[i]) <= 2 * error(solution)
    if solution.proved or between > 0:
        assert solution.labels[n] == solution.labels[i]


def permuted(given, rng):
    """A problem with its points in another order."""
    order = rng.permutation(len(given["model"]["data"]))
    model, operators = dict(given["model"]), dict(given["operators"])
    for part in {"data", "targets"} & set(model):
        model[part] = [model[part][i] for i in order]
        if part in operators:
            rows = np.array(operators[part])
            operators[part] = rows.reshape(len(order), -1)[order].reshape(rows.shape)
    if "edges" in model:
        edges = np.array(model["edges"], dtype=int).reshape(-1, 2)
        model["edges"] = np.sort(np.argsort(order)[edges], axis=1)
    return {**given, "model": model, "operators": operators}


@settings(max_examples=20)
@given(rng=randoms)
def test_the_deviation_does_not_depend_on_the_order_of_the_points(rng):
    given = attacks.draw_problem_of_any_model(rng)
    one, other = problem_of(given), problem_of(permuted(given, rng))
    eps = one.project(rng.uniform(-1, 1, one.perturbation.dim) * one.radius)
    first, second = (LowerLevel(problem).evaluate(eps) for problem in (one, other))
    if first.proved and second.proved:
        assert first.deviation == pytest.approx(second.deviation, rel=1e-5, abs=1e-7)


@settings(max_examples=20)
@given(rng=randoms)
def test_eps_zero_deviates_by_zero(rng):
    problem = problem_of(attacks.draw_problem_of_any_model(rng))
    lower = LowerLevel(problem)
    solution = lower.confirm(np.zeros(problem.perturbation.dim))  # not from the one at 0
    if all(map(problem.is_proved, (lower.baseline, solution))):
        assert lower.deviation(solution) == pytest.approx(0, abs=1e-6)
    found = attack(problem, "random", max_solves=0)
    assert (found.norm, found.deviation) == (0, 0)


@pytest.fixture(scope="module")
def three_methods():
    """Three methods and few solves in place of all."""
    with pytest.MonkeyPatch.context() as patch:
        names = ("corners", "random", "hypergradient")
        patch.setattr(attacks, "UPPER_METHODS", {n: attacks.UPPER_METHODS[n] for n in names})
        patch.setattr(attacks, "SOLVES", 12)
        yield


@settings(max_examples=8)
@given(rng=randoms)
def test_no_attack_beats_a_bound_or_a_certified_radius(three_methods, rng):
    verdict = attacks.examine_certificates(attacks.draw_problem_of_any_model(rng))
    assert not verdict.mismatches


@pytest.mark.parametrize("method", ATTACKS)
@settings(max_examples=5)
@given(rng=randoms, seed=st.integers(0, 9))
def test_the_same_seed_and_solves_give_the_same_answer(method, rng, seed):
    problem = problem_of(attacks.draw_clustering(rng))
    first, again = (attack(problem, method, seed, **FEW) for _ in range(2))
    for name in ("norm", "deviation", "status", "termination", "lower_solves"):
        assert getattr(first, name) == getattr(again, name)
    assert first.eps.tolist() == again.eps.tolist()
    runs = [
        [(one.eps.tolist(), one.deviation) for one in found.history] for found in (first, again)
    ]
    assert runs[0] == runs[1]


@settings(max_examples=10)
@given(rng=randoms)
def test_results_survive_json_and_pickle(rng):
    problem = problem_of(attacks.draw_problem_of_any_model(rng))
    found = attack(problem, "corners", **FEW)
    for result in (found, found.baseline, problem):
        content = result.to_dict()
        assert json.loads(json.dumps(content, allow_nan=False)) == content
        assert pickle.loads(pickle.dumps(result)).to_dict() == content
    again = pickle.loads(pickle.dumps(found))
    assert found.to_dict()["eps"] == again.eps.tolist() == found.eps.tolist()
    parts = problem.perturbation.apply(problem.model, found.eps).parts
    for name, part in again.problem.perturbation.apply(
        again.problem.model, again.eps
    ).parts.items():
        assert np.array_equal(part, parts[name])


@pytest.mark.parametrize(
    ("text", "number", "whole"),
    [
        ("", 0.0, 0),
        ("a\0b\n'\"é\U0001f600", np.inf, 2**63 - 1),
        ("%s; --", np.nan, -(2**63)),
        ("x" * 10**4, 5e-324, -1),
        ("0.1", 0.1 + 0.2, 1),
    ],
)
def test_rows_survive_sqlite(text, number, whole):
    values = {"str": text, "float": number, "int": whole}
    structured = {name: json.dumps(form()) for name, form in JSON.items()}
    row = Row(**{name: values[kind] for name, kind in COLUMNS.items()} | structured)
    with Store(None) as store:
        store.add(row)
        assert list(map(repr, store.rows())) == [repr(row)]


@given(rng=randoms)
def test_a_fit_does_not_depend_on_the_order_of_the_rows(rng):
    given = learning.draw(rng)
    model = model_of(given)
    order = rng.permutation(model.n)
    rows = {part: [given[part][i] for i in order] for part in ("data", "targets")}
    first, other = fit(model), fit(model_of({**given, **rows}))
    apart = np.linalg.norm(first.theta - other.theta)
    assert apart <= first.distance_bound + other.distance_bound
    sure = first.proved_predictions(model.data) & other.proved_predictions(model.data)
    signs = [np.sign(found.decision_function(model.data[sure])) for found in (first, other)]
    assert (signs[0] == signs[1]).all()
