"""The methods of SciPy: which points they evaluate first, and what finite differences miss."""

import numpy as np
import pytest

from bilad.models import MaxDeviation
from bilad.solvers import attack
from bilad.solvers.upper.derivative_free.scipy_methods import forward_differences


@pytest.mark.parametrize("z", [[0.2, -0.4], [1.0, 1.0], [-1.0, 0.9]])
def test_differences_of_an_affine_function_stay_within_the_box(z):
    seen = []

    def plane(x):
        seen.append(x)
        return 3.0 * x[0] - 2.0 * x[1]

    slopes = forward_differences(plane, np.array(z), 0.25)
    assert slopes == pytest.approx([3.0, -2.0])
    assert len(seen) == 3
    assert np.abs(seen).max() <= 1


@pytest.mark.parametrize("solver", ["slsqp", "trust-constr"])
def test_one_start_ends_at_the_start(groups, solver):
    """As in the paper: with small steps from eps = 0 all difference quotients are zero."""
    found = attack(groups.bl1(), "finite-difference", solver=solver, restarts=1, closing="none")
    assert found.status in {"no attack found", "no attack exists"}
    assert found.lower_solves <= 2


def test_a_step_as_long_as_the_box_finds_an_attack(groups):
    found = attack(groups.bl1(), "finite-difference", step=1.0, restarts=1, closing="none")
    assert found.deviation == groups.joined


@pytest.mark.parametrize("locally_biased", [True, False])
def test_the_ends_of_every_axis_are_evaluated_first(groups, locally_biased):
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


@pytest.mark.parametrize(("method", "first"), [("cobyqa", 4), ("cobyla", 2)])
def test_the_first_points_are_at_the_first_radius(groups, method, first):
    problem = MaxDeviation(groups.model(), groups.each(), 8.0, np.inf)
    found = attack(problem, method, max_solves=first, closing="none")
    assert {seen.size for seen in found.history} == {8.0}
    assert {tuple(seen.eps != 0) for seen in found.history} >= {(True, False)}
    found = attack(problem, method, max_solves=first, first_radius=0.25, closing="none")
    assert max(seen.size for seen in found.history) == pytest.approx(2.0)
