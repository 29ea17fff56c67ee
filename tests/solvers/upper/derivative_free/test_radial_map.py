"""The radial map is one to one, ray by ray, boundary to boundary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers.upper.derivative_free.radial_map import RadialMap

MODEL = ConvexClustering(np.arange(6.0)[:, None], FusionGraph.complete(6), 0.1)


def ball(k, norm, radius, edges, scale):
    """A ball, cut by 0 <= eps <= 1 if weights are perturbed, and by bounds of any size if not."""
    if edges:
        free = Perturbation.edges(MODEL.graph, range(k))
    else:
        whole = Perturbation.additive((6, 1), points=range(k))
        lower, upper = -scale * np.arange(1.0, k + 1), np.full(k, np.inf)
        lower[-1:] = -np.inf
        free = Perturbation.linear((6, 1), whole.operators["data"], lower=lower, upper=upper)
    return MaxDeviation(MODEL, free, radius, norm)


balls = st.builds(
    ball,
    k=st.integers(1, 5),
    norm=st.sampled_from([1, 2, np.inf]),
    radius=st.floats(1e-3, 1e3),
    edges=st.booleans(),
    scale=st.floats(1e-3, 1e3),
)


def drawn(problem, seed):
    low, high = problem.box
    return np.random.default_rng(seed).uniform(low, high)


@given(problem=balls, seed=st.integers(0, 10**6))
def test_back_and_forth(problem, seed):
    radial, y = RadialMap(problem), drawn(problem, seed)
    eps = radial.eps(y)
    assert problem.size(eps) <= problem.radius
    assert (problem.perturbation.lower <= eps).all()
    assert (eps <= problem.perturbation.upper).all()
    assert radial.point(eps) == pytest.approx(y, rel=1e-9, abs=1e-12 * problem.radius)
    inside = problem.project(0.7 * y)
    assert radial.eps(radial.point(inside)) == pytest.approx(inside, rel=1e-9)


@given(problem=balls, seed=st.integers(0, 10**6), share=st.floats(0.01, 1.0))
def test_the_formula_and_the_boundary(problem, seed, share):
    """eps = y reach(u) / b(u); so y at a share of b(u) goes to that share of reach(u)."""
    u = drawn(problem, seed)
    u = u / problem.size(u)
    low, high = problem.box
    ends = np.where(u > 0, high, low)[u != 0] / u[u != 0]
    eps = RadialMap(problem).eps(share * ends.min() * u)
    assert eps == pytest.approx(share * problem.largest_step(u) * u, rel=1e-9)


@given(problem=balls, seed=st.integers(0, 10**6))
def test_the_identity_for_norm_inf(problem, seed):
    box = MaxDeviation(MODEL, problem.perturbation, problem.radius, np.inf)
    y = drawn(box, seed)
    assert RadialMap(box).eps(y) == pytest.approx(y, rel=1e-12)


def test_zero_and_fixed_entries():
    whole = Perturbation.additive((6, 1), points=[0, 1, 2])
    free = Perturbation.linear((6, 1), whole.operators["data"], lower=[-1, 0, 0], upper=[1, 0, 2])
    radial = RadialMap(MaxDeviation(MODEL, free, 1.0, 1))
    assert radial.eps(np.zeros(3)).tolist() == [0, 0, 0]
    assert radial.point(np.zeros(3)).tolist() == [0, 0, 0]
    assert radial.eps(np.array([1.0, 0.0, 1.0])) == pytest.approx([0.5, 0, 0.5])
