"""Performance profiles of the comparison of methods, for each family of instances.

Each class of methods has one hue; line styles distinguish the methods of a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bilad.models.validation import FloatArray
from bilad.scripts.display import grouped
from bilad.scripts.methods.rows import CLOSE, Score, of_methods
from bilad.scripts.profiles import LEAST_SECONDS, draw_profile
from bilad.solvers.upper import REFORMULATIONS

Costs = dict[str, FloatArray]
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


def costs(given: Sequence[Score]) -> tuple[Costs, Costs]:
    """Return the solves and the seconds of each method until it is close to the best known.

    A problem is an instance with a seed; the problems are in the same order throughout. A cost is
    infinite if the method does not support the problem. A method that supports none is omitted.
    The method that solves the most problems comes first.
    """
    problems = list(dict.fromkeys((s.row.instance, s.row.seed) for s in given))
    solves, seconds = {}, {}
    for method, own in grouped(given, lambda s: s.row.method):
        if any(score.row.taken for score in own):
            close = {(s.row.instance, s.row.seed): s.first_close() for s in own}
            spent = np.array([close.get(problem, (np.inf, np.inf)) for problem in problems])
            solves[method], seconds[method] = spent.T
    ranked = sorted(solves, key=lambda method: -int(np.isfinite(solves[method]).sum()))
    return {m: solves[m] for m in ranked}, {m: seconds[m] for m in ranked}


def draw_family(family: str, given: Sequence[Score], folder: Path) -> list[Path]:
    """Draw the profiles of a family, in solves and in seconds; return their paths.

    Nothing is drawn if no method supports a problem of the family.
    """
    solves, seconds = costs(of_methods(given))
    if not solves:
        return []
    styles = {method: style(method) for method in solves}
    paths = [folder / f"{family}_profile_{unit}.png" for unit in ("solves", "seconds")]
    number = len(next(iter(solves.values())))
    title = f"{family}: {{}} to {CLOSE:.0%} of the best known value, {number} problems"
    draw_profile(solves, title.format("solves"), paths[0], unit="solves", least=1.0, styles=styles)
    draw_profile(seconds, title.format("seconds"), paths[1], least=LEAST_SECONDS, styles=styles)
    return paths


def style(method: str) -> dict[str, Any]:
    """Return the colour and the line style of a method."""
    for colour, members in CLASSES.values():
        if method in members:
            return {"color": colour, "linestyle": LINES[members.index(method)]}
    return {"color": OTHER, "linestyle": LINES[sum(map(ord, method)) % len(LINES)]}
