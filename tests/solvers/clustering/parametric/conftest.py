"""Small models along rays, and the partition at one eps by brute force in rational arithmetic."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from support import rational

from bilad.models import ConvexClustering, FusionGraph, Perturbation


@dataclass(frozen=True)
class Case:
    """A model with p = 1 or d = 1 along a ray; low < high."""

    model: ConvexClustering
    perturbation: Perturbation
    low: float
    high: float

    @property
    def direction(self):
        T = self.perturbation.operators.get("data")
        flat = np.zeros(self.model.data.size) if T is None else T.toarray()
        return flat.reshape(self.model.data.shape)

    def radii(self, eps):
        decay = self.perturbation.operators.get("weights")
        slopes = np.zeros(self.model.graph.m) if decay is None else -decay.toarray().ravel()
        gamma = Fraction(self.model.gamma)
        return [
            gamma * Fraction(w) * (1 - Fraction(s) * eps)
            for w, s in zip(self.model.graph.weights.tolist(), slopes.tolist(), strict=True)
        ]

    def data(self, eps):
        """Columns of A + eps V, in Fractions."""
        return [
            [Fraction(a) + eps * Fraction(v) for a, v in zip(column, move, strict=True)]
            for column, move in zip(
                self.model.data.T.tolist(), self.direction.T.tolist(), strict=True
            )
        ]


def first_appearance(keys):
    known = {}
    return [known.setdefault(key, len(known)) for key in keys]


@pytest.fixture(scope="session")
def ray_case():
    """The class of the cases."""
    return Case


@pytest.fixture(scope="session")
def random_case():
    """Random cases by a generator: n points, coarse numbers with ties or fine ones."""

    def make(rng, n, d=1, kind="graph"):
        coarse = rng.random() < 0.6
        numbers = (
            (lambda size: rng.integers(-4, 5, size).astype(float))
            if coarse
            else (lambda size: rng.normal(size=size))
        )
        data, V = numbers((n, d)), numbers((n, d))
        V[0, 0] = V[0, 0] or 1.0
        pairs = np.column_stack(np.triu_indices(n, 1))
        if kind == "complete":
            graph = FusionGraph.complete(n, float(rng.choice([1.0, 0.5, 0.3])))
        else:
            pairs = pairs[rng.random(len(pairs)) < rng.choice([0.4, 0.7, 1.0])]
            weights = rng.integers(0, 4, len(pairs)) if coarse else rng.uniform(0, 2, len(pairs))
            graph = FusionGraph(n, pairs, weights.astype(float))
        gamma = float(rng.choice([0.0, 0.1, 0.25, 0.5, 1.0], p=[0.05, 0.35, 0.2, 0.2, 0.2]))
        model = ConvexClustering(data, graph, gamma, p=1 if d > 1 else 2)
        return Case(model, Perturbation.shift(V), -3.0, 3.0)

    return make


@pytest.fixture(scope="session")
def partition_at():
    """The labels at a rational eps, by brute force over all cuts of every set: n <= 8."""

    def solve(case, eps):
        graph, radii = case.model.graph, case.radii(eps)
        columns = [
            rational.solve_graph(column, graph.edges.tolist(), radii) for column in case.data(eps)
        ]
        return first_appearance(zip(*columns, strict=True))

    return solve


@pytest.fixture(scope="session")
def complete_partition_at():
    """The labels at a rational eps for equal weights on the complete graph, by pooling."""

    def solve(case, eps):
        radius = Fraction(case.model.gamma) * Fraction(case.model.graph.uniform_weight)
        columns = [rational.solve_complete(column, radius) for column in case.data(eps)]
        return first_appearance(zip(*columns, strict=True))

    return solve
