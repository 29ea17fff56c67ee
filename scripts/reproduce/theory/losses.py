"""Part `losses`: adversarial losses, compared with delta along lines through eps = 0.

The paper leaves their study open (section 6.5, ii). Each loss is computed from the lower-level
solution, minus its value at eps = 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from bilad.models import MaxDeviation, deviation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.smooth_deviation import length_unit
from bilad.models.validation import FloatArray
from bilad.scripts.display import Cells
from bilad.scripts.experiments.page import Table
from bilad.scripts.experiments.parts import additive, clouds, convex_clustering
from bilad.scripts.reproduce.section import Bench, Part, Section
from bilad.scripts.settings import readable_settings
from bilad.solvers import Clustering
from bilad.solvers.clustering.cluster import solve_lower

WIDTH = 0.1  # of the smoothed delta, in units of `length_unit`
ROUNDING = 1e-4  # differences below this share of the largest value of a loss are not counted
LOSSES = ["delta", "training loss", "displacement", "contrastive", "smoothed delta"]
CAPTION = (
    "Samples with certified labels along lines through eps = 0: the rays of our settings, and "
    "lines through random vertices of the box for small clouds, in which the first feature of some "
    "points may change. Each loss is its value minus that at eps = 0. Training loss: the optimal "
    "value of the lower level. Displacement: 1/2 ||X(eps) - X(0)||_F^2. Contrastive: squared "
    "distances in X(eps) of pairs that were in one cluster, and squares of the amounts by which "
    "the distances of other pairs fall below the least distance of two clusters at eps = 0 "
    f"(Hadsell, Chopra, LeCun, 2006). Smoothed delta: exponential kernel, w = {WIDTH:g} of the "
    "typical distance. falling: half-lines, of `halves`, on which the loss decreases somewhere. "
    "below: share of the samples with a loss below that at eps = 0. share: delta at the maximum of "
    f"the loss over the largest delta. Differences below {ROUNDING:g} of the largest loss are not "
    "counted."
)


def run(bench: Bench) -> Section:
    """Evaluate the losses on the settings and on small clouds, and return the report."""
    lines, steps, many = (3, 5, 40) if bench.quick else (25, 20, 400)
    problems: dict[str, MaxDeviation] = {
        name: setting.max_deviation() for name, setting in readable_settings().items()
    }
    problems["line 20"] = small_clouds(bench.seed, 20, 1, 5, gamma=2.4, weight="1/n")
    problems["plane 24"] = small_clouds(bench.seed, 24, 2, 8, gamma=2.0, neighbours=5)
    rows = []
    for name, problem in bench.track("problems", problems.items()):
        numbers = (1, many) if problem.perturbation.dim == 1 else (lines, steps)
        found = samples(problem, *numbers, bench.seed)
        rows += [{"problem": name, **standing(found[found.proved], loss)} for loss in LOSSES]
    found = pd.DataFrame(rows)
    summary = found.groupby("loss", sort=False).agg(
        falling=("falling", "sum"),
        halves=("halves", "sum"),
        **{"mean share": ("share", "mean"), "least share": ("share", "min")},
    )
    tables = [
        Table("losses", "Adversarial losses compared with delta", summary.reset_index(), CAPTION),
        Table("by_problem", "The same by problem", found),
    ]
    return Section(tables)


def small_clouds(seed: int, n: int, d: int, k: int, **model: Any) -> MaxDeviation:
    """Return (BL1) for three clouds, in which the first feature of k points may change by 3."""
    rng = np.random.default_rng(seed)
    drawn = convex_clustering(clouds(rng, points=n, dimension=d), **model)
    return MaxDeviation(drawn, additive(drawn, rng, points=k, features=[0]), 3.0, np.inf)


def samples(problem: MaxDeviation, lines: int, steps: int, seed: int) -> pd.DataFrame:
    """Return all losses at `steps` eps on each side of 0 on random lines.

    A problem with several parameters has the maximum norm, so that a vector of signs has norm 1.
    """
    k, model = problem.perturbation.dim, clustering_of(problem)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], (lines, k))
    signs = signs if k > 1 else np.ones((1, 1))
    before = solve_lower(model, tol=1e-10, refine=True)
    smooth = problem.deviation.smoothed(before.labels, "exponential")
    width = WIDTH * length_unit(before.X, model.data)
    contrastive = contrastive_loss(before)
    rows = []
    for line, direction in enumerate(signs):
        for eps in np.linspace(-problem.radius, problem.radius, 2 * steps + 1):
            moved = problem.perturbation.apply(model, eps * direction)
            found = solve_lower(moved, tol=1e-10, refine=True)
            losses = (
                deviation(before.labels, found.labels),
                found.objective - before.objective,
                0.5 * ((found.X - before.X) ** 2).sum(),
                contrastive(found.X) - contrastive(before.X),
                smooth.at(found.X, width)[0] - smooth.at(before.X, width)[0],
            )
            rows.append((line, eps, found.proved, *losses))
    return pd.DataFrame(rows, columns=["line", "eps", "proved", *LOSSES])


def contrastive_loss(before: Clustering) -> Callable[[FloatArray], float]:
    """Return the contrastive loss as a function of X, shape (n, d), for a given clustering."""
    i, j = np.triu_indices(before.model.n, k=1)
    together = before.labels[i] == before.labels[j]
    margin = pdist(before.X)[~together].min(initial=np.inf)

    def loss(X: FloatArray) -> float:
        distances = pdist(X)
        missing = np.maximum(margin - distances[~together], 0.0)
        return float((distances[together] ** 2).sum() + (missing**2).sum())

    return loss


def standing(found: pd.DataFrame, loss: str) -> Cells:
    """Return the properties of a loss on the samples of one problem; see `CAPTION`."""
    values = found[loss]
    slack = ROUNDING * values.abs().max()
    sides = found[found.eps != 0].sort_values("eps", key=abs).groupby(["line", found.eps > 0])[loss]
    return {
        "loss": loss,
        "samples": len(found),
        "halves": len(sides),
        "falling": sum((np.diff([0.0, *own]) < -slack).any() for _, own in sides),
        "below": (values < -slack).mean(),
        "share": found.delta[values.idxmax()] / found.delta.max() if found.delta.any() else np.nan,
    }


PART = Part("losses", "Section 6.5: adversarial losses", run)
