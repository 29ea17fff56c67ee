"""Anytime curves: how good each method is after so many lower-level solves, with quartiles.

One small picture for each method, as sixteen bands over one another would hide each other; the
other methods' medians stand behind it in grey.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bilad.models.validation import FloatArray
from bilad.scripts.methods.method_scores import Score
from bilad.scripts.run_log import save_figure
from bilad.scripts.step_picture import Styles
from bilad.scripts.tables import grouped

COLUMNS, POINTS = 4, 120


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
