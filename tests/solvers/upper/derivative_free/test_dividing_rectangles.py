"""Dividing rectangles: the first thirds are at the bounds."""

import numpy as np
import pytest

from bilad.models import MaxDeviation
from bilad.models.validation import ArgumentError
from bilad.solvers import attack


@pytest.mark.parametrize("locally_biased", [True, False])
def test_the_ends_of_every_axis_come_first(groups, locally_biased):
    problem = MaxDeviation(groups.model(), groups.each(), 8.0, np.inf)
    options = {"locally_biased": locally_biased, "max_solves": 4}
    found = attack(problem, "dividing-rectangles", **options, closing="none")
    ends = {(8.0, 0.0), (-8.0, 0.0), (0.0, 8.0), (0.0, -8.0)}
    assert {tuple(seen.eps + 0.0) for seen in found.history} == ends


def test_a_restart_moves_the_rectangles(groups):
    problem = groups.bl1(budget=2.0)  # nothing within reach: down to the smallest rectangle
    once = attack(
        problem, "dividing-rectangles", restarts=1, max_solves=2000, bound="none", closing="none"
    )
    twice = attack(
        problem, "dividing-rectangles", restarts=2, max_solves=4000, bound="none", closing="none"
    )
    assert twice.lower_solves > 1.5 * once.lower_solves


def test_refused(groups):
    with pytest.raises(ArgumentError, match="locally_biased"):
        attack(groups.bl1(), "dividing-rectangles", locally_biased=1)
