"""Performance profiles: for how many problems a method is within a factor of the fastest.

Dolan and More, Math. Program. 91 (2002). A problem that a method does not solve costs it infinity;
it stays in the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from bilad.models.validation import FloatArray

LEAST_COST = 1e-3  # seconds; less is not told apart
LINES, COLOURS = ("-", "--", ":"), 7


def ratios(costs: FloatArray) -> FloatArray:
    """Return costs over the least cost of each problem, infinite where not solved.

    Parameters
    ----------
    costs : ndarray, shape (problems, methods)
        Infinite where a method failed; a problem that none solves is infinite for all.
    """
    floored = np.maximum(costs, LEAST_COST)
    best = floored.min(axis=1, keepdims=True)
    return np.where(np.isinf(floored), np.inf, floored / np.where(np.isinf(best), 1.0, best))


def solved_within(ratio: FloatArray, factors: FloatArray) -> FloatArray:
    """Return the share of the problems with a ratio of at most each factor.

    Parameters
    ----------
    ratio : ndarray, shape (problems,)
    factors : ndarray, shape (f,)
    """
    return np.searchsorted(np.sort(ratio), factors, side="right") / len(ratio)


def draw_profile(costs: Mapping[str, FloatArray], title: str, path: Path) -> None:
    """Draw the profile.

    Parameters
    ----------
    costs : mapping of str to ndarray, shape (problems,)
        Of each method, the problems in the same order.
    title : str
    path : Path
        Of the picture.
    """
    table = ratios(np.column_stack(list(costs.values())))
    longest = max(float(np.max(table, initial=1.0, where=np.isfinite(table))), 2.0) * 1.2
    factors = np.geomspace(1.0, longest, 400)
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for number, (name, ratio) in enumerate(zip(costs, table.T, strict=True)):
            axes.plot(
                factors,
                solved_within(ratio, factors),
                drawstyle="steps-post",
                label=name,
                linestyle=LINES[number // COLOURS % len(LINES)],
                color=f"C{number % COLOURS}",
            )
        axes.set_xscale("log")
        axes.set_ylim(0.0, 1.02)
        axes.set_xlabel("seconds, over those of the fastest")
        axes.set_ylabel("share of the problems solved")
        axes.set_title(title, fontsize=9)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
        figure.savefig(path, dpi=150)
