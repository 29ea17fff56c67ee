"""Adversarial losses: recomputed by brute force, and their properties for given samples."""

from itertools import combinations

import numpy as np
import pytest

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation, deviation
from bilad.scripts.reproduce.extensions.adversarial_losses import (
    LOSSES,
    LossSample,
    answer,
    contrastive_loss,
    loss_blocks,
    loss_problems,
    loss_samples,
    loss_standings,
)
from bilad.solvers import cluster

DATA = np.array([[0.0, 0.0], [0.2, 0.1], [0.1, 0.3], [3.0, 0.0], [3.2, 0.2], [3.1, 0.4]])
MODEL = ConvexClustering(DATA, FusionGraph.complete(6), 0.12, 2)
FREE = Perturbation.additive(DATA.shape, points=[0, 3], features=[0])
PROBLEM = MaxDeviation(MODEL, FREE, 4.0, np.inf)


@pytest.fixture(scope="module")
def samples():
    return list(loss_samples({"six": PROBLEM}, lines=3, steps=4, many=2, seed=1))


def test_what_is_measured_is_that_of_another_solver(samples):
    directions = np.random.default_rng(1).choice([-1.0, 1.0], (3, 2))
    before = cluster(MODEL, "clarabel", tol=1e-11)
    for sample in samples:
        moved = PROBLEM.perturbation.apply(MODEL, sample.eps * directions[sample.line])
        found = cluster(moved, "clarabel", tol=1e-11)
        squared = ((found.X - before.X) ** 2).sum()
        assert sample.training_loss == pytest.approx(found.objective - before.objective, abs=1e-7)
        assert sample.displacement == pytest.approx(squared / 2, abs=1e-5)
        if sample.proved and found.proved:
            assert sample.delta == deviation(before.labels, found.labels)


def test_the_contrastive_loss_by_pairs():
    before = cluster(MODEL)
    assert len(set(before.labels)) == 2
    X = np.random.default_rng(0).normal(size=DATA.shape)

    def distance(Y, i, j):
        return float(np.linalg.norm(Y[i] - Y[j]))

    pairs = list(combinations(range(6), 2))
    together = [(i, j) for i, j in pairs if before.labels[i] == before.labels[j]]
    apart = [pair for pair in pairs if pair not in together]
    margin = min(distance(before.X, *pair) for pair in apart)
    wanted = sum(distance(X, *pair) ** 2 for pair in together)
    wanted += sum(max(0.0, margin - distance(X, *pair)) ** 2 for pair in apart)
    assert contrastive_loss(before)(X) == pytest.approx(wanted)
    assert contrastive_loss(before)(before.X) == pytest.approx(0, abs=1e-9)


def test_without_perturbation_every_loss_is_zero(samples):
    still = [sample for sample in samples if sample.eps == 0]
    assert len(still) == 3
    for value in LOSSES.values():
        assert [value(sample) for sample in still] == pytest.approx([0] * 3, abs=1e-7)


def made(eps, delta, loss=0.0, *, line=0, proved=True):
    return LossSample("made", line, eps, proved, delta, loss, 1.0 + eps**2, 0.0, delta)


def standing_of(loss, samples):
    return next(one for one in loss_standings(samples) if one.loss == loss)


def test_falls_are_looked_for_outwards_on_each_side():
    rises = [made(eps, 0.0, abs(eps)) for eps in (-2.0, -1.0, 0.0, 1.0, 2.0)]
    assert standing_of("training loss", rises).falling == 0
    one = [*rises[:4], made(2.0, 0.0, 0.5)]
    assert standing_of("training loss", one).falling == 1
    below = [made(-1.0, 0.0, -1.0), made(1.0, 0.0, 1.0)]
    found = standing_of("training loss", below)
    assert (found.falling, found.halves, found.below) == (1, 2, 0.5)


def test_a_loss_that_misleads_and_one_that_does_not():
    samples = [made(0.0, 0.0), made(1.0, 8.0, -1.0), made(2.0, 4.0, 1.0), made(3.0, 2.0, 5.0)]
    misled = standing_of("training loss", samples)
    assert misled.share == 2 / 8
    assert standing_of("smoothed delta", samples).share == 1
    assert standing_of("smoothed delta", samples).rank == pytest.approx(1)
    assert standing_of("displacement", samples).detects == 1
    assert standing_of("training loss", samples).detects == pytest.approx(2 / 3)
    assert "is 25% of the largest delta" in answer([misled])


def test_labels_that_are_not_proved_do_not_count():
    samples = [made(0.0, 0.0), made(1.0, 4.0, 1.0), made(2.0, 8.0, 2.0, proved=False)]
    found = standing_of("training loss", samples)
    assert (found.samples, found.share) == (2, 1.0)


def test_nothing_that_changes_has_no_share():
    found = standing_of("training loss", [made(0.0, 0.0), made(1.0, 0.0, 1.0)])
    assert np.isnan([found.share, found.detects, found.rank]).all()
    assert answer([found]) == "training loss decreases somewhere on 0 of 1 half-lines."


def test_settings_and_clouds_are_measured():
    problems = loss_problems([("line 20", 5)], 0)
    assert "line 20" in problems
    assert "iris" in problems
    two = {name: problems[name] for name in ("iris", "line 20")}
    samples = list(loss_samples(two, lines=2, steps=3, many=10, seed=0))
    assert len(samples) == 21 + 2 * 7
    table, text = loss_blocks(samples)
    assert len(table.cells) == 2 * len(LOSSES)
    assert "displacement" in text.text
