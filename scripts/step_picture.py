"""Pictures of step functions, a line for each method, and performance profiles among them.

Dolan and More, Math. Program. 91 (2002): for how many problems a method is within a factor of the
fastest. A problem that a method does not solve costs it infinity; it stays in the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from bilad.models.validation import FloatArray
from bilad.scripts.run_log import save_figure

LINES, COLOURS = ("-", "--", ":"), 7

Curves = Mapping[str, tuple[FloatArray, FloatArray]]
Styles = Mapping[str, Mapping[str, Any]]
LEAST_SECONDS = 1e-3  # less is not told apart


def numbered_styles(names: list[str]) -> Styles:
    """Return a colour and a line for each name, in turn."""
    return {
        name: {"color": f"C{k % COLOURS}", "linestyle": LINES[k // COLOURS % len(LINES)]}
        for k, name in enumerate(names)
    }


def draw_steps(
    curves: Curves, styles: Styles, xlabel: str, ylabel: str, title: str, path: Path
) -> None:
    """Draw step functions between 0 and 1 over a logarithmic axis.

    Parameters
    ----------
    curves : mapping of str to (x, y)
    styles : mapping of str to keywords of `plot`
    xlabel, ylabel, title : str
    path : Path
        Of the picture.
    """
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for name, (x, y) in curves.items():
            axes.plot(x, y, drawstyle="steps-post", label=name, **styles[name])
        axes.set_xscale("log")
        axes.set_ylim(0.0, 1.02)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.set_title(title, fontsize=9)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
        save_figure(figure, path)


def ratios(costs: FloatArray, least: float = LEAST_SECONDS) -> FloatArray:
    """Return costs over the least cost of each problem, infinite where not solved.

    Parameters
    ----------
    costs : ndarray, shape (problems, methods)
        Infinite where a method failed; a problem that none solves is infinite for all.
    least : float
        Smaller costs count as this.
    """
    floored = np.maximum(costs, least)
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


def profile(costs: Mapping[str, FloatArray], least: float = LEAST_SECONDS) -> Curves:
    """Return, for each method, factors and the share of the problems solved within them.

    Parameters
    ----------
    costs : mapping of str to ndarray, shape (problems,)
        Of each method, the problems in the same order.
    least : float
        Smaller costs count as this.
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
    """Draw the profile.

    Parameters
    ----------
    costs : mapping of str to ndarray, shape (problems,)
        Of each method, the problems in the same order.
    title : str
    path : Path
        Of the picture.
    unit : str, default "seconds"
        Of the costs.
    least : float
        Smaller costs count as this.
    styles : mapping of str to keywords of `plot`, optional
    """
    draw_steps(
        profile(costs, least),
        numbered_styles(list(costs)) if styles is None else styles,
        f"{unit}, over those of the fastest",
        "share of the problems solved",
        title,
        path,
    )
