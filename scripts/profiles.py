"""Performance and data profiles of methods.

A performance profile (Dolan and More, Math. Program. 91, 2002) shows on how many problems a method
is within a given factor of the fastest method; a data profile (More and Wild, SIAM J. Optim. 20,
2009) on how many it is done within a given cost. A problem that a method does not solve has
infinite cost and remains in the count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bilad.models.validation import ArgumentError, FloatArray, one_of, real_number
from bilad.scripts.run_store import save_figure

LINES, COLOURS = ("-", "--", ":"), 7
LEAST_SECONDS = 1e-3  # shorter times are not distinguished
FACTOR = "seconds, relative to the fastest method"
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


def attained_after(
    table: pd.DataFrame, share: float = 0.99, unit: str = "seconds"
) -> dict[str, FloatArray]:
    """Return, for each label of a comparison, the cost of each problem and seed.

    Parameters
    ----------
    table : DataFrame
        As `bilad.scripts.comparison.compare` returns it.
    share : float, default 0.99
        The share of `best`, between 0 and 1, that the method itself has to attain.
    unit : {"seconds", "solves"}, default "seconds"
        The cost: seconds, or lower-level solves. It is infinite if the share is not attained, or
        the label has no run. A problem on which no run found an attack does not count.

    Raises
    ------
    ArgumentError
        If an argument is wrong.
    """
    real_number(share, "share", above=0.0)
    column = ("solves", "seconds").index(one_of(unit, "unit", ("solves", "seconds")))
    found = table[table.own_share.notna()]
    keys = list(dict.fromkeys(zip(found.problem, found.seed, strict=True)))
    costs = {label: dict.fromkeys(keys, np.inf) for label in found.label.unique()}
    for run in found.itertuples():
        for moment in run.history:
            attained = run.best / moment[2] if run.sense == "min" else moment[2] / run.best
            if attained >= share:
                costs[run.label][run.problem, run.seed] = moment[column]
                break
    return {label: np.array(list(own.values())) for label, own in costs.items()}


def performance_profile(costs: Mapping[str, FloatArray], least: float = LEAST_SECONDS) -> Curves:
    """Return, for each method, factors and the share of the problems solved within them.

    Parameters
    ----------
    costs : mapping of str to ndarray, shape (problems,)
        The costs of each method, with the problems in the same order.
    least : float
        As in `ratios`.
    """
    return _curves(dict(zip(costs, ratios(_columns(costs), least).T, strict=True)), 1.0)


def data_profile(costs: Mapping[str, FloatArray], least: float = LEAST_SECONDS) -> Curves:
    """Return, for each method, costs and the share of the problems solved within them.

    The parameters are those of `performance_profile`.
    """
    return _curves(dict(zip(costs, np.maximum(_columns(costs), least).T, strict=True)), least)


def _columns(costs: Mapping[str, FloatArray]) -> FloatArray:
    if not costs or not len(next(iter(costs.values()))):
        raise ArgumentError("costs", "no problem with an attack", "at least one")
    return np.column_stack(list(costs.values()))


def _curves(table: Mapping[str, FloatArray], first: float) -> Curves:
    finite = [cost for costs in table.values() for cost in costs if np.isfinite(cost)]
    axis = np.geomspace(first, max([2.0 * first, *finite]) * 1.2, 400)
    return {name: (axis, solved_within(costs, axis)) for name, costs in table.items()}


def draw_profile(
    curves: Curves, title: str, path: str | Path, label: str = FACTOR, styles: Styles | None = None
) -> None:
    """Draw a profile to a file.

    Parameters
    ----------
    curves : mapping
        As `performance_profile` or `data_profile` returns them.
    title : str
    path : str or Path
    label : str, optional
        The label of the horizontal axis.
    styles : mapping of str to keywords of `plot`, optional
    """
    looks = styles or {
        name: {"color": f"C{k % COLOURS}", "linestyle": LINES[k // COLOURS % len(LINES)]}
        for k, name in enumerate(curves)
    }
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for name, (factors, solved) in curves.items():
            axes.plot(factors, solved, drawstyle="steps-post", label=name, **looks[name])
        axes.set_xscale("log")
        axes.set_ylim(0.0, 1.02)
        axes.set_xlabel(label)
        axes.set_ylabel("share of the problems solved")
        axes.set_title(title, fontsize=9)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
        save_figure(figure, Path(path))
