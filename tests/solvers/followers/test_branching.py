"""Branching on complementarity, compared with all branches of small random programs."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

from bilad.solvers.followers.branching import Branching
from bilad.solvers.followers.convex_program import ConvexProgram


def random_program(seed, quadratic, n=6, integer=0):
    """Minimise over Ax <= b, 0 <= z <= 3, with pairs (0, 1), (2, 3), (4, 5)."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(4, n))
    root = rng.normal(size=(n, n))
    P = sp.csr_array(root @ root.T if quadratic else np.zeros((n, n)))
    columns = np.zeros(n), np.full(n, 3.0)
    whole = np.arange(n) < integer
    rows = np.full(4, -np.inf), A @ np.full(n, 0.3) + 0.5
    return ConvexProgram(P, rng.normal(size=n), 1.5, sp.csr_array(A), rows, columns, whole)


def best_branch(program):
    values = []
    for sides in itertools.product((0, 1), repeat=3):
        high = program.columns[1].copy()
        high[[2 * k + side for k, side in enumerate(sides)]] = 0.0
        values.append(program.solve((program.columns[0], high)).value)
    return min(values)


PAIRS = np.arange(6).reshape(3, 2)


@pytest.mark.parametrize("quadratic", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_value_is_that_of_the_best_branch(seed, quadratic):
    program = random_program(seed, quadratic)
    tree = Branching(program, PAIRS)
    tree.run()
    assert tree.status == "optimal"
    assert tree.value == pytest.approx(best_branch(program), abs=1e-6)
    assert tree.bound <= tree.value + 1e-9
    assert tree.bound == pytest.approx(tree.value, abs=1e-5)
    assert np.all(tree.best[PAIRS].min(axis=1) <= 1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_integers_with_a_quadratic_objective(seed):
    program = random_program(seed, True, integer=2)
    tree = Branching(program, PAIRS)
    tree.run()
    values = []
    for first, second in itertools.product(range(4), repeat=2):
        if first and second:
            continue
        low, high = program.columns[0].copy(), program.columns[1].copy()
        low[:2] = high[:2] = first, second
        for sides in itertools.product((2, 3), (4, 5)):
            most = high.copy()
            most[list(sides)] = 0.0
            values.append(program.solve((low, most)).value)
    assert tree.status == "optimal"
    assert tree.value == pytest.approx(min(values), abs=1e-6)


def test_a_bound_at_a_limit_is_below_the_value():
    program = random_program(1, False)
    tree = Branching(program, PAIRS)
    tree.run(node_limit=1)
    assert tree.termination == "node limit"
    assert tree.bound <= best_branch(program) + 1e-9


def test_infeasible_and_unbounded_are_proved():
    program = random_program(0, False)
    A = sp.csr_array(np.ones((1, 6)))
    apart = program.with_rows(A, np.array([9.5]), np.array([np.inf]))  # one of each pair is 0
    tree = Branching(apart, PAIRS)
    tree.run()
    assert tree.status == "infeasible"
    free = ConvexProgram(
        sp.csr_array((2, 2)),
        np.array([-1.0, -1.0]),
        0.0,
        sp.csr_array((0, 2)),
        (np.zeros(0), np.zeros(0)),
        (np.zeros(2), np.full(2, np.inf)),
        np.zeros(2, dtype=bool),
    )
    tree = Branching(free, np.array([[0, 1]]))
    tree.run()
    assert tree.status == "unbounded"
    assert tree.bound == -np.inf


def huge():
    """min (z0 - 1)^2 + z1 over z0 + z1 >= 1e7, 0 <= z0 <= 1e9, 0 <= z1 <= 1e20."""
    return ConvexProgram(
        sp.csr_array(np.diag([2.0, 0.0])),
        np.array([-2.0, 1.0]),
        1.0,
        sp.csr_array(np.ones((1, 2))),
        (np.array([1e7]), np.array([np.inf])),
        (np.zeros(2), np.array([1e9, 1e20])),
        np.zeros(2, dtype=bool),
    )


def with_a_small_curvature():
    """min 1e-10 z0^2 - z0 over z0 >= 0, whose minimiser is 5e9."""
    return ConvexProgram(
        sp.csr_array([[2e-10]]),
        np.array([-1.0]),
        0.0,
        sp.csr_array((0, 1)),
        (np.zeros(0), np.zeros(0)),
        (np.zeros(1), np.full(1, np.inf)),
        np.zeros(1, dtype=bool),
    )


@pytest.mark.parametrize("program", [huge(), with_a_small_curvature()])
def test_numbers_of_different_size_prove_nothing(program):
    assert program.solve().status in {"optimal", "unknown"}


def test_a_ray_of_a_quadratic_program_is_proved():
    free = with_a_small_curvature().with_objective(sp.csr_array([[0.0]]), np.array([-1.0]), 0.0)
    flat = ConvexProgram(
        sp.csr_array(np.diag([1.0, 0.0])),
        np.array([0.0, -1.0]),
        0.0,
        sp.csr_array(np.array([[1.0, -1.0]])),
        (np.array([-np.inf]), np.array([1.0])),
        (np.zeros(2), np.full(2, np.inf)),
        np.zeros(2, dtype=bool),
    )
    assert free.solve().status == flat.solve().status == "unbounded"


def test_a_program_that_highs_refuses_has_no_solution():
    program = huge().with_objective(sp.csr_array((2, 2)), np.ones(2), 0.0)
    refused = program.with_rows(sp.csr_array([[1.0, 0.0]]), np.array([1e20]), np.array([1e20]))
    assert refused.solve().status == "unknown"
