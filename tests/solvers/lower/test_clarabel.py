"""The conic reference by itself: it must not lean on the solvers that it checks."""

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers.lower.clarabel import solve_clarabel


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("values", [(1.0, 5.0), (5.0, 1.0)])
def test_two_points_in_closed_form_and_the_orientation_of_z(values, offset):
    model = ConvexClustering(np.array(values)[:, None] + offset, FusionGraph.complete(2, 0.5), 2.0)
    solution = solve_clarabel(model, 1e-12, 200, float("inf"))
    sign = np.sign(values[0] - values[1])
    np.testing.assert_allclose(
        solution.X, offset + 3 + sign * np.array([[1.0], [-1.0]]), rtol=0, atol=1e-7
    )
    np.testing.assert_allclose(solution.Z, np.array([[sign]]), rtol=0, atol=1e-7)


def test_coinciding_data():
    model = ConvexClustering(np.full((4, 2), 7.0), FusionGraph.complete(4), 1.0)
    solution = solve_clarabel(model, 1e-10, 200, float("inf"))
    np.testing.assert_allclose(solution.X, model.data, rtol=0, atol=1e-7)
