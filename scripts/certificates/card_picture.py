"""The picture of a robustness card: the staircase along its ray, the certified interval shaded."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from bilad.scripts.certificates.card_report import rounded_down, rounded_up
from bilad.scripts.certificates.robustness_card import Card
from bilad.scripts.run_log import save_figure

SHADE, LINE, ATTACK = "C2", "0.25", "C3"


def draw_card(card: Card, paths: list[Path]) -> None:
    """Draw delta against eps along the ray.

    Parameters
    ----------
    card : Card
    paths : list of Path
        Their suffixes say what is written.
    """
    ray = card.ray
    deltas = ray.deltas(card.labels)
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.subplots()
        low, high = card.safe
        label = f"certified: no change for {rounded_up(low)} < eps < {rounded_down(high)}"
        axes.axvspan(low, high, color=SHADE, alpha=0.2, linewidth=0, label=label)
        name = "every step" if ray.exact else "found; other steps are not excluded"
        style = "default" if ray.exact else "steps-mid"
        shown = ray.proved if ray.proved.any() else np.ones_like(ray.proved)
        axes.plot(
            ray.eps[shown], deltas[shown], drawstyle=style, color=LINE, linewidth=1, label=name
        )
        if ray.first is not None:
            axes.axvline(ray.first.outer, color=ATTACK, linestyle="--", linewidth=1)
            axes.plot([], [], color=ATTACK, linestyle="--", label=f"step at {ray.first.outer:.6g}")
        axes.set_xlim(ray.low, ray.high)
        axes.set_ylabel("delta")
        axes.set_xlabel(_axis(card))
        axes.set_title(card.subject.title, fontsize=8)
        axes.legend(loc="best", fontsize=8)
        for path in paths:
            save_figure(figure, path)


def _axis(card: Card) -> str:
    unit = f" [{card.subject.unit}]" if card.subject.unit else ""
    if card.subject.perturbation.dim == 1:
        return f"eps{unit}"
    return f"eps along the ray, in norm {card.subject.bl1.norm:g}{unit}"
