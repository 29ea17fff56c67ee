"""The figures of a report, as data and as drawings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bilad.models.validation import FloatArray
from bilad.scripts.display import csv
from bilad.scripts.experiments.page import Picture, write_picture
from bilad.scripts.experiments.table import CLOSE, costs, gap, taken
from bilad.scripts.files import write_text

LINES, COLOURS = ("-", "--", ":", "-."), 10
POINTS = 200  # of an anytime curve
QUARTILES = (0.25, 0.5, 0.75)
Curves = Mapping[str, tuple[FloatArray, FloatArray]]


@dataclass(frozen=True)
class Plot:
    """Curves by name, with marks that may lie on one of them, and bands around curves."""

    name: str  # of its files
    title: str
    x: str  # the label of the axis
    y: str
    curves: Curves
    marks: Curves = field(default_factory=dict)  # single points
    bands: Curves = field(default_factory=dict)  # lower and upper ends, by the name of the curve
    log: bool = False  # whether the horizontal axis is logarithmic
    drawstyle: str = "default"

    def write(self, folder: Path) -> Picture:
        """Write the drawing, and its data as CSV."""
        ends = [
            (
                "band",
                {name: (self.curves[name][0], band[side]) for name, band in self.bands.items()},
            )
            for side in (0, 1)
        ]
        rows = [
            (kind, name, x, y)
            for kind, curves in (("curve", self.curves), ("mark", self.marks), *ends)
            for name, points in curves.items()
            for x, y in zip(*points, strict=True)
        ]
        data = pd.DataFrame(rows, columns=["kind", "curve", "x", "y"])
        write_text(folder / f"{self.name}.csv", csv(data))
        return write_picture(folder / self.name, self.title, self._draw, (8.0, 4.2))

    def _draw(self, figure: Figure) -> None:
        axes = figure.subplots()
        for k, (name, (x, y)) in enumerate(self.curves.items()):
            line: Any = {"color": f"C{k % COLOURS}", "linestyle": LINES[k // COLOURS % len(LINES)]}
            axes.plot(x, y, drawstyle=self.drawstyle, label=plain_text(name), **line)
            if name in self.bands:
                axes.fill_between(x, *self.bands[name], color=line["color"], alpha=0.12)
        for k, (name, (x, y)) in enumerate(self.marks.items()):
            style: Any = {"color": f"C{(k + 1) % COLOURS}", "markerfacecolor": "none"}
            axes.plot(x, y, "o", markersize=5 + 1.5 * (k % 6), label=plain_text(name), **style)
        if self.log:
            axes.set_xscale("log")
        axes.set_xlabel(self.x)
        axes.set_ylabel(self.y)
        axes.set_title(plain_text(self.title), fontsize=9)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)


def plain_text(name: str) -> str:
    """Return a name that Matplotlib shows as it is: without formulas, and never hidden."""
    shown = name.replace("$", r"\$")
    return f"\u200b{shown}" if shown.startswith("_") else shown


def plots_of(family: str, slug: str, table: pd.DataFrame) -> Iterator[Plot]:
    """Yield the figures of a family: profiles, anytime, security and staircase curves."""
    for question, own in table.groupby("question", sort=False):
        about, stem = f"{family}, {question}", f"{slug}_{question}"
        yield from _profiles(about, stem, own)
        yield from _anytime(about, stem, own)
        yield from _security(about, stem, own)
    yield from staircases(slug, table)


def _profiles(about: str, stem: str, table: pd.DataFrame) -> Iterator[Plot]:
    for unit, least in (("seconds", 1e-3), ("solves", 1.0)):
        spent = costs(table, unit)
        count = len(next(iter(spent.values()), ()))
        if not count or not table[unit].any():
            continue
        title = f"{about}: {unit} to a gap of {CLOSE:.0%}, {count} problems and seeds"
        for kind, x in (("performance", f"{unit}, relative to the fastest"), ("data", unit)):
            curves = profile(spent, least, relative=kind == "performance")
            name, y = f"{stem}_{kind}_{unit}", "share of the problems"
            head = f"{kind} profile; {title}"
            yield Plot(name, head, x, y, curves, log=True, drawstyle="steps-post")


def profile(costs: Mapping[str, FloatArray], least: float, relative: bool) -> Curves:
    """Return, for each method, costs and the share of the problems that it solves within them.

    A performance profile (Dolan and More, Math. Program. 91, 2002) has the costs relative to the
    best method on each problem, a data profile (More and Wild, SIAM J. Optim. 20, 2009) the costs
    themselves. A problem that no method solves remains in the count.

    Parameters
    ----------
    costs : mapping of str to ndarray, shape (problems,)
        Infinite where a method failed; the problems are in the same order for all methods.
    least : float
        Smaller costs are replaced by this value.
    relative : bool
        Whether to return a performance profile.
    """
    table = np.maximum(np.column_stack(list(costs.values())), least)
    first = 1.0 if relative else least
    if relative:
        best = table.min(axis=1, keepdims=True)
        table /= np.where(np.isinf(best), 1.0, best)
    axis = np.geomspace(first, 1.2 * max(2 * first, table[np.isfinite(table)].max(initial=0)), 400)
    shares = (np.searchsorted(np.sort(own), axis, side="right") / len(own) for own in table.T)
    return {name: (axis, own) for name, own in zip(costs, shares, strict=True)}


def _anytime(about: str, stem: str, table: pd.DataFrame) -> Iterator[Plot]:
    """Yield the mean gap of each method after so many solves or seconds."""
    found = taken(table)
    for index, unit in enumerate(("solves", "seconds")):
        most = found[unit].max() if len(found) else 0
        if not most:
            continue
        axis = np.geomspace(max(1e-3, most / 1e4) if unit == "seconds" else 1.0, most, POINTS)
        curves = {
            str(label): (axis, np.mean([gaps_at(run, index, axis) for run in own.itertuples()], 0))
            for label, own in found.groupby("label", sort=False)
        }
        name = f"{stem}_anytime_{unit}"
        yield Plot(name, f"{about}: mean gap over {unit}", unit, "gap", curves, log=True)


def gaps_at(run: Any, unit: int, axis: FloatArray) -> FloatArray:
    """Return the gap of a run after each number of solves (0) or seconds (1); 1 before any."""
    values = gap(run.question, run.sense, run.best, [moment[2] for moment in run.history])
    gaps = np.minimum(np.concatenate([[1.0], values]), 1.0)
    moments = np.array([moment[unit] for moment in run.history])
    return gaps[np.searchsorted(moments, axis, side="right")]


def _security(about: str, stem: str, table: pd.DataFrame) -> Iterator[Plot]:
    """Yield the value and the test error over the budgets, or the value over the targets."""
    parts = ["data", "model", "perturbation", "norm", "deviation"]
    table = table[table.target.isna() | (table.target == table.level)]  # not shares
    several = table.groupby(parts)["level"].transform("nunique") > 1
    for number, (names, own) in enumerate(table[several].groupby(parts, sort=False)):
        is_most = own.sense.iloc[0] == "max"
        x, value = ("budget", "deviation") if is_most else ("target", "norm")
        at_zero = own.assign(level=0.0, own=0.0, score=own.clean_score)
        points = pd.concat([at_zero, own]) if is_most else own[np.isfinite(own.own)]
        title = f"{', '.join(names)}; median and quartiles"
        for kind, column, y in (("security", "own", value), ("error", "score", "test error")):
            curves, bands = _over_levels(points[points[column].notna()], column)
            if curves:
                name = f"{stem}_{kind}_{number}"
                yield Plot(name, f"{about}: {y}; {title}", x, y, curves, bands=bands)


def _over_levels(points: pd.DataFrame, column: str) -> tuple[Curves, Curves]:
    """Return the medians of each method over the levels, and the lower and upper quartiles."""
    curves, bands = {}, {}
    for label, own in points.groupby("label", sort=False):
        quartiles = own.groupby("level")[column].quantile(QUARTILES).unstack()
        low, middle, high = quartiles.to_numpy().T
        curves[str(label)], bands[str(label)] = (quartiles.index.to_numpy(), middle), (low, high)
    return curves, bands


def staircases(slug: str, table: pd.DataFrame) -> Iterator[Plot]:
    """Yield the deviation along the ray of each problem with a scalar eps, with the answers."""
    is_ray = table.curve.map(len) > 0
    for number, ray in enumerate(table[is_ray].itertuples()):
        points = np.array(ray.curve)
        near = table[(table.fingerprint == ray.fingerprint) & ~is_ray & (table.eps.map(len) == 1)]
        marks = {
            str(run.label): (
                np.array(run.eps),
                points[[np.argmin(np.abs(points[:, 0] - run.eps[0]))], 1],
            )
            for run in near.itertuples()
        }
        curves = {"deviation": (points[:, 0], points[:, 1])}
        name = f"{slug}_staircase_{number}"
        yield Plot(name, ray.problem, "eps", "deviation", curves, marks)
