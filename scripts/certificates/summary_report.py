"""A robustness summary as a table, and as a picture of its ray."""

from __future__ import annotations

import math
import textwrap
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

import matplotlib
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from bilad.models import deviation
from bilad.scripts.certificates.robustness_summary import Summary
from bilad.scripts.experiments.page import Table
from bilad.scripts.files import save_figure
from bilad.scripts.subject import counted

MOST_POINTS = 20  # points, and sizes of clusters, that the table lists
DIGITS = 9
WIDTH = 110  # characters in a line of the title of a picture
PROOFS = {
    "exact staircase": "from the parametric path, in rational arithmetic",
    "facets": "from the nearest facet of the polyhedron of the partition, in integers",
    "flows and nonexpansiveness": "from the motion of the clusters and flows on their edges",
    "none": "nothing is proved",
}


def summary_table(summary: Summary) -> Table:
    """Return a summary as a table of texts."""
    environment = Environment(
        loader=PackageLoader("bilad.scripts.certificates", ""),
        autoescape=False,  # the text is no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"down": rounded_down, "up": rounded_up, "counted": counted}
    text = environment.get_template("summary.txt.j2").render(
        summary.values,
        sizes=np.bincount(summary.values["labels"]["values"]),
        proofs=PROOFS,
        most_points=MOST_POINTS,
        inf=math.inf,
    )
    rows = [
        dict(zip(("", "result"), line.split("|", 1), strict=True)) for line in text.splitlines()
    ]
    return Table("summary", "Robustness summary", rows)


def rounded_down(value: float) -> str:
    """Return a number as text, rounded down: a printed lower bound remains valid."""
    return _rounded(value, ROUND_FLOOR)


def rounded_up(value: float) -> str:
    """Return a number as text, rounded up."""
    return _rounded(value, ROUND_CEILING)


def _rounded(value: float, rounding: str) -> str:
    if not math.isfinite(value) or value == 0:
        return f"{value + 0.0:g}"  # 0, not -0
    exact = Decimal(value)
    unit = Decimal(1).scaleb(exact.adjusted() - DIGITS + 1)
    return f"{float(exact.quantize(unit, rounding)):.{DIGITS}g}"


def draw_summary(summary: Summary, paths: list[Path]) -> None:
    """Draw delta against eps along the ray, to each of the paths."""
    ray, about = summary.ray, summary.values["subject"]
    low, high = summary.values["certified_interval_of_the_ray"]
    shown = ray.proved if ray.proved.any() else np.ones_like(ray.proved)
    before = summary.values["labels"]["values"]
    deltas = [deviation(before, labels, "delta") for labels in ray.labels[shown]]
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.subplots()
        label = f"proved: unchanged for {rounded_up(low)} < eps < {rounded_down(high)}"
        axes.axvspan(low, high, color="C2", alpha=0.2, linewidth=0, label=label)
        name = "all changes" if ray.exact else "samples; there may be other changes"
        style = "default" if ray.exact else "steps-mid"
        axes.plot(ray.eps[shown], deltas, drawstyle=style, color="0.25", linewidth=1, label=name)
        if ray.first is not None:
            label = f"first change at {ray.first.outer:.6g}"
            axes.axvline(ray.first.outer, color="C3", linestyle="--", label=label)
        axes.set_xlim(ray.low, ray.high)
        if not any(deltas):
            axes.set_ylim(-0.05, 1.0)
        axes.set_ylabel("delta")
        along = "" if about["parameters"] == 1 else f" along the ray, in norm {about['norm']:g}"
        axes.set_xlabel(f"eps{along}" + (f" [{about['unit']}]" if about["unit"] else ""))
        title = textwrap.fill(about["title"].replace("$", r"\$"), WIDTH)
        axes.set_title(title, fontsize=8)
        axes.legend(loc="best", fontsize=8)
        for path in paths:
            save_figure(figure, path)
