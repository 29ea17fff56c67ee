"""Components by union and find against SciPy."""

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from support import problems

from bilad.models.norms import row_norms
from bilad.solvers.clustering.labels.active_set import vanishing
from bilad.solvers.clustering.labels.components import components, fused_components
from bilad.solvers.clustering.labels.contracted_problem import ContractedProblem
from bilad.solvers.clustering.labels.partition import numbered


def components_of_scipy(tails, heads, chosen, n):
    """Components, numbered by their first points."""
    ones = np.ones(chosen.sum())
    adjacency = sp.coo_array((ones, (tails[chosen], heads[chosen])), shape=(n, n))
    return numbered([sp.csgraph.connected_components(adjacency, directed=False)[1]])


@given(st.integers(1, 40), st.integers(0, 80), st.integers(0, 2**32))
def test_components_are_those_of_scipy(n, m, seed):
    """In any order and direction, with loops and repetitions."""
    rng = np.random.default_rng(seed)
    tails, heads = rng.integers(0, n, (2, m))
    chosen = rng.random(m) < 0.7
    found = components(tails, heads, chosen, n)
    assert found.tolist() == components_of_scipy(tails, heads, chosen, n).tolist()


@given(
    problems.models(gammas=st.sampled_from([0.25, 1.0])),
    st.sampled_from([0.0, 0.5, 1.0, 4.0, np.inf]),
    st.sampled_from([0.0, 0.25, 1.0]),
    st.integers(0, 2**32),
)
def test_edges_are_fused_by_the_rule_of_active_sets(model, resolution, short, seed):
    rng, problem = np.random.default_rng(seed), ContractedProblem.whole(model)
    tails, heads, radii = problem.tails, problem.heads, problem.radii
    Z = rng.normal(size=(len(radii), model.d))
    Z *= (radii / row_norms(Z, 2) * rng.choice([0.0, 0.5, 0.9, 1.0], len(radii)))[:, None]
    lengths, unused = row_norms(model.data[tails] - model.data[heads], 2), radii - row_norms(Z, 2)
    with np.errstate(invalid="ignore"):  # inf times zero
        fused = vanishing(lengths, unused, radii, resolution, short)
    found = fused_components(tails, heads, radii, model.data, Z, resolution, short)
    assert found.tolist() == components_of_scipy(tails, heads, fused, model.n).tolist()


def test_a_long_path_takes_no_recursion():
    n = 100_000
    ends = np.arange(n)[::-1]
    assert not components(ends[:-1], ends[1:], np.ones(n - 1, dtype=bool), n).any()


def test_nan_fuses_nothing():
    ends, whole = np.array([0, 1]), np.array([1, 2])
    X, Z, radii = np.zeros((3, 2)), np.zeros((2, 2)), np.ones(2)
    X[1], Z[1] = np.nan, np.nan
    assert fused_components(ends, whole, radii, X, Z, 1.0, 1.0).tolist() == [0, 1, 2]
