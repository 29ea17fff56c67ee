"""The merit function: its values, the reserved solves, and the exceptions that it stores."""

import numpy as np
import pytest

from bilad.models import MinPerturbation
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.termination import BudgetSpentError
from bilad.solvers.upper import Evaluation
from bilad.solvers.upper.derivative_free.merit import LineSearchDueError, MeritFunction, merit
from bilad.solvers.upper.derivative_free.search_space import SearchSpace


def seen(size, deviation, proved=True):
    return Evaluation(np.array([size]), size, deviation, proved, 1, 0.0)


def test_the_larger_deviation_is_better(groups):
    lower = LowerLevel(groups.bl1())
    values = [merit(lower, seen(1.0, u), 18.0) for u in (0.0, 2.0, 42.0)]
    assert values == [0.0, -2 / 42, -1.0]
    assert merit(lower, seen(1.0, 100.0, proved=False), 18.0) == 0.0


def test_the_shorter_attack_is_better_and_any_attack_than_none(groups):
    lower = LowerLevel(groups.bl2(target=20.0))
    found = [(9.0, 20.0), (18.0, 48.0), (1.0, 19.0), (1.0, 5.0), (1.0, 0.0)]
    assert [merit(lower, seen(*pair), 18.0) for pair in found] == [0.5, 1.0, 1.05, 1.75, 2.0]
    assert merit(lower, seen(1.0, 48.0, proved=False), 18.0) == 2.0


def made(problem, max_solves=None, **options):
    lower = LowerLevel(problem, max_solves=max_solves)
    return MeritFunction(lower, SearchSpace(problem), **options)


def test_a_point_of_the_cube_has_the_merit_of_its_eps(groups):
    value = made(groups.bl1())
    assert value(np.array([1.0])) == -groups.joined / 42
    assert value(np.array([0.0])) == 0.0
    assert value.lower.history[0].eps.tolist() == [18.0]


def test_an_exception_is_raised_again_without_a_solve(groups):
    value = made(groups.bl1(), max_solves=1)
    value(np.array([0.5]))
    for z in (0.6, 0.5):
        with pytest.raises(BudgetSpentError) as caught:
            value(np.array([z]))
        assert caught.value is value.failure
    assert value.lower.solves == 1


def test_solves_are_reserved_for_the_line_search(groups):
    value = made(groups.bl2(), max_solves=10, last=3)
    for z in (0.01, 0.02, 0.03, 0.04):  # no attacks
        assert value(np.array([z])) == 2.0
    assert value(np.array([0.9])) < 1
    with pytest.raises(LineSearchDueError):
        value(np.array([0.8]))
    assert value.lower.solves == 5


def test_the_time_limit_is_checked_even_without_a_solve(groups):
    problem = groups.bl1()
    lower = LowerLevel(problem, time_limit=0.0)
    with pytest.raises(BudgetSpentError, match="time limit"):
        MeritFunction(lower, SearchSpace(problem))(np.zeros(1))


def test_sizes_are_in_units_of_the_space(groups):
    lower = LowerLevel(groups.bl2())
    smaller = MinPerturbation(groups.model(), groups.shift(), 1.0, limit=9.0)
    assert MeritFunction(lower, SearchSpace(smaller))(np.array([0.5])) == 0.5
