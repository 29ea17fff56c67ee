"""The restarts of a derivative-free search: starting points, balls, line searches, exceptions."""

import numpy as np
import pytest

from bilad.models import MaxDeviation, Perturbation
from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Trace
from bilad.solvers.termination import BudgetSpentError
from bilad.solvers.upper.derivative_free.method import DerivativeFreeMethod
from bilad.solvers.upper.multistart import DEFAULT_STARTS, MOST_IDLE


class Search:
    """A search that evaluates its start and some random points."""

    def __init__(self, points=2):
        self.points = points
        self.starts, self.radii = [], []

    def __call__(self, merit, start, rng, number):
        assert number == len(self.starts)
        self.starts.append(start)
        self.radii.append(merit.space.radius)
        merit(start)
        for _ in range(self.points):
            merit(rng.uniform(-1, 1, merit.space.dim))


def run(problem, search, restarts=None, max_solves=None, time_limit=float("inf"), trace=None):
    lower = LowerLevel(problem, max_solves=max_solves, time_limit=time_limit)
    try:
        method = DerivativeFreeMethod(lambda problem: search)
        method.prepare(problem, np.random.default_rng(0), restarts=restarts)(
            lower, trace or Trace()
        )
    except BudgetSpentError as error:
        return lower, str(error)
    return lower, "ended"


def test_the_number_of_searches_is_kept_and_the_first_starts_at_zero(groups):
    search = Search()
    assert run(groups.bl1(), search, 3)[1] == "ended"
    assert len(search.starts) == 3
    assert search.starts[0].tolist() == [0.0]
    assert len({tuple(start) for start in search.starts}) >= 2


def test_limits_replace_the_default_number_of_searches(groups):
    search = Search()
    run(groups.bl1(), search)
    assert len(search.starts) == DEFAULT_STARTS
    search = Search()
    lower, end = run(groups.bl1(), search, max_solves=60)
    assert (lower.solves, end) == (60, "solve limit")
    numbers = []

    def endless(merit, start, rng, number):
        numbers.append(number)
        merit(np.array([number / 10]))
        if number > DEFAULT_STARTS:
            raise BudgetSpentError("enough")

    assert run(groups.bl1(), endless, time_limit=3600.0)[1] == "enough"
    assert len(numbers) == DEFAULT_STARTS + 2


def test_searches_without_a_new_solve_end_the_method(groups):
    calls = []

    def idle(merit, start, rng, number):
        calls.append(number)
        merit(np.zeros(1))

    assert run(groups.bl1(), idle, max_solves=5)[1] == "ended"
    assert len(calls) == MOST_IDLE


def test_it_ends_if_the_search_space_is_a_point(groups):
    free = Perturbation.linear(
        (groups.n, 1), groups.shift().operators["data"], lower=0.0, upper=0.0
    )
    problem = MaxDeviation(groups.model(), free, 1.0)
    lower, end = run(problem, Search(), max_solves=5)
    assert (lower.solves, end) == (0, "ended")


def test_the_ball_shrinks_to_the_best_attack(groups):
    search = Search(10)
    lower, _ = run(groups.bl2(), search, 3)
    assert search.radii[0] == 18.0
    assert search.radii[1] < 18.0
    assert search.radii[2] <= search.radii[1]
    assert lower.best.size <= search.radii[2]
    search = Search(10)
    run(groups.bl1(), search, 3)
    assert set(search.radii) == {18.0}


def test_a_line_search_follows_each_search(groups):
    lower, _ = run(groups.bl2(), Search(10), 1)
    assert lower.best.size == pytest.approx(groups.parts, rel=2e-6)


@pytest.mark.parametrize("solves", [30, 250])
def test_solves_are_reserved_for_the_line_search(groups, solves):
    lower, end = run(groups.bl2(), Search(10_000), max_solves=solves)
    assert (lower.solves, end) == (solves, "solve limit")
    halvings = min(25, solves // 4)
    assert lower.best.size <= max(groups.parts * (1 + 2e-6), groups.parts + 18 / 2**halvings)


def test_progress(groups):
    told = []
    trace = Trace(lambda done, total: told.append((done, total)))
    run(groups.bl1(), Search(), max_solves=6, trace=trace)
    assert told[0] == (0, 6)
    assert told == sorted(told)
    told.clear()
    run(groups.bl1(), Search(), 2, trace=trace)
    assert {total for _, total in told} == {2}


def test_errors_of_the_search_itself_are_not_hidden(groups):
    def broken(merit, start, rng, number):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(groups.bl1(), broken)


def test_a_search_that_suppresses_exceptions(groups):
    def stubborn(merit, start, rng, number):
        for z in np.linspace(-1, 1, 50):
            try:
                merit(np.array([z]))
            except BudgetSpentError:
                continue

    lower, end = run(groups.bl1(), stubborn, max_solves=7)
    assert (lower.solves, end) == (7, "solve limit")
