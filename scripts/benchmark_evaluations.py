"""One evaluation of eps, and attacks in equal time: tables of the benchmark of the lower level.

The points on a line are the petal widths of two species of iris, and noisy copies of them; the
graph is complete with equal weights. In the plane they are two half moons, with weights
exp(-0.5 ||a_i - a_j||^2) on the graph of the 10 nearest neighbours. 20 points are moved.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.models.validation import FloatArray
from bilad.solvers import attack
from bilad.solvers.bilevel.oracle import LowerLevel

MOVED = np.arange(51, 71)  # the points that eps moves
CALLS, UNTIMED = 200, 10  # evaluations; the first of them load compiled code
CLOSE = 0.3  # distance of the eps from each other, relative to their size
ENDLESS = {"corners": 10**9}
METHODS: dict[str, dict[str, Any]] = {"corners": ENDLESS, "random": ENDLESS, "cma": {}, "auto": {}}
SECONDS = 2.0  # of each attack


@dataclass(frozen=True)
class Attacked:
    """(BL1) on a line or in the plane, and the size of the entries of eps that are evaluated."""

    kind: str
    n: int
    gamma: float
    budget: float
    entries: float = 0.0
    norm: float = 2.0

    @property
    def name(self) -> str:
        """A name for tables."""
        size = f", entries of eps {self.entries:g}" if self.entries else ""
        norm = f", norm {self.norm:g}, budget {self.budget:g}" if not self.entries else ""
        return f"{self.kind} {self.n}, gamma {self.gamma:g}{size}{norm}"

    def problem(self) -> MaxDeviation:
        """Build the problem; every call gives the same."""
        data = _line(self.n) if self.kind == "line" else _moons(self.n)
        is_line = data.shape[1] == 1
        graph = FusionGraph.complete(self.n) if is_line else FusionGraph.knn(data, 10, 0.5)
        model = ConvexClustering(data, graph, self.gamma)
        moved = Perturbation.additive(data.shape, points=MOVED)
        return MaxDeviation(model, moved, self.budget, self.norm)


def _line(n: int) -> FloatArray:
    from sklearn.datasets import load_iris  # slow to import

    widths = 10 * load_iris().data[:100, 3:4]
    noise = np.random.default_rng(0).normal(size=(n - 100, 1))
    return np.vstack([widths, widths[np.arange(n - 100) % 100] + noise])


def _moons(n: int) -> FloatArray:
    from sklearn.datasets import make_moons  # slow to import

    return np.asarray(make_moons(n, noise=0.1, random_state=0)[0])


EVALUATIONS = (
    Attacked("line", 100, 0.1, 10.0, 0.3),
    Attacked("line", 200, 0.05, 10.0, 0.3),
    *(Attacked("moons", 200, gamma, 3.0, size) for gamma in (1.0, 0.3) for size in (0.002, 0.05)),
)
ATTACKS = (
    Attacked("line", 100, 0.1, 10.0),
    Attacked("line", 200, 0.05, 10.0),
    Attacked("line", 100, 0.1, 1.0, norm=np.inf),
    Attacked("line", 200, 0.05, 1.0, norm=np.inf),
)


def evaluation_row(instance: Attacked, repeats: int) -> dict[str, Any]:
    """Time evaluations of eps that are close to each other, each of them new."""
    lower = LowerLevel(instance.problem())
    seconds = list(_seconds_of(lower, instance.entries))
    timed = lower.history[UNTIMED:]
    deviations = [one.deviation for one in timed]
    return {
        "instance": instance.name,
        "clusters": len(np.unique(lower.baseline.outcome)),
        "microseconds": 1e6 * float(np.median(seconds)),
        "slowest 10 %": 1e6 * float(np.quantile(seconds, 0.9)),
        "labels proved": f"{np.mean([one.proved for one in timed]):.1%}",
        "deviation as before": f"{np.mean(np.diff(deviations) == 0):.1%}",
    }


def _seconds_of(lower: LowerLevel, entries: float) -> Iterator[float]:
    rng, k = np.random.default_rng(0), lower.problem.perturbation.dim
    base = rng.normal(size=k)
    for call in range(CALLS):
        eps = entries * (base + CLOSE * rng.normal(size=k))
        began = time.perf_counter()
        lower.evaluate(eps)
        if call >= UNTIMED:
            yield time.perf_counter() - began


def attack_row(instance: Attacked, repeats: int) -> dict[str, Any]:
    """Compare the deviations and the evaluations of methods in equal time, over `repeats` seeds."""
    problem = instance.problem()
    found = {
        method: [
            attack(problem, method, seed, SECONDS, bound="none", closing="none", **options)
            for seed in range(repeats)
        ]
        for method, options in METHODS.items()
    }
    deviations = {name: np.array([one.deviation for one in runs]) for name, runs in found.items()}
    ratios = deviations["auto"] / deviations["corners"]
    return {
        "instance": instance.name,
        "seconds": SECONDS,
        **{name: float(values.mean()) for name, values in deviations.items()},
        **{
            f"{name}, evaluations": round(np.mean([one.lower_solves for one in runs]))
            for name, runs in found.items()
        },
        "auto / corners": float(ratios.mean()),
        "least": float(ratios.min()),
    }
