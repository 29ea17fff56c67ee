"""The staircase: delta and N_chg against a scalar eps, and its picture (paper, Figures 4 to 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from bilad.models import deviation
from bilad.models.validation import FloatArray, IntArray
from bilad.scripts.run_log import save_figure
from bilad.scripts.settings import Setting
from bilad.solvers.lower.cluster import solve_lower

MARKERS = {"BL1": "o", "BL2": "v"}


@dataclass(frozen=True)
class Staircase:
    """Values on a grid: arrays of shape (g,)."""

    eps: FloatArray
    delta: IntArray
    n_changed: IntArray
    proved: np.ndarray


def sweep(setting: Setting) -> Staircase:
    """Evaluate the setting on the grid -a : step : a."""
    model, shift = setting.model(), setting.shift()
    before = solve_lower(model).labels
    count = round(2 * setting.budget / setting.step) + 1
    eps = np.linspace(-setting.budget, setting.budget, count)
    solutions = [solve_lower(shift.apply(model, value)) for value in eps]
    return Staircase(
        eps=eps,
        delta=np.array([deviation(before, after.labels, "delta") for after in solutions], int),
        n_changed=np.array(
            [deviation(before, after.labels, "changed-matched") for after in solutions], int
        ),
        proved=np.array([after.proved for after in solutions]),
    )


def draw(
    stairs: Staircase, marks: Sequence[tuple[str, float]], setting: Setting, path: Path
) -> None:
    """Draw delta and N_chg against eps, every method's answer marked.

    Parameters
    ----------
    marks : sequence of (str, float)
        Name, beginning with BL1 or BL2, and eps of each answer.
    """
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 5), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True)
        series = ((upper, stairs.delta, "delta"), (lower, stairs.n_changed, "N_chg (matched)"))
        for axes, values, name in series:
            axes.plot(stairs.eps, values, drawstyle="steps-mid", color="0.35", linewidth=1)
            axes.set_ylabel(name)
            for number, (label, eps) in enumerate(marks):
                height = values[int(np.argmin(np.abs(stairs.eps - eps)))]
                size = 18 - 2.2 * number  # answers coincide: the later inside the earlier
                style = {
                    "color": f"C{number}",
                    "markerfacecolor": "none",
                    "linestyle": "none",
                    "clip_on": False,
                }
                marker = MARKERS[label[:3]]
                axes.plot(eps, height, marker=marker, markersize=size, label=label, **style)
        if marks:
            upper.legend(loc="best", fontsize=8)
        lower.set_xlabel(f"eps [{setting.unit}]")
        upper.set_title(setting.describe(), fontsize=8)
        save_figure(figure, path)
