"""Adversarial losses: recomputed by brute force, and their properties for given samples."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation, deviation
from bilad.scripts.reproduce.section import Bench
from bilad.scripts.reproduce.theory import losses
from bilad.solvers import cluster

DATA = np.array([[0.0, 0.0], [0.2, 0.1], [0.1, 0.3], [3.0, 0.0], [3.2, 0.2], [3.1, 0.4]])
MODEL = ConvexClustering(DATA, FusionGraph.complete(6), 0.12, 2)
FREE = Perturbation.additive(DATA.shape, points=[0, 3], features=[0])
PROBLEM = MaxDeviation(MODEL, FREE, 4.0, np.inf)


def test_what_is_measured_is_that_of_another_solver():
    samples = losses.samples(PROBLEM, lines=3, steps=4, seed=1)
    assert samples.columns.tolist() == ["line", "eps", "proved", *losses.LOSSES]
    directions = np.random.default_rng(1).choice([-1.0, 1.0], (3, 2))
    before = cluster(MODEL, "clarabel", tol=1e-11)
    for sample in samples.to_dict("records"):
        moved = FREE.apply(MODEL, sample["eps"] * directions[sample["line"]])
        found = cluster(moved, "clarabel", tol=1e-11)
        squared = ((found.X - before.X) ** 2).sum()
        objective = found.objective - before.objective
        assert sample["training loss"] == pytest.approx(objective, abs=1e-7)
        assert sample["displacement"] == pytest.approx(squared / 2, abs=1e-5)
        if sample["proved"] and found.proved:
            assert sample["delta"] == deviation(before.labels, found.labels)
    still = samples[samples.eps == 0]
    assert len(still) == 3
    assert still[losses.LOSSES].to_numpy() == pytest.approx(0, abs=1e-7)


def test_the_contrastive_loss_by_pairs():
    before = cluster(MODEL)
    assert len(set(before.labels)) == 2
    X = np.random.default_rng(0).normal(size=DATA.shape)
    pairs = list(combinations(range(6), 2))
    apart = [(i, j) for i, j in pairs if before.labels[i] != before.labels[j]]
    margin = min(np.linalg.norm(before.X[i] - before.X[j]) for i, j in apart)
    wanted = 0.0
    for i, j in pairs:
        distance = np.linalg.norm(X[i] - X[j])
        wanted += max(0.0, margin - distance) ** 2 if (i, j) in apart else distance**2
    contrastive = losses.contrastive_loss(before)
    assert contrastive(X) == pytest.approx(wanted)
    assert contrastive(before.X) == pytest.approx(0, abs=1e-9)


def standing(eps, delta, loss):
    samples = pd.DataFrame({"line": 0, "eps": eps, "delta": delta, "training loss": loss})
    return losses.standing(samples, "training loss")


def test_falls_are_looked_for_outwards_on_each_side():
    eps = [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert standing(eps, 0.0, np.abs(eps))["falling"] == 0
    assert standing(eps, 0.0, [2.0, 1.0, 0.0, 1.0, 0.5])["falling"] == 1
    found = standing([-1.0, 1.0], 0.0, [-1.0, 1.0])
    assert (found["falling"], found["halves"], found["below"]) == (1, 2, 0.5)
    assert np.isnan(found["share"])


def test_the_share_is_that_of_delta_at_the_largest_loss():
    found = standing([0.0, 1.0, 2.0, 3.0], [0.0, 8.0, 4.0, 2.0], [0.0, -1.0, 1.0, 5.0])
    assert found["share"] == 2 / 8
    assert standing([0.0, 1.0, 2.0], [0.0, 1.0, 4.0], [0.0, 1.0, 3.0])["share"] == 1


@pytest.mark.slow
def test_the_figures_of_the_documentation():
    section = losses.run(Bench(None, 0, False, lambda *_: None))
    found = section.blocks[1].rows
    found = found[found.problem != "seeds"]  # its data may be absent
    falling = found.groupby("loss").falling.sum()
    assert found.groupby("loss").halves.sum().unique().tolist() == [104]
    assert falling[losses.LOSSES].tolist() == [60, 45, 0, 0, 54]
    least = found.groupby("loss").share.min()
    assert least[losses.LOSSES].round(2).tolist() == [1, 0.24, 0.39, 0.39, 0.76]
