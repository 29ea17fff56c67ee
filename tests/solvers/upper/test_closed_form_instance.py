"""The closed form that other tests use, compared with the exact solver on a fine grid."""

import numpy as np
import pytest

from bilad.models import deviation
from bilad.solvers import cluster


@pytest.mark.parametrize("name", ["groups", "touching"])
def test_breakpoints_of_the_two_groups(request, name):
    instance = request.getfixturevalue(name)
    model, shift = instance.model(), instance.shift()
    before = cluster(model, "exact")
    assert before.labels.tolist() == [0] * instance.first + [1] * instance.second
    steps = [-instance.parts, instance.parts, instance.joins]
    near = [step + side * 1e-9 for step in steps for side in (-1, 1)]
    for eps in [*np.arange(-18, 18, 0.1371), *near]:
        after = cluster(shift.apply(model, eps), "exact")
        assert after.proved
        assert deviation(before.labels, after.labels) == instance.deviation(eps), eps


def test_breakpoints_by_another_solver(groups):
    model, shift = groups.model(), groups.shift()
    before = cluster(model, "clarabel")
    for eps in (-2.5, -2.3, 2.3, 2.5, 17.5, 17.7):
        after = cluster(shift.apply(model, eps), "clarabel", tol=1e-10)
        assert deviation(before.labels, after.labels) == groups.deviation(eps)
