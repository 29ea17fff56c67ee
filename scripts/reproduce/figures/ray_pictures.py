"""Pictures of a ray's step functions: every piece as it is, breaks where they are unlike both."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bilad.models.validation import FloatArray
from bilad.scripts.reproduce.figures.ray_sites import PIECE, Ray, Value

# Okabe and Ito's colours, told apart with every kind of colour vision.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.55"


def outline(ray: Ray, value: Value) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the pieces, each twice, and the value there, for a line."""
    pieces = [site for site in ray.sites if site.kind == PIECE]
    eps = np.array([[site.low, site.high] for site in pieces]).ravel()
    return eps, np.repeat([float(value(site)) for site in pieces], 2)


def single_breaks(ray: Ray, value: Value) -> list[tuple[float, float]]:
    """Return eps and value of the breaks with another value than the pieces beside them."""
    found, sites = [], ray.sites
    for k in range(2, len(sites) - 2, 2):
        beside = {value(sites[k - 1]), value(sites[k + 1])}
        if value(sites[k]) not in beside:
            found.append((sites[k].low, float(value(sites[k]))))
    return found


def draw_value(axes: Axes, ray: Ray, value: Value, label: str, **style: Any) -> None:
    """Draw a step function.

    Parameters
    ----------
    axes : Axes
    ray : Ray
    value : callable(Site)
    label : str
    **style
        Of the line, the colour among it.
    """
    axes.plot(*outline(ray, value), label=label, **style)
    single = single_breaks(ray, value)
    if single:
        axes.plot(*zip(*single, strict=True), ".", color=style["color"], markersize=4)


def shade_interval(axes: Axes, low: float, high: float, label: str, colour: str) -> None:
    """Shade an interval of eps over the whole height."""
    axes.axvspan(low, high, color=colour, alpha=0.15, linewidth=0, label=label)


def name_eps(axes: Axes, ray: Ray) -> None:
    """Label the axis of eps, with its unit."""
    axes.set_xlabel(f"eps [{ray.setting.unit}], points {'..'.join(map(str, ray.setting.shifted))}")
