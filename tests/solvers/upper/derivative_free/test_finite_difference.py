"""Forward differences, and what they do not see."""

import numpy as np
import pytest

from bilad.models.validation import ArgumentError
from bilad.solvers import attack
from bilad.solvers.upper.derivative_free.finite_difference import forward_differences


@pytest.mark.parametrize("z", [[0.2, -0.4], [1.0, 1.0], [-1.0, 0.9]])
def test_the_slopes_of_a_plane_without_leaving_the_box(z):
    seen = []

    def plane(x):
        seen.append(x)
        return 3.0 * x[0] - 2.0 * x[1]

    slopes = forward_differences(plane, np.array(z), 0.25)
    assert slopes == pytest.approx([3.0, -2.0])
    assert len(seen) == 3
    assert np.abs(seen).max() <= 1


@pytest.mark.parametrize("solver", ["slsqp", "trust-constr"])
def test_one_start_ends_where_it_began(groups, solver):
    """The paper's: small steps from eps = 0 see no slope."""
    found = attack(groups.bl1(), "finite-difference", solver=solver, restarts=1, closing="none")
    assert found.status in {"no attack found", "no attack exists"}
    assert found.lower_solves <= 2


def test_a_step_as_long_as_the_box_sees_one(groups):
    found = attack(groups.bl1(), "finite-difference", step=1.0, restarts=1, closing="none")
    assert found.deviation == groups.joined


@pytest.mark.parametrize(
    ("options", "argument"),
    [({"solver": "ipopt"}, "solver"), ({"step": 0.0}, "step"), ({"step": "small"}, "step")],
)
def test_refused(groups, options, argument):
    with pytest.raises(ArgumentError) as caught:
        attack(groups.bl1(), "finite-difference", **options)
    assert caught.value.argument == argument
