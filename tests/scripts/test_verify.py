"""Detection of ties by `bilad verify`, and the range of its random problems."""

import numpy as np

from bilad.models import ConvexClustering, FusionGraph
from bilad.scripts.verify import is_at_boundary, random_exact_model, random_model
from bilad.solvers.clustering.exact import lines


def test_two_points_are_at_their_boundary_exactly_where_they_meet():
    def two(gamma):
        return ConvexClustering([[0.0, 0.0], [1.0, 0.0]], FusionGraph.complete(2), gamma)

    assert is_at_boundary(two(0.5))
    assert not is_at_boundary(two(0.4))
    assert not is_at_boundary(two(0.6))


def test_random_problems_cover_what_they_promise():
    rng = np.random.default_rng(0)
    models = [random_model(rng) for _ in range(200)]
    assert {model.p for model in models} == {1, 2, float("inf")}
    assert {model.d for model in models} == {1, 2, 3, 4, 5}
    assert any((model.graph.weights == 0).any() for model in models)
    assert any(len(np.unique(model.data, axis=0)) < model.n for model in models)
    assert any(model.graph.m == model.n - 1 > 5 for model in models)
    everything = [np.ones(model.graph.m, dtype=bool) for model in models]
    parts = [m.graph.components(e).max() for m, e in zip(models, everything, strict=True)]
    assert max(parts) > 0
    assert min(model.gamma for model in models) < 1e-5
    assert max(model.gamma for model in models) > 50


def test_exact_problems_are_for_the_exact_method():
    rng = np.random.default_rng(1)
    assert all(lines.refusal(random_exact_model(rng)) is None for _ in range(50))
