"""The fusion terms of one edge: u, z, the Fenchel-Young gap, and the complementarities."""

import functools

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyomo.core.expr import identify_variables
from support.bilevel_problems import NORMS, make_case, violations

from bilad.formulations.clustering.edge_terms import (
    EuclideanEdges,
    LargestEdges,
    SplitEdges,
    edge_terms,
)
from bilad.formulations.reformulations import DUALITY, KKT
from bilad.models.learning.convex_clustering import ScaledClustering
from bilad.models.norms import conjugate, project_rows, row_norms, subgradient_rows
from bilad.solvers import cluster

DIMENSIONS = [1, 2, 3]
UNIT = 0.7

draws = st.tuples(
    st.integers(0, 10**6), st.sampled_from([0.0, 1e-3, 1.0, 50.0]), st.sampled_from([0.0, 0.3, 4.0])
)


def draw_u_and_z(drawn, p, d):
    """A u, and a z in the interior, on the boundary, or at a vertex of the dual ball."""
    seed, length, reach = drawn
    rng = np.random.default_rng(seed)
    u, z = length * rng.normal(size=(1, d)), reach * rng.normal(size=(1, d))
    return u[0], project_rows(z, np.ones(1), conjugate(p))[0]


def placed(p, d, u, z, sides=False):
    """A model with the terms of a single edge, set to u and z."""
    model = pyo.ConcreteModel()
    model.features = pyo.RangeSet(0, d - 1)
    model.x = pyo.Var([0, 1], model.features)
    edges = edge_terms(p, d)(model, {7: (0, 1)}, UNIT)
    if sides:
        edges.add_sides()
    edges.start(7, u, z)
    for c in range(d):
        model.x[0, c].set_value(1.0 + u[c])
        model.x[1, c].set_value(1.0)
    return model, edges


def test_the_class_for_each_norm():
    assert {edge_terms(p, 1) for p in NORMS} == {SplitEdges}
    for d in (2, 3):
        chosen = [edge_terms(p, d) for p in NORMS]
        assert chosen == [SplitEdges, EuclideanEdges, LargestEdges]


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
@settings(max_examples=20)
@given(drawn=draws)
def test_the_gap_is_the_fenchel_young_gap(p, d, drawn):
    u, z = draw_u_and_z(drawn, p, d)
    model, edges = placed(p, d, u, z, sides=True)
    size = 1e-12 * (1 + np.abs(u).sum())
    assert max(violations(model).values()) <= size
    for c in range(d):
        assert pyo.value(edges.difference(7, c)) == pytest.approx(u[c], abs=size)
        assert pyo.value(edges.dual(7, c)) == pytest.approx(z[c], abs=1e-12)
    length = row_norms(u[None], p)[0]
    assert pyo.value(edges.length(7)) == pytest.approx(length, abs=size)
    gap = pyo.value(edges.gap(7))
    assert gap == pytest.approx(length - z @ u, abs=size)
    assert gap >= -size


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
@settings(max_examples=20)
@given(drawn=draws)
def test_the_products_add_up_to_the_gap(p, d, drawn):
    u, z = draw_u_and_z(drawn, p, d)
    for sides in (False, True):
        _, edges = placed(p, d, u, z, sides)
        pairs = edges.complementarities(7)
        expected = {SplitEdges: 2 * d, EuclideanEdges: 1, LargestEdges: 2 * d + 1}
        assert len(pairs) == expected[type(edges)]
        size = 1e-12 * (1 + np.abs(u).sum())
        total = UNIT * sum(pyo.value(pair.product) for pair in pairs)
        assert total == pytest.approx(pyo.value(edges.gap(7)), abs=size)
        for pair in pairs:
            assert pyo.value(pair.product) >= -size
            if pair.left is None:
                assert pair.right is None
                assert type(edges) is EuclideanEdges
                assert not sides
                continue
            left, right = pyo.value(pair.left.expression), pyo.value(pair.right.expression)
            assert left >= -size
            assert right >= -size
            assert left * right == pytest.approx(pyo.value(pair.product), abs=size)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_no_length_is_too_short_and_no_dual_too_long(p, d):
    """The constraints are equivalent to s >= ||u||_p and ||z||_q <= 1, in every direction."""
    rng = np.random.default_rng(d)
    directions = [*np.eye(d), *-np.eye(d), *rng.normal(size=(20, d))]
    for u, z in zip(directions, reversed(directions), strict=True):
        z = z / row_norms(z[None], conjugate(p))[0]
        for factor in (0.999, 1.001):
            model, edges = placed(p, d, u, 0 * z)
            if edges_have_s := hasattr(model, "s"):
                model.s[7].set_value(factor * row_norms(u[None], p)[0])
                assert (max(violations(model).values()) > 1e-5) == (factor < 1)
            assert edges_have_s == (not isinstance(edges, SplitEdges))
            set_dual(model, edges, factor * z)
            if edges_have_s:
                model.s[7].set_value(2 * row_norms(u[None], p)[0])
            assert (max(violations(model).values()) > 1e-5) == (factor > 1)


def set_dual(model, edges, z):
    """Set z without the clipping that `start` does."""
    for c, value in enumerate(z):
        if isinstance(edges, LargestEdges):
            model.plus[7, c].set_value(max(value, 0.0), skip_validation=True)
            model.minus[7, c].set_value(max(-value, 0.0), skip_validation=True)
        else:
            model.z[7, c].set_value(value, skip_validation=True)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_the_gap_vanishes_at_subgradients_only(p, d):
    rng = np.random.default_rng(d)
    u = rng.normal(size=d)
    best = {1: np.sign(u), 2: u / np.linalg.norm(u), np.inf: np.eye(d)[np.abs(u).argmax()]}[p]
    if p == np.inf:
        best = best * np.sign(u)
    _, edges = placed(p, d, u, best)
    assert pyo.value(edges.gap(7)) == pytest.approx(0.0, abs=1e-14)
    for z in (-best, 0 * best, 0.99 * best):
        _, edges = placed(p, d, u, z)
        assert pyo.value(edges.gap(7)) > 1e-3


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("side", [0, 1])
def test_the_component_of_a_side_keeps_it_nonnegative(p, d, side):
    """A negative side violates its component: the bound or the constraint of that name."""
    rng = np.random.default_rng(3)
    u, z = rng.normal(size=d), 0.2 * rng.normal(size=d) / d
    model, edges = placed(p, d, u, z, sides=True)
    broken = 0
    for pair in edges.complementarities(7):
        chosen = (pair.left, pair.right)[side]
        names = {chosen.component.name, f"bounds of {chosen.component.name}"}
        for variable in list(identify_variables(chosen.expression)):
            before = variable.value
            for step in (-9.0, 9.0):
                variable.set_value(before + step, skip_validation=True)
                if pyo.value(chosen.expression) < -1e-9:
                    found = violations(model)
                    assert any(found.get(name, 0.0) > 0 for name in names)
                    broken += 1
            variable.set_value(before)
    assert broken >= len(edges.complementarities(7))


class Named:
    """A stand-in for multipliers: it returns the name of what is read."""

    def row(self, constraint):
        return f"row {constraint.name}"

    def lower(self, variable):
        return f"lower {variable.name}"

    def upper(self, variable):
        return f"upper {variable.name}"


def test_sides_read_the_multiplier_of_their_component():
    """Each side reads the multiplier of the bound or constraint that keeps it nonnegative."""
    read = {}
    for p in NORMS:
        _, edges = placed(p, 2, np.ones(2), np.zeros(2), sides=True)
        read[p] = [
            tuple(side.multiplier(Named()) for side in (pair.left, pair.right))
            for pair in edges.complementarities(7)
        ]
    assert set(read[1]) == {
        (f"lower {part}[7,{c}]", f"{end} z[7,{c}]")
        for c in range(2)
        for part, end in (("up", "upper"), ("down", "lower"))
    }
    assert read[2] == [("lower s[7]", "lower angle[7]")]
    assert set(read[np.inf]) == {
        ("lower s[7]", "row dual_ball[7]"),
        *((f"row at_most_s[7,{c}]", f"lower plus[7,{c}]") for c in range(2)),
        *((f"row at_least_minus_s[7,{c}]", f"lower minus[7,{c}]") for c in range(2)),
    }


@pytest.mark.parametrize("formulation", [functools.partial(KKT, relaxation="scholtes"), DUALITY])
@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_constraints_and_multipliers_name_each_other(formulation, p, d):
    problem = make_case(p, d, "additive", "knn")
    baseline = cluster(problem.model)
    built = formulation(problem, baseline)
    model, m = built.model, len(built.conditions.ends)
    assert m == problem.model.graph.m - 2  # two edges have no weight
    multipliers = {}
    for rows in ("difference", "at_most_s", "at_least_minus_s"):
        for row in (model.component(rows) or {}).values():
            try:
                multipliers[row.name] = built.conditions.multiplier_of(row)
            except KeyError:
                assert (rows, p) == ("difference", np.inf)
    if p == np.inf and d > 1:
        rows = {"at_most_s": "plus", "at_least_minus_s": "minus"}
    else:
        rows = {"difference": "z"}
    assert len(multipliers) == m * d * len(rows)
    for name, variable in multipliers.items():
        assert built.conditions.constraint_of(variable).name == name
        component, index = name.split("[")
        assert variable.name == f"{rows[component]}[{index}"
    first = next(iter(built.conditions.ends))
    for constraint in (model.stationarity[0, 0], model.x[0, 0], model.x):
        with pytest.raises(KeyError):
            built.conditions.multiplier_of(constraint)
    others = [model.x[0, 0], model.eps[0], model.t, model.stationarity[0, 0]]
    others.append(model.difference[first, 0])
    for variable in others:
        with pytest.raises(KeyError):
            built.conditions.constraint_of(variable)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("p", NORMS)
def test_the_multiplier_is_that_of_the_lower_level(p, d):
    """The derivative of the fusion terms with respect to u_e,c is r_e z_e,c, u_e = x_i - x_j."""
    problem = make_case(p, d, "additive", "knn")
    model, baseline = problem.model, cluster(problem.model)
    built = KKT(problem, baseline, relaxation="scholtes")
    X = np.random.default_rng(0).normal(size=model.data.shape)
    U, h = model.graph.differences(X), 1e-6
    Z = model.radii[:, None] * subgradient_rows(U, p)
    built.start_from(np.zeros(2), ScaledClustering(X, Z, baseline.labels, 0.0))
    signs = {"difference": 1, "at_most_s": 1, "at_least_minus_s": -1}
    for e in built.conditions.ends:
        for c in range(d):
            z = 0.0
            for name, sign in signs.items():
                rows = built.model.component(name)
                if rows is not None and not (name == "difference" and p == np.inf and d > 1):
                    z += sign * built.conditions.multiplier_of(rows[e, c]).value
            step = h * np.eye(d)[c]
            up, down = (row_norms((U[e] + s)[None], p)[0] for s in (step, -step))
            assert z == pytest.approx((up - down) / (2 * h), abs=1e-4)
