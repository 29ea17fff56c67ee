"""The values of delta and N_chg on a grid of eps, and their picture."""

import dataclasses
import io

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from bilad.models import deviation
from bilad.scripts.compare import _show, draw, recompute, sweep
from bilad.scripts.settings import SETTINGS
from bilad.solvers import attack, cluster

COARSE = dataclasses.replace(SETTINGS["iris"], step=0.5)


@pytest.fixture(scope="module")
def stairs():
    return sweep(COARSE)


def test_values_on_the_grid(stairs):
    assert stairs.eps.to_numpy() == pytest.approx(np.arange(-16, 17) / 2, abs=1e-12)
    model = COARSE.model()
    before = cluster(model)
    for eps, delta, changed, proved in zip(*(stairs[name] for name in stairs), strict=True):
        after = cluster(COARSE.shift().apply(model, eps), "exact")
        together = [labels[:, None] == labels for labels in (before.labels, after.labels)]
        assert delta == np.count_nonzero(together[0] != together[1])
        assert changed == deviation(before.labels, after.labels, "changed-matched")
        assert proved == after.proved
    assert stairs.delta[16] == 0


def test_two_clusters_exchange_points_as_the_paper_counts(stairs):
    """delta = 2 s (n - s) wherever the partition still has two clusters."""
    model = COARSE.model()
    for eps, delta, s in zip(stairs.eps, stairs.delta, stairs.n_changed_matched, strict=True):
        if cluster(COARSE.shift().apply(model, eps)).n_clusters == 2:
            assert delta == 2 * s * (100 - s)


@pytest.mark.parametrize("closing", ["none", "ray"])
def test_the_own_result_stands_beside_what_closing_made_of_it(closing):
    """A coarse grid misses the step, which closing bisects; without an attack there are dashes."""
    problem = COARSE.min_perturbation()
    rows = [recompute("BL2", attack(problem, "direct", closing=closing, step=0.5))]
    rows.append(dataclasses.replace(rows[0], norm=0.0, own_norm=0.0, method="cma"))
    text = io.StringIO()
    _show(COARSE, closing, rows, Console(file=text, width=200))
    own = rows[0].own_norm
    assert own % 0.5 == 0
    assert (rows[0].norm < own) is (closing == "ray")
    assert rows[0].own_delta >= problem.target
    line, dashes = (
        next(line for line in text.getvalue().splitlines() if name in line.split())
        for name in ("direct", "cma")
    )
    assert ("own norm" in text.getvalue()) is (closing == "ray")
    assert (line.split()[2] == f"{own:.6f}") is (closing == "ray")
    assert dashes.split().count("-") == 6 + 2 * (closing == "ray")


def test_the_picture_opens(stairs, tmp_path):
    draw(stairs, [("BL1 direct", 2.0), ("BL2 kkt", -1.968)], COARSE, tmp_path / "a.png")
    draw(stairs, [], COARSE, tmp_path / "b.png")
    marked, bare = (matplotlib.image.imread(tmp_path / f"{name}.png") for name in "ab")
    assert marked.shape == bare.shape == (750, 1200, 4)
    assert (marked != bare).any()
