"""What acts moves the solution as much as eps does, and stiff clusters move as one."""

import numpy as np
import pytest

from bilad.solvers import cluster
from bilad.solvers.certificates.robustness.absorbed import Acting
from bilad.solvers.certificates.robustness.drift import Drift
from bilad.solvers.certificates.robustness.structure import Structure

DATA_KINDS = ("additive", "masked", "multiplicative", "shift")


def check_motion(problem, rng, directions, radius):
    """Return what acts over what eps does; fail if the solution moves otherwise."""
    model, clustering = problem.model, cluster(problem.model, tol=1e-13, refine=True)
    if not clustering.proved or (model.p == 1 and model.d > 1):
        return np.nan
    clusters = Structure.of(model, clustering.labels, clustering.X, clustering.Z)
    drift = Drift.of(problem, clusters)
    acting = Acting.of(clusters, drift, radius, np.full(len(clusters.pairs), 1e-9))
    shares = []
    for unit in directions(problem, clustering, rng):
        eps = np.clip(radius * unit, problem.perturbation.lower, problem.perturbation.upper)
        found = cluster(problem.perturbation.apply(model, eps), tol=1e-13, refine=True)
        D, moved = found.X - clustering.X, acting.felt @ eps
        left = np.vdot(moved, D) - np.vdot(D, D)
        assert left >= -1e-5 * (1 + radius**2)
        means = np.array([D[clustering.labels == k].mean(axis=0) for k in clustering.labels])
        beyond = np.linalg.norm(D - means, axis=1)
        T = max(left, 0.0) + 1e-5 * (1 + radius**2)
        stiff = np.isfinite(acting.looseness)
        assert (beyond[stiff] <= acting.looseness[stiff] * T + 1e-5).all()
        shares.append(np.linalg.norm(moved) / np.linalg.norm(drift.felt @ eps))
    return np.mean(shares)


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_the_solution_moves_as_what_acts(p, random_problem, directions):
    shares = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        problem = random_problem(rng, kinds=DATA_KINDS, largest=9)
        if problem.model.p == p:
            shares.append(check_motion(problem, rng, directions, 10 ** rng.uniform(-1.5, 0.5)))
    assert 0.2 < np.nanmean(shares) < 0.98
