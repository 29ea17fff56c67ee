"""Performance profiles: for how many problems a method is within a factor of the fastest.

Dolan and More, Math. Program. 91 (2002). A problem that a method does not solve costs it infinity;
it stays in the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bilad.models.validation import FloatArray
from bilad.scripts.step_picture import Curves, Styles, draw_steps, numbered_styles

LEAST_SECONDS = 1e-3  # less is not told apart


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
