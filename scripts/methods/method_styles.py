"""Colours and lines of methods: one hue for each class of methods, lines tell those of a class."""

from __future__ import annotations

from typing import Any

from bilad.solvers.upper import REFORMULATIONS

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


def style(method: str) -> dict[str, Any]:
    """Return colour and line of a method; variants look like the method that they begin with."""
    for colour, members in CLASSES.values():
        for number, name in enumerate(members):
            if method == name:
                return {"color": colour, "linestyle": LINES[number]}
    return {"color": OTHER, "linestyle": LINES[sum(map(ord, method)) % len(LINES)]}
