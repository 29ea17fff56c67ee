"""The compiled passes against NumPy, finite differences and conditions of optimality."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bilad.models import ConvexClustering, FusionGraph
from bilad.models.norms import conjugate, project_rows, row_norms
from bilad.solvers.clustering.ssnal import edge_loops

NORMS = (1, 2, np.inf)
BALLS = [conjugate(p) for p in NORMS]
ULP = np.finfo(float).eps

quarters = st.integers(-32, 32).map(lambda k: k / 4)
# Squares neither overflow nor underflow.
extremes = st.builds(lambda s, e: s * 10.0**e, st.sampled_from([-1, 1]), st.integers(-100, 100))
entries = st.one_of(quarters, st.floats(-100, 100, allow_subnormal=False), extremes)


@st.composite
def rows(draw):
    return draw(arrays(np.float64, draw(st.integers(1, 7)), elements=entries))


def usable(y):
    """Leave out what is so small that its square underflows."""
    return np.where(np.abs(y) < 1e-120, 0.0, y)


def project(y, radius, q):
    z = np.full_like(y, np.nan)
    return z, edge_loops.project(y, radius, q, z)


@pytest.mark.parametrize("q", BALLS)
@given(y=rows(), radius=st.one_of(quarters.map(abs), st.floats(1e-100, 1e100)))
@example(y=np.full(7, 0.1), radius=1e-18)
@example(y=np.full(3, 5.0), radius=0.0)
@example(y=np.zeros(3), radius=0.0)
def test_a_projection_meets_the_conditions_of_optimality(q, y, radius):
    """z is in the ball, and the rest y - z is 0 or a normal of the ball at z."""
    y = usable(y)
    z, outside = project(y, radius, q)
    size = float(row_norms(y[None], q)[0])
    assert row_norms(z[None], q)[0] <= radius + 10 * ULP * min(size, max(radius, size))
    if size <= radius:
        assert z == pytest.approx(y, rel=4 * ULP, abs=0)
    if size <= radius * (1 - 8 * ULP):
        assert not outside
        assert np.array_equal(z, y)
    if size > radius * (1 + 8 * ULP):
        assert outside
    p = {1.0: np.inf, 2.0: 2.0, np.inf: 1.0}[q]
    normal = y - z
    support = radius * row_norms(normal[None], p)[0]
    rounding = 40 * ULP * row_norms(y[None], 1)[0] * row_norms(normal[None], np.inf)[0]
    assert normal @ z >= support - rounding


@pytest.mark.parametrize("q", BALLS)
@pytest.mark.parametrize("size", [1e6, 1e12])
def test_a_projection_of_a_long_vector_is_on_the_sphere_to_the_last_digits(q, size):
    """Y = Z + sigma BX is long: an error of an ulp of Y would be one of the gap, times ||BX||."""
    rng = np.random.default_rng(0)
    for y in size * rng.normal(size=(50, 3)):
        z, outside = project(y, 0.1, q)
        assert outside
        assert row_norms(z[None], q)[0] == pytest.approx(0.1, rel=4 * ULP)


@pytest.mark.parametrize("q", BALLS)
@given(y=rows(), share=st.one_of(st.sampled_from([0.0, 1.0, 2.0]), st.floats(0.01, 1.5)))
def test_a_projection_is_that_of_the_model(q, y, share):
    """Radius zero, equal to the norm, larger and smaller."""
    y = usable(y)
    radius = share * float(row_norms(y[None], q)[0])
    expected = project_rows(y[None], np.array([radius]), q)[0]
    assert project(y, radius, q)[0] == pytest.approx(
        expected, rel=0, abs=20 * ULP * np.abs(y).sum()
    )


@given(y=arrays(np.float64, st.integers(1, 8)), radius=st.floats())
@example(y=np.array([np.nan, 1.0]), radius=0.5)
@example(y=np.array([np.inf, 1.0]), radius=0.5)
@example(y=np.array([1.0, 2.0, 3.0]), radius=-1.0)
def test_a_projection_on_the_l1_ball_ends_whatever_the_numbers(y, radius):
    project(y, radius, 1.0)


def random_edges(seed, q, d, m=400):
    """Rows in and out of their balls, penalties, and their projections."""
    rng = np.random.default_rng(seed)
    Y, radii = rng.normal(size=(m, d)), rng.uniform(0.2, 2.0, size=m) * d ** (q == 1.0)
    P = np.array([project(y, r, q)[0] for y, r in zip(Y, radii, strict=True)])
    return Y, P, radii, rng.uniform(0.5, 5.0, size=m)


def jacobians(Y, P, radii, sigma, q):
    """diag(a) - v v' of each row: (m, d, d)."""
    a, v = np.full_like(Y, np.nan), np.full_like(Y, np.nan)
    edge_loops.jacobian_pass(radii, sigma, q, Y, P, a, v)
    return a[:, :, None] * np.eye(Y.shape[1]) - v[:, :, None] * v[:, None, :]


@pytest.mark.parametrize("q", BALLS)
@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_the_jacobian_is_the_derivative_of_the_projection(q, d):
    Y, P, radii, sigma = random_edges(d, q, d)
    found = jacobians(Y, P, radii, sigma, q)
    h = 1e-6
    ahead, behind = np.empty_like(found), np.empty_like(found)
    for k, step in enumerate(h * np.eye(d)):
        ahead[:, :, k] = (project_rows(Y + step, radii, q) - P) / h
        behind[:, :, k] = (P - project_rows(Y - step, radii, q)) / h
    smooth = np.abs(ahead - behind).max(axis=(1, 2)) < 1e-3  # no kink in between
    outside = row_norms(Y, q) > radii
    assert smooth.mean() > 0.98
    assert 0.1 < outside.mean() < 0.9
    numeric = sigma[:, None, None] * (ahead + behind) / 2
    np.testing.assert_allclose(found[smooth], numeric[smooth], rtol=0, atol=1e-7)


@pytest.mark.parametrize("q", BALLS)
@given(y=rows(), share=st.sampled_from([0.0, 0.5, 1.0]))
@example(y=np.full(3, 0.1), share=1e-18)
def test_a_jacobian_at_a_kink_is_between_zero_and_the_penalty(q, y, share):
    y = usable(y)
    radius = share * float(row_norms(y[None], q)[0])
    P = project(y, radius, q)[0][None]
    J = jacobians(y[None], P, np.array([radius]), np.array([3.0]), q)[0]
    values = np.linalg.eigvalsh(J)
    assert values.min() >= -1e-14
    assert values.max() <= 3.0 * (1 + 1e-14)


def random_state(p, d, seed=0):
    """A model with every edge of positive capacity, random X, feasible Z, sigma and U."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(9, d))
    graph = FusionGraph.knn(A, k=4)
    model = ConvexClustering(A, graph, 0.7, p)
    Z = model.project_dual(rng.normal(size=(graph.m, d)))
    X, U = rng.normal(size=(9, d)), rng.normal(size=(graph.m, d))
    return model, X, Z, U, rng.uniform(0.5, 3.0, size=graph.m)


def ends(model):
    return (*np.ascontiguousarray(model.graph.edges.T), model.radii)


every_shape = [(p, d) for p in NORMS for d in (1, 2, 4)]


@pytest.mark.parametrize(("p", "d"), every_shape)
def test_the_envelope_its_gradient_and_what_it_is_made_of(p, d):
    model, X, Z, _, sigma = random_state(p, d)
    q = conjugate(p)
    rest = X - model.data

    def at(X):
        Y, P, forces = np.empty_like(Z), np.empty_like(Z), rest.copy()
        value = edge_loops.moreau_pass(*ends(model), sigma, q, X, Z, Y, P, forces)
        return value, forces, Y, P

    value, forces, Y, P = at(X)
    y = Z + sigma[:, None] * model.graph.differences(X)
    z = project_rows(y, model.radii, q)
    assert pytest.approx(y) == Y
    assert pytest.approx(z) == P
    assert value == pytest.approx((((z * y).sum(axis=1) - (z * z).sum(axis=1) / 2) / sigma).sum())
    assert forces == pytest.approx(rest + model.graph.adjoint(z))
    h = 1e-6
    D = np.random.default_rng(1).normal(size=X.shape)
    slope = (at(X + h * D)[0] - at(X - h * D)[0]) / (2 * h)
    assert np.vdot(forces - rest, D) == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(("p", "d"), every_shape)
@pytest.mark.parametrize("relaxation", [1.0, 1.7])
def test_a_step_of_admm(p, d, relaxation):
    model, X, Z, U, sigma = random_state(p, d)
    u = relaxation * model.graph.differences(X) + (1 - relaxation) * U
    y = Z + sigma[:, None] * u
    expected_Z = project_rows(y, model.radii, conjugate(p))
    expected_U = (y - expected_Z) / sigma[:, None]
    flow = model.graph.adjoint(sigma[:, None] * expected_U - expected_Z)
    forces = np.full_like(X, np.nan)
    edge_loops.admm_pass(
        *ends(model), sigma, conjugate(p), relaxation, model.data, X, Z, U, forces
    )  # fmt: skip
    np.testing.assert_allclose(Z, expected_Z, rtol=0, atol=1e-13)
    np.testing.assert_allclose(U, expected_U, rtol=0, atol=1e-13)
    np.testing.assert_allclose(forces, model.data + flow, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("p", "d"), every_shape)
def test_the_terms_of_the_gap_and_of_the_residual(p, d):
    model, X, Z, _, _ = random_state(p, d)
    fusion, gap, residual = edge_loops.fenchel_young(*ends(model), conjugate(p), X, Z)
    assert fusion == pytest.approx(model.gamma * model.graph.total_variation(X, p))
    stationarity = X - model.data + model.graph.adjoint(Z)
    whole = gap + 0.5 * np.vdot(stationarity, stationarity)
    assert whole == pytest.approx(model.absolute_gap(X, Z))
    assert whole == pytest.approx(model.primal(X) - model.dual(Z))
    fixed_point = model.project_dual(Z + model.graph.differences(X))
    assert residual == pytest.approx(np.linalg.norm(Z - fixed_point) ** 2)


@pytest.mark.parametrize("p", NORMS)
def test_no_term_of_the_gap_is_negative_where_rounding_would_make_it_so(p):
    """At <z, u> = r ||u|| rounding may go either way; terms are cut at zero one by one."""
    rng = np.random.default_rng(0)
    m = 1000
    u, radii = rng.normal(size=(m, 3)), rng.uniform(1, 2, size=m)
    z = project_rows(1e9 * u, radii, conjugate(p))
    X = np.vstack([u, np.zeros((1, 3))])
    tails, heads = np.arange(m), np.full(m, m)
    single = [
        edge_loops.fenchel_young(tails[e : e + 1], heads[e : e + 1], radii[e : e + 1],
                              conjugate(p), X, z[e : e + 1])[1]
        for e in range(m)
    ]  # fmt: skip
    assert min(single) == 0.0
    assert edge_loops.fenchel_young(tails, heads, radii, conjugate(p), X, z)[1] == sum(single)


@pytest.mark.parametrize("d", [1, 3])
def test_the_adjoint_and_the_hessian_against_matrices(d):
    model, X, Z, V, _ = random_state(2, d)
    tails, heads, _ = ends(model)
    B = model.graph.incidence.toarray()
    forces = X.copy()
    edge_loops.adjoint(tails, heads, Z, forces)
    assert forces == pytest.approx(X + B.T @ Z)
    a, out = Z**2 + V**2, np.full_like(X, np.nan)
    edge_loops.hessian_times(tails, heads, a, V, X, out)
    flow = a * (B @ X) - V * (V * (B @ X)).sum(axis=1, keepdims=True)
    assert out == pytest.approx(X + B.T @ flow)
