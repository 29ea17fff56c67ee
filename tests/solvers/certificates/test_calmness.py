"""Global, local and empirical modulus of calmness: in closed form and by finite differences."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from support import problems

from bilad.models import (
    ArgumentError,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    Perturbation,
)
from bilad.solvers import attack, cluster
from bilad.solvers.certificates import calmness
from bilad.solvers.certificates.calmness import GLOBAL_MODULUS, empirical_modulus, local_modulus

NORMS = (1, 2, np.inf)
STEP = 1e-4


def random_model(seed, p, n=9, d=2):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, d)) + 4 * rng.integers(0, 2, size=(n, 1))
    return ConvexClustering(A, FusionGraph.complete(n), 0.8 / n, p)


def solve(model):
    return cluster(model, tol=1e-13, refine=True)


def two_points(fused):
    """Apart by 3 along the first feature, r = 1; or r = 2, and fused."""
    return ConvexClustering([[0.0, 0.0], [3.0, 0.0]], FusionGraph.complete(2), 2.0 if fused else 1)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("seed", range(4))
def test_moduli_are_in_order(p, seed):
    """Local <= 1, empirical <= 1, and short steps are empirical of at most the local modulus."""
    model = random_model(seed, p)
    some = Perturbation.additive(model.data.shape, points=range(4))
    here, rng = solve(model), np.random.default_rng(seed)
    local = local_modulus(here, some)
    assert 0 < local <= GLOBAL_MODULUS + 1e-12
    far = empirical_modulus(here, some, rng.normal(size=(6, some.dim)))
    assert 0 < far.modulus <= GLOBAL_MODULUS
    near = empirical_modulus(here, some, 1e-3 * rng.normal(size=(6, some.dim)))
    same = np.array_equal(cluster(some.apply(model, near.eps)).labels, here.labels)
    assert not same or near.modulus <= local + 1e-3


@pytest.mark.parametrize("p", NORMS)
def test_everything_free_is_the_global_modulus(p):
    here = solve(random_model(0, p))
    assert local_modulus(here) == pytest.approx(GLOBAL_MODULUS)
    translation = Perturbation.shift(np.ones(here.X.shape))
    assert local_modulus(here, translation) == pytest.approx(GLOBAL_MODULUS)
    found = empirical_modulus(here, translation, [[2.0], [0.0]])
    assert found.modulus == pytest.approx(GLOBAL_MODULUS, abs=1e-4)
    assert found.solves == 2


@pytest.mark.parametrize("p", NORMS)
def test_along_a_ray_it_is_what_finite_differences_are(p):
    checked = 0
    for seed in range(6):
        model = random_model(seed, p)
        V = np.random.default_rng(seed).normal(size=model.data.shape)
        shift = Perturbation.shift(V)
        here, ahead, behind = (solve(shift.apply(model, t)) for t in (0.0, STEP, -STEP))
        if not all(np.array_equal(side.labels, here.labels) for side in (ahead, behind)):
            continue
        slope = np.linalg.norm(ahead.X - behind.X) / (2 * STEP * np.linalg.norm(V))
        assert local_modulus(here, shift) == pytest.approx(slope, rel=1e-4)
        checked += 1
    assert checked >= 4


def test_two_points_in_closed_form():
    """One point moves. Apart: J = I along, 1/2 (1 + 1 - 2 r / l) across; fused: J averages."""
    one = Perturbation.additive((2, 2), points=[0])
    assert local_modulus(solve(two_points(True)), one) == pytest.approx(np.sqrt(0.5))
    assert local_modulus(solve(two_points(False)), one) == pytest.approx(1.0)
    across = Perturbation.shift([[0.0, 1.0], [0.0, -1.0]])
    assert local_modulus(solve(two_points(False)), across) == pytest.approx(1 / 3)


def test_units_of_eps_do_not_matter():
    model = random_model(2, 1)
    here, V = solve(model), np.random.default_rng(0).normal(size=model.data.shape)
    moduli = [local_modulus(here, Perturbation.shift(scale * V)) for scale in (1e-6, 1.0, 1e6)]
    assert moduli == pytest.approx([moduli[0]] * 3)
    free = local_modulus(here, Perturbation.additive(model.data.shape, points=[0, 1]))
    scaled = local_modulus(here, Perturbation.multiplicative(model.data, points=[0, 1]))
    assert scaled == pytest.approx(free)


def test_parameters_that_share_entries():
    """The displacements decide, not how eps describes them."""
    model = random_model(3, 2)
    here = solve(model)
    T = Perturbation.additive(model.data.shape, points=[0]).operators["data"]
    mixed = Perturbation.linear(
        model.data.shape, sp.csr_array(T @ np.array([[1.0, 2.0], [1.0, -1.0]]))
    )
    free = Perturbation.linear(model.data.shape, T)
    assert local_modulus(here, mixed) == pytest.approx(local_modulus(here, free))


def test_along_the_history_of_an_attack():
    model = random_model(1, 1)
    problem = MaxDeviation(model, Perturbation.additive(model.data.shape, points=[0, 1]), 3.0)
    found = attack(problem, "random", max_solves=8)
    seen = empirical_modulus(
        solve(model), problem.perturbation, [step.eps for step in found.history]
    )
    assert 0 < seen.modulus <= GLOBAL_MODULUS
    assert problem.size(seen.eps) > 0


def test_both_errors_are_subtracted_from_the_motion(monkeypatch):
    """Solutions that follow the data, with errors of 0.1 each; eps moves four numbers."""
    monkeypatch.setattr(calmness, "_solution", lambda model: (model.data, 0.1))
    shift = Perturbation.shift(np.ones((2, 2)))
    found = empirical_modulus(solve(two_points(True)), shift, [[1.0], [0.0], [-2.0], [0.5]])
    assert found.modulus == pytest.approx(1 - 0.2 / 4)
    assert (found.eps.tolist(), found.solves) == ([-2.0], 4)
    assert empirical_modulus(solve(two_points(True)), shift, [[0.05]]).modulus == 0.0


def test_no_eps_that_moves_is_no_modulus():
    here = solve(two_points(True))
    assert empirical_modulus(here, Perturbation.shift(np.ones((2, 2))), [[0.0]]).modulus == 0.0


def test_refuses_what_does_not_move_the_data():
    here = solve(two_points(True))
    for other in (Perturbation.edges(here.model.graph), Perturbation.shift(np.ones((3, 2)))):
        with pytest.raises(ArgumentError, match="perturbation"):
            local_modulus(here, other)
        with pytest.raises(ArgumentError, match="perturbation"):
            empirical_modulus(here, other, [[0.0]])


def solution(model):
    """X, and a proved bound of its distance from X*: sqrt(2 g) for a duality gap g."""
    solved = cluster(model, tol=1e-12)
    rounding = 1e-14 * (1 + abs(solved.objective))
    return solved.X, np.sqrt(2 * (model.absolute_gap(solved.X, solved.Z) + rounding))


def check_pair(model, other):
    """The modulus, and firm nonexpansiveness; what the solver left open is counted."""
    (X, error), (Y, other_error) = solution(model), solution(other)
    moved, step = X - Y, model.data - other.data
    unsure = error + other_error
    assert np.linalg.norm(moved) <= np.linalg.norm(step) + unsure
    slack = unsure * (np.linalg.norm(step) + 2 * np.linalg.norm(moved) + unsure)
    assert np.vdot(moved, moved) <= np.vdot(moved, step) + slack


@pytest.mark.parametrize("p", NORMS)
def test_any_two_data(p):
    @settings(max_examples=20)
    @given(problems.models(p=p), st.data())
    def check(model, data):
        far = data.draw(problems.data(*model.data.shape))
        check_pair(model, model.replace(data=far))

    check()


@pytest.mark.parametrize("p", NORMS)
def test_two_eps_of_a_perturbation(p):
    """Near and far, at the kinks and away from them; the bound holds for eps, so for A(eps)."""

    @settings(max_examples=10)
    @given(problems.models(p=p), st.data())
    def check(model, data):
        V = data.draw(problems.data(*model.data.shape).filter(np.any))
        shift = Perturbation.shift(V)
        eps, other = (data.draw(st.floats(-4, 4)) for _ in range(2))
        check_pair(shift.apply(model, eps), shift.apply(model, other))
        check_pair(shift.apply(model, eps), shift.apply(model, eps + 1e-3))

    check()


@pytest.mark.parametrize("p", NORMS)
def test_the_modulus_is_attained(p):
    """By moving all points together: no smaller one serves."""
    model = problems.random_model(3)
    model = type(model)(model.data, model.graph, model.gamma, p)
    (X, error), (Y, other) = solution(model), solution(model.replace(data=model.data + 1.0))
    assert np.linalg.norm(Y - X) == pytest.approx(np.sqrt(X.size), abs=2 * (error + other))
