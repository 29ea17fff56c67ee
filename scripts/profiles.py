"""Performance profiles of methods (Dolan and More, Math. Program. 91, 2002).

A profile shows on how many problems a method is within a given factor of the fastest method. A
problem that a method does not solve has infinite cost and remains in the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from bilad.models.validation import FloatArray
from bilad.scripts.run_store import save_figure

LINES, COLOURS = ("-", "--", ":"), 7
LEAST_SECONDS = 1e-3  # shorter times are not distinguished
Curves = Mapping[str, tuple[FloatArray, FloatArray]]
Styles = Mapping[str, Mapping[str, Any]]


def ratios(costs: FloatArray, least: float = LEAST_SECONDS) -> FloatArray:
    """Return costs over the least cost of each problem, infinite for unsolved problems.

    Parameters
    ----------
    costs : ndarray, shape (problems, methods)
        Infinite where a method failed. A problem that no method solves is infinite for all.
    least : float
        Smaller costs are replaced by this value.
    """
    floored = np.maximum(costs, least)
    best = floored.min(axis=1, keepdims=True)
    return np.where(np.isinf(floored), np.inf, floored / np.where(np.isinf(best), 1.0, best))


def solved_within(ratio: FloatArray, factors: FloatArray) -> FloatArray:
    """Return the share of the problems with a ratio of at most each factor."""
    return np.searchsorted(np.sort(ratio), factors, side="right") / len(ratio)


def profile(costs: Mapping[str, FloatArray], least: float = LEAST_SECONDS) -> Curves:
    """Return, for each method, factors and the share of the problems solved within them.

    Parameters
    ----------
    costs : mapping of str to ndarray, shape (problems,)
        The costs of each method, with the problems in the same order.
    least : float
        As in `ratios`.
    """
    table = ratios(np.column_stack(list(costs.values())), least)
    longest = max(float(np.max(table, initial=1.0, where=np.isfinite(table))), 2.0) * 1.2
    factors = np.geomspace(1.0, longest, 400)
    columns = zip(costs, table.T, strict=True)
    return {name: (factors, solved_within(ratio, factors)) for name, ratio in columns}


def draw_profile(
    costs: Mapping[str, FloatArray],
    title: str,
    path: Path,
    *,
    unit: str = "seconds",
    least: float = LEAST_SECONDS,
    styles: Styles | None = None,
) -> None:
    """Draw the profile to a file.

    Parameters
    ----------
    costs, least
        As in `profile`.
    title : str
    path : Path
    unit : str, default "seconds"
        The unit of the costs.
    styles : mapping of str to keywords of `plot`, optional
    """
    looks = styles or {
        name: {"color": f"C{k % COLOURS}", "linestyle": LINES[k // COLOURS % len(LINES)]}
        for k, name in enumerate(costs)
    }
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for name, (factors, solved) in profile(costs, least).items():
            axes.plot(factors, solved, drawstyle="steps-post", label=name, **looks[name])
        axes.set_xscale("log")
        axes.set_ylim(0.0, 1.02)
        axes.set_xlabel(f"{unit}, relative to the fastest method")
        axes.set_ylabel("share of the problems solved")
        axes.set_title(title, fontsize=9)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
        save_figure(figure, path)
