"""The figures of a report, as data and as drawings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bilad.models.validation import FloatArray
from bilad.scripts.experiments.page import Picture, write_picture
from bilad.scripts.experiments.table import CLOSE, costs, gap, taken
from bilad.scripts.profiles import Curves, data_profile, performance_profile
from bilad.scripts.run_store import write_table

LINES, COLOURS = ("-", "--", ":", "-."), 10
POINTS = 200  # of an anytime curve


@dataclass(frozen=True)
class Plot:
    """Curves by name, with marks that may lie on one of them.

    Attributes
    ----------
    name : str
        Of its files.
    title, x, y : str
        The title, and the labels of the axes.
    curves : mapping of str to (ndarray, ndarray)
    marks : mapping of str to (ndarray, ndarray)
        Single points.
    log : bool
        Whether the horizontal axis is logarithmic.
    drawstyle : str
        Of Matplotlib.
    """

    name: str
    title: str
    x: str
    y: str
    curves: Curves
    marks: Curves = field(default_factory=dict)
    log: bool = False
    drawstyle: str = "default"

    def write(self, folder: Path) -> Picture:
        """Write the drawing, and its data as CSV."""
        rows = [
            {"kind": kind, "curve": name, "x": x, "y": y}
            for kind, curves in (("curve", self.curves), ("mark", self.marks))
            for name, points in curves.items()
            for x, y in zip(*points, strict=True)
        ]
        write_table(folder / f"{self.name}.csv", ["kind", "curve", "x", "y"], rows)
        return write_picture(folder / self.name, self.title, self._draw, (8.0, 4.2))

    def _draw(self, figure: Figure) -> None:
        axes = figure.subplots()
        for k, (name, (x, y)) in enumerate(self.curves.items()):
            line: Any = {"color": f"C{k % COLOURS}", "linestyle": LINES[k // COLOURS % len(LINES)]}
            axes.plot(x, y, drawstyle=self.drawstyle, label=plain_text(name), **line)
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
    yield from _staircases(slug, table)


def _profiles(about: str, stem: str, table: pd.DataFrame) -> Iterator[Plot]:
    least, share = {"seconds": 1e-3, "solves": 1.0}, "share of the problems"
    for unit in ("seconds", "solves"):
        spent = costs(table, unit)
        if unit == "solves" and not table.solves.any():
            continue
        if not spent or not len(next(iter(spent.values()))):
            continue
        count = len(next(iter(spent.values())))
        title = f"{about}: {unit} to a gap of {CLOSE:.0%}, {count} problems"
        for kind, curves, x in (
            ("performance", performance_profile(spent, least[unit]), "relative to the fastest"),
            ("data", data_profile(spent, least[unit]), ""),
        ):
            label, name = f"{unit}, {x}" if x else unit, f"{stem}_{kind}_{unit}"
            yield Plot(name, title, label, share, curves, log=True, drawstyle="steps-post")


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
        yield Plot(name, f"{about}: mean gap", unit, "gap", curves, log=True)


def gaps_at(run: Any, unit: int, axis: FloatArray) -> FloatArray:
    """Return the gap of a run after each number of solves (0) or seconds (1); 1 before any."""
    values = [gap(run.question, run.sense, run.best, moment[2]) for moment in run.history]
    gaps = np.minimum([1.0, *values], 1.0)
    moments = np.array([moment[unit] for moment in run.history])
    return gaps[np.searchsorted(moments, axis, side="right")]


def _security(about: str, stem: str, table: pd.DataFrame) -> Iterator[Plot]:
    """Yield the mean value of each method over the budgets, or over the targets."""
    parts = ["data", "model", "perturbation", "norm", "deviation"]
    number = 0
    for names, own in table.groupby(parts, sort=False):
        if own.level.nunique() < 2:
            continue
        found = own[(own.own > 0) & np.isfinite(own.own) | (own.sense == "max")]
        means = found.groupby(["label", "level"], sort=False).own.mean()
        curves = {
            str(label): (points.index.get_level_values("level").to_numpy(), points.to_numpy())
            for label, points in means.groupby(level="label", sort=False)
        }
        is_most = own.sense.iloc[0] == "max"
        x, y = ("budget", "mean deviation") if is_most else ("target", "mean norm")
        data, model, change, norm, deviation = names
        title = f"{about}: {data}, {model}, {change}, norm {norm}, {deviation}"
        yield Plot(f"{stem}_security_{number}", title, x, y, curves, drawstyle="default")
        number += 1


def _staircases(slug: str, table: pd.DataFrame) -> Iterator[Plot]:
    """Yield the deviation along the ray of each problem with a scalar eps, with the answers."""
    rays = table[table.curve.map(len) > 0]
    for number, ray in enumerate(rays.itertuples()):
        points = np.array(ray.curve)
        near = table[(table.fingerprint == ray.fingerprint) & (table.curve.map(len) == 0)]
        marks = {
            str(run.label): (np.array(run.eps), np.array([_value_at(points, run.eps[0])]))
            for run in near.itertuples()
            if len(run.eps) == 1
        }
        curves = {"deviation": (points[:, 0], points[:, 1])}
        title, name = f"{ray.problem}", f"{slug}_staircase_{number}"
        yield Plot(name, title, "eps", "deviation", curves, marks)


def _value_at(points: FloatArray, eps: float) -> float:
    return float(points[int(np.argmin(np.abs(points[:, 0] - eps))), 1])
