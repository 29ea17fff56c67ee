"""The gammas that return the two classes of Iris: Theorem 1, an exact test and a closed form.

Let all weights on the complete graph be w, and consider two clusters on a line with n points
together. Cluster a, with n_a points and mean abar_a, remains one cluster if and only if for each s
its s largest points do not separate. The clusters remain distinct if and only if gamma w n is less
than the distance of their means. So the partition is returned for low <= gamma < high with

    low = max_{a, s} (sum of the s largest a_i - s abar_a) / (w s (n_a - s))
    high = |abar_1 - abar_2| / (w n)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from bilad.models import ConvexClustering, recovery_interval
from bilad.models.validation import IntArray
from bilad.scripts.certificates.check_rows import CheckRow
from bilad.scripts.settings import SETTINGS
from bilad.solvers import exact_recovery_interval


def two_clusters_in_closed_form(
    model: ConvexClustering, labels: IntArray
) -> tuple[Fraction, Fraction]:
    """Return low and high for a model on a line with equal weights, and labels 0 and 1."""
    weight = Fraction(float(model.graph.uniform_weight or 0.0))
    low = Fraction(0)
    means: list[Fraction] = []
    for number in (0, 1):
        a = sorted((Fraction(x) for x in model.data[labels == number, 0].tolist()), reverse=True)
        n, mean, total = len(a), sum(a, Fraction(0)) / len(a), Fraction(0)
        means.append(mean)
        for s in range(1, n):
            total += a[s - 1]
            needed = (total - s * mean) / (weight * s * (n - s))
            low = max(low, needed)
    return low, abs(means[0] - means[1]) / (weight * model.n)


def check_recovery() -> Iterator[CheckRow]:
    """Yield the ends of the interval by Theorem 1, in closed form, and by the exact test."""
    setting = SETTINGS["iris"]
    model, labels = setting.model(), np.repeat([0, 1], setting.points // 2)
    theorem = recovery_interval(model, labels)
    closed = two_clusters_in_closed_form(model, labels)
    for name, end in (("gamma_min", theorem.gamma_min), ("gamma_max", theorem.gamma_max)):
        yield _row("Theorem 1", name, 0, False, end, 0.0)
    for name, exact in zip(("low", "high"), closed, strict=True):
        yield _row("closed form", f"{name} = {exact}", 0, False, float(exact), 0.0)
    began = time.perf_counter()
    found = exact_recovery_interval(model, labels)
    seconds = time.perf_counter() - began
    assert found is not None  # because the setting's gamma = 0.1 returns the classes
    misses_low = not found.below <= closed[0] <= found.low
    misses_high = not found.high <= closed[1] <= found.above
    yield _row("exact interval", "low", 1, misses_low, found.low, seconds)
    yield _row("exact interval", "high", 1, misses_high, found.high, seconds)


def _row(group: str, name: str, tried: int, wrong: bool, value: float, seconds: float) -> CheckRow:
    group = f"Iris classes, {group}, {name}"
    return CheckRow("recovery", group, "iris", tried, int(wrong), 0, value, "gamma", seconds)
