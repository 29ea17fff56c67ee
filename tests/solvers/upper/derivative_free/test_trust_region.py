"""COBYQA and COBYLA: the first models see the ends of every axis."""

import numpy as np
import pytest

from bilad.models import MaxDeviation
from bilad.models.validation import ArgumentError
from bilad.solvers import attack


@pytest.mark.parametrize(("method", "first"), [("cobyqa", 4), ("cobyla", 2)])
def test_the_first_model(groups, method, first):
    problem = MaxDeviation(groups.model(), groups.each(), 8.0, np.inf)
    found = attack(problem, method, max_solves=first, closing="none")
    assert {seen.size for seen in found.history} == {8.0}
    assert {tuple(seen.eps != 0) for seen in found.history} >= {(True, False)}
    found = attack(problem, method, max_solves=first, first_radius=0.25, closing="none")
    assert max(seen.size for seen in found.history) == pytest.approx(2.0)


@pytest.mark.parametrize("method", ["cobyqa", "cobyla"])
@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"first_radius": 1.5}, "first_radius"),
        ({"first_radius": 1e-4}, "first_radius"),
        ({"last_radius": 0.0}, "last_radius"),
    ],
)
def test_refused(groups, method, options, argument):
    with pytest.raises(ArgumentError) as caught:
        attack(groups.bl1(), method, **options)
    assert caught.value.argument == argument
