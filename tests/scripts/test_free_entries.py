"""Instances with free entries."""

import numpy as np
import pytest

from bilad.scripts.instances import FreeEntries
from bilad.solvers import cluster

INF = float("inf")


@pytest.mark.parametrize("data", ["iris", "gaussians"])
@pytest.mark.parametrize("norm", [2.0, INF])
def test_instances_with_free_entries(data, norm):
    instance = FreeEntries(data, 20, norm, 1)
    first, second = instance.problem(), instance.problem()
    assert np.array_equal(first.model.data, second.model.data)
    assert first.perturbation.dim == 20
    assert (first.model.n, first.model.d, first.norm) == (
        (100, 1, norm) if data == "iris" else (200, 2, norm)
    )
    assert 2 <= cluster(first.model).n_clusters <= 12
    other = FreeEntries(data, 20, norm, 2)
    assert (
        first.perturbation.operators["data"] != other.problem().perturbation.operators["data"]
    ).nnz > 0
    assert instance.group == other.group
    assert instance.name != other.name
