"""Multistart: the number of searches, the idle ones, and the progress."""

import math

import pytest

from bilad.solvers.bilevel.oracle import LowerLevel
from bilad.solvers.bilevel.trace import Trace
from bilad.solvers.upper.multistart import DEFAULT_STARTS, MOST_IDLE, multistart


@pytest.mark.parametrize(
    ("most", "most_idle", "searches"),
    [
        (2, MOST_IDLE, 2),
        (0, MOST_IDLE, 0),
        (9, MOST_IDLE, MOST_IDLE),
        (9, math.inf, 9),
        (None, math.inf, DEFAULT_STARTS),
    ],
)
def test_the_number_of_searches_without_a_solve(groups, most, most_idle, searches):
    lower = LowerLevel(groups.bl1())
    starts = list(multistart(lower, Trace(), most, most_idle))
    assert [(start.number, start.idle) for start in starts] == [(k, k) for k in range(searches)]


def test_a_new_solve_ends_the_idle_searches(groups):
    lower, idle = LowerLevel(groups.bl1()), []
    for start in multistart(lower, Trace(), None):
        idle.append(start.idle)
        if start.number == 2:
            lower.evaluate([1.0])
    assert idle == [0, 1, 2, 0, 1]
    assert lower.solves == 1


@pytest.mark.parametrize(
    ("max_solves", "most", "told"),
    [(9, 3, [(1, 9), (2, 9), (3, 9)]), (None, 3, [(1, 3), (2, 3), (3, 3)])],
)
def test_the_progress_counts_solves_if_they_are_limited(groups, max_solves, most, told):
    seen = []
    lower = LowerLevel(groups.bl1(), max_solves=max_solves)
    trace = Trace(lambda done, total: seen.append((done, total)))
    for start in multistart(lower, trace, most):
        lower.evaluate([1.0 + start.number])
    assert seen == told
