"""Pictures of a family of instances: performance and data profiles, anytime curves.

Data profiles are those of More and Wild, SIAM J. Optim. 20 (2009). Solves are counted in units of
k + 1, what a finite difference of k parameters takes, so that problems of different size are
comparable. Anytime curves have one small picture for each method, as sixteen bands over one another
would hide each other; the other methods' medians stand behind it in grey. One hue for each class of
methods, lines tell those of a class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bilad.models.validation import FloatArray
from bilad.scripts.methods.method_rows import CLOSE, Score, of_methods
from bilad.scripts.run_log import save_figure
from bilad.scripts.step_picture import (
    LEAST_SECONDS,
    Curves,
    Styles,
    draw_profile,
    draw_steps,
    solved_within,
)
from bilad.scripts.tables import grouped
from bilad.solvers.upper import REFORMULATIONS

Costs = dict[str, FloatArray]
COLUMNS, POINTS = 4, 120
CLASSES = {
    "simple search": ("black", ("corners", "random", "direct")),
    "model or population": (
        "tab:blue",
        ("differential-evolution", "cma", "nes", "nlopt-crs"),
    ),
    "local, derivative-free": (
        "tab:cyan",
        ("finite-difference", "cobyqa", "cobyla", "nomad", "dividing-rectangles"),
    ),
    "gradient": ("tab:green", ("hypergradient", "fgsm", "pgd", "mi-fgsm")),
    "reformulation": ("tab:red", tuple(REFORMULATIONS)),
    "exact": ("tab:purple", ("exact", "milp", "staircase")),
}
OTHER = "tab:orange"
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def costs(given: Sequence[Score]) -> tuple[Costs, Costs, FloatArray]:
    """Return solves and seconds until close to the best, and k, for the same problems throughout.

    A problem is an instance with a seed. One that a method refuses, it does not solve; a method
    that refuses all is left out. The best method at any cost comes first.
    """
    problems = list(dict.fromkeys((s.row.instance, s.row.seed) for s in given))
    parameters = {(s.row.instance, s.row.seed): float(s.instance.k) for s in given}
    solves, seconds = {}, {}
    for method, own in grouped(given, lambda s: s.row.method):
        if any(score.row.taken for score in own):
            close = {(s.row.instance, s.row.seed): s.first_close() for s in own}
            spent = np.array([close.get(problem, (np.inf, np.inf)) for problem in problems])
            solves[method], seconds[method] = spent.T
    ranked = sorted(solves, key=lambda method: -int(np.isfinite(solves[method]).sum()))
    return (
        {method: solves[method] for method in ranked},
        {method: seconds[method] for method in ranked},
        np.array([parameters[problem] for problem in problems]),
    )


def draw_family(family: str, given: Sequence[Score], folder: Path) -> list[Path]:
    """Draw all pictures of a family; none if there is nothing to show.

    Returns
    -------
    list of Path
        Of the pictures.
    """
    counted = of_methods(given)
    solves, seconds, parameters = costs(counted)
    if not solves:
        return []
    styles = {method: style(method) for method in solves}
    names = ("profile_solves", "profile_seconds", "data_profile", "anytime")
    paths = [folder / f"{family}_{name}.png" for name in names]
    title = f"{family}: {{}} to {CLOSE:.0%} of the best known, {len(parameters)} problems"
    draw_profile(solves, title.format("solves"), paths[0], unit="solves", least=1.0, styles=styles)
    draw_profile(seconds, title.format("seconds"), paths[1], least=LEAST_SECONDS, styles=styles)
    draw_data_profile(solves, parameters, styles, title.format("solves"), paths[2])
    taken = [score for method in solves for score in counted if score.row.method == method]
    draw_anytime(
        [score for score in taken if score.row.taken],
        styles,
        f"{family}: median and quartiles over the problems that a method takes",
        paths[3],
    )
    return paths


def anytime(given: Sequence[Score], solves: FloatArray) -> dict[str, FloatArray]:
    """Return, for each method, the quartiles over its runs of U / best known: shape (3, s).

    Parameters
    ----------
    given : sequence of Score
    solves : ndarray, shape (s,)
        Numbers of lower-level solves.
    """
    return {
        method: np.percentile([s.quality_at(solves) for s in own], (25, 50, 75), axis=0)
        for method, own in grouped(given, lambda s: s.row.method)
    }


def draw_anytime(given: Sequence[Score], styles: Styles, title: str, path: Path) -> None:
    """Draw the curves.

    Parameters
    ----------
    given : sequence of Score
        Without refused runs.
    styles : mapping of str to keywords of `plot`
    title : str
    path : Path
        Of the picture.
    """
    most = max(max(score.row.solves for score in given), 2)
    solves = np.unique(np.geomspace(1, most, POINTS).round())
    quartiles = anytime(given, solves)
    rows = -(-len(quartiles) // COLUMNS)
    with matplotlib.rc_context({"font.size": 8, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(10, 0.6 + 1.9 * rows), layout="constrained")
        panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for axes in panels.ravel()[len(quartiles) :]:
            axes.remove()
        for axes, method in zip(panels.ravel(), quartiles, strict=False):
            _draw_panel(axes, method, solves, quartiles, styles)
        figure.suptitle(title, fontsize=9)
        figure.supxlabel("lower-level solves", fontsize=8)
        figure.supylabel("U / best known", fontsize=8)
        save_figure(figure, path)


def _draw_panel(
    axes: Axes,
    method: str,
    solves: FloatArray,
    quartiles: Mapping[str, FloatArray],
    styles: Styles,
) -> None:
    for other in quartiles.values():
        axes.plot(solves, other[1], drawstyle="steps-post", color="0.8", linewidth=0.7)
    low, middle, high = quartiles[method]
    colour = styles[method]["color"]
    axes.fill_between(solves, low, high, step="post", color=colour, alpha=0.25, linewidth=0)
    axes.plot(solves, middle, drawstyle="steps-post", color=colour)
    axes.set_xscale("log")
    axes.set_ylim(0.0, 1.02)
    axes.set_title(method, fontsize=8, color=colour)


def data_profile(solves: Mapping[str, FloatArray], parameters: FloatArray) -> Curves:
    """Return, for each method, budgets in units of k + 1 and the share of the problems solved.

    Parameters
    ----------
    solves : mapping of str to ndarray, shape (problems,)
        Until solved; infinite where a method failed.
    parameters : ndarray, shape (problems,)
        k of each problem.
    """
    costs = {name: spent / (parameters + 1) for name, spent in solves.items()}
    finite = np.concatenate([cost[np.isfinite(cost)] for cost in costs.values()])
    least, most = (finite.min(), finite.max()) if len(finite) else (1.0, 1.0)
    budgets = np.geomspace(least / 1.2, max(most, 2 * least) * 1.2, 400)
    return {name: (budgets, solved_within(cost, budgets)) for name, cost in costs.items()}


def draw_data_profile(
    solves: Mapping[str, FloatArray],
    parameters: FloatArray,
    styles: Styles,
    title: str,
    path: Path,
) -> None:
    """Draw the profile; parameters as in `data_profile`, and a title and the picture's path."""
    draw_steps(
        data_profile(solves, parameters),
        styles,
        "lower-level solves / (k + 1)",
        "share of the problems solved",
        title,
        path,
    )


def style(method: str) -> dict[str, Any]:
    """Return colour and line of a method; variants look like the method that they begin with."""
    for colour, members in CLASSES.values():
        for number, name in enumerate(members):
            if method == name:
                return {"color": colour, "linestyle": LINES[number]}
    return {"color": OTHER, "linestyle": LINES[sum(map(ord, method)) % len(LINES)]}
