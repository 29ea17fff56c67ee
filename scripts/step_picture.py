"""A picture of step functions: one line for each method, the legend outside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from bilad.models.validation import FloatArray
from bilad.scripts.run_log import save_figure

LINES, COLOURS = ("-", "--", ":"), 7

Curves = Mapping[str, tuple[FloatArray, FloatArray]]
Styles = Mapping[str, Mapping[str, Any]]


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
