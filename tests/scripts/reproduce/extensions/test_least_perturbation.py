"""(BL2) with a known optimum: ratios, failures and bounds agree with the rows."""

from dataclasses import replace

import pytest

from bilad.scripts.known_problems import known_problems
from bilad.scripts.reproduce.extensions.least_perturbation import (
    BOUND,
    LeastAttack,
    answer,
    least_attacks,
    least_blocks,
    settings,
    summaries,
)
from bilad.solvers import attack

MERGE = "two points, p = 1, d = 1, merging_shift, BL2"


@pytest.fixture(scope="module")
def rows():
    known = [known_problems()[MERGE]]
    return list(least_attacks(known, ["exact", "cma", "corners"], 30, 5.0, 0))


def test_the_exact_method_solves_what_is_known(rows):
    exact = next(row for row in rows if row.method == "exact")
    assert exact.optimum == 1.5
    assert exact.ratio == pytest.approx(1, rel=1e-6)
    assert exact.solved


def test_the_bound_is_below_the_optimum(rows):
    bound = next(row for row in rows if row.method == BOUND)
    assert not bound.value > bound.optimum * (1 + 1e-9)


def test_the_settings_optimum_is_that_of_a_fine_grid():
    iris = next(own for own in settings() if own.name == "iris")
    grid = attack(iris.problem, "direct", step=0.005)
    assert iris.optimum <= grid.norm <= iris.optimum + 0.005


def _row(method, value, problem="a"):
    return LeastAttack(problem, "MILP", method, 1.0, value, 3, 0.1, "feasible")


def test_summaries_count_the_solved_and_the_failures():
    made = summaries([_row("x", 1.0005), _row("x", 1.5, "b"), _row("x", float("inf"), "c")])
    assert (made[0].problems, made[0].solved, made[0].failures) == (3, 1, 1)
    assert made[0].ratio == pytest.approx(1.25025)


def test_the_answer_turns_with_the_rows():
    both = [_row("x", 1.0), _row("y", 2.0), _row(BOUND, 0.5)]
    assert "x is within" in answer(both)
    assert "y is within" in answer([replace(both[0], value=2.0), _row("y", 1.0), both[2]])
    assert "within 0.1 % of the optimum for 0" in answer(both)
    assert "within 0.1 % of the optimum for 1" in answer([*both[:2], _row(BOUND, 1.0)])
    assert "exceeds it for 1" in answer([*both[:2], _row(BOUND, 1.2)])
    assert len(least_blocks(both, 3, 1.0)[0].cells) == 2
