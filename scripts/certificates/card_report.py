"""A robustness card as a table on a terminal, as JSON, and as the picture of its ray."""

from __future__ import annotations

import dataclasses
import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from bilad.scripts.certificates.robustness_card import Card
from bilad.scripts.run_log import save_figure
from bilad.solvers import Certificate

MOST_POINTS = 20  # that the table lists
DIGITS = 9
STATUS = {
    "robust": "no ||eps|| <= {:g} changes the partition",
    "attacked": "some ||eps|| <= {:g} changes the partition",
    "unknown": "whether some ||eps|| <= {:g} changes the partition",
}
METHODS = {
    "exact staircase": "the exact staircase, in rational arithmetic",
    "facets": "the nearest facet of the partition's polyhedron, in integers",
    "flows and nonexpansiveness": "motion of the clusters, flows inside them",
    "none": "nothing is proved",
}
SHADE, LINE, ATTACK = "C2", "0.25", "C3"


def card_table(card: Card) -> Table:
    """Lay a card out for a terminal."""
    view = Table(box=SIMPLE_HEAD, title="Robustness card", show_header=False, padding=(0, 1, 0, 0))
    view.add_column(no_wrap=True)
    view.add_column()
    for name, text in card_lines(card):
        view.add_row(name, escape(text))
    return view


def card_lines(card: Card) -> list[tuple[str, str]]:
    """Return what a card says, as pairs of a name and a text."""
    return [
        ("subject", card.subject.title),
        ("clusters", _clusters(card)),
        ("status", _status(card)),
        ("radius", _radius(card)),
        ("", METHODS[card.certificate.method]),
        ("ray", _ray(card)),
        ("first step", _first(card)),
        *(("", line) for line in card.changes),
        ("what moves", _moving(card)),
        ("BL1", _largest(card)),
        ("BL2", _least(card)),
        ("recovery", _recovery(card)),
        ("calmness", _calmness(card)),
    ]


def card_json(card: Card) -> dict[str, Any]:
    """Return a card as what JSON can hold: points from 1, infinity as text."""
    model, first = card.subject.model, card.ray.first
    problem = card.subject.bl1
    parts = {
        "subject": {
            "title": card.subject.title,
            "n": model.n,
            "d": model.d,
            "p": model.p,
            "gamma": model.gamma,
            "edges": model.graph.m,
            "parameters": card.subject.perturbation.dim,
            "norm": problem.norm,
            "budget": problem.budget,
            "target": card.subject.bl2.target,
        },
        "labels": {"values": card.labels, "proved": card.clustering.proved},
        "radius": _certificate(card.certificate),
        "certified_interval_of_the_ray": card.safe,
        "ray": {"exact": card.ray.exact, "steps": card.ray.steps},
        "first_step": None if first is None else dataclasses.asdict(first),
        "changes": card.changes,
        "points": card.points,
        "bl1": dataclasses.asdict(card.bl1),
        "bl2": dataclasses.asdict(card.bl2),
        "recovery": {
            "theorem_1": dataclasses.asdict(card.theorem),
            "exact": None if card.interval is None else dataclasses.asdict(card.interval),
        },
        "calmness": dataclasses.asdict(card.calmness),
    }
    plain = _plain(parts)
    assert isinstance(plain, dict)
    return plain


def rounded_down(value: float) -> str:
    """Return a number as text, not above it: what is proved stays so in print."""
    return _rounded(value, ROUND_FLOOR)


def rounded_up(value: float) -> str:
    """Return a number as text, not below it."""
    return _rounded(value, ROUND_CEILING)


def _rounded(value: float, rounding: str) -> str:
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    exact = Decimal(value)
    unit = Decimal(1).scaleb(exact.adjusted() - DIGITS + 1)
    return f"{float(exact.quantize(unit, rounding)):.{DIGITS}g}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _clusters(card: Card) -> str:
    sizes = ", ".join(map(str, np.bincount(card.labels)))
    known = "proved" if card.clustering.proved else "not proved: perhaps a tie"
    return f"{card.clustering.n_clusters} of {sizes} points; {known}"


def _certificate(known: Certificate) -> dict[str, Any]:
    """Return a certificate as a dictionary, of its attack eps only."""
    parts = {name: value for name, value in vars(known).items() if name != "attack"}
    return {**parts, "eps": None if known.attack is None else known.attack.eps}


def _status(card: Card) -> str:
    status = card.certificate.status
    return f"{status}: {STATUS[status].format(card.subject.bl1.budget)}"


def _radius(card: Card) -> str:
    known, unit = card.certificate, f" {card.subject.unit}" if card.subject.unit else ""
    least = f"{rounded_down(known.lower)}{unit} ({'exact' if known.exact else 'proved'})"
    if math.isinf(known.lower):
        return "no eps that counts changes the partition"
    if known.attack is None:
        return f"{least} <= radius; no attack was found"
    return f"{least} <= radius <= {rounded_up(known.upper)}{unit} (attack)"


def _ray(card: Card) -> str:
    low, high = card.safe
    if card.ray.exact:
        steps = f"{card.ray.steps} steps, all there are"
    else:
        steps = f"{card.ray.steps} steps found, others are not excluded"
    return (
        f"eps from {card.ray.low:g} to {card.ray.high:g}: {steps}; certified between "
        f"{rounded_up(low)} and {rounded_down(high)}"
    )


def _first(card: Card) -> str:
    first = card.ray.first
    if first is None:
        return "none" if card.ray.exact else "none found"
    if first.exact is not None:
        return f"at eps = {first.outer:.9g}, a rational number known exactly"
    return f"between eps = {first.inner:.9g} and {first.outer:.9g}"


def _moving(card: Card) -> str:
    if card.ray.first is None:
        return "nothing"
    listed = ", ".join(map(str, card.points[:MOST_POINTS]))
    more = len(card.points) - MOST_POINTS
    return f"{len(card.points)} points: {listed}" + (f" and {more} more" if more > 0 else "")


def _largest(card: Card) -> str:
    found = card.bl1.found or 0.0
    return (
        f"delta for ||eps|| <= {card.subject.bl1.budget:g}: {rounded_down(found)} "
        f"({card.bl1.method}) <= optimum <= {rounded_up(card.bl1.bound)} ({card.bl1.why})"
    )


def _least(card: Card) -> str:
    side, found = card.bl2, "none found"
    if side.found is not None:
        found = f"{rounded_up(side.found)} ({side.method})"
    if math.isinf(side.bound):
        return f"no eps of the budget has delta >= {card.subject.bl2.target:g} ({side.why})"
    least = f"{rounded_down(side.bound)} ({side.why})"
    return f"||eps|| for delta >= {card.subject.bl2.target:g}: {least} <= optimum <= {found}"


def _recovery(card: Card) -> str:
    theorem, found = card.theorem, card.interval
    if theorem.holds_c1 and theorem.holds_c2:
        says = f"Theorem 1: gamma in [{theorem.gamma_min:.9g}, {theorem.gamma_max:.9g})"
    else:
        says = (
            f"Theorem 1 cannot tell (gamma_min {theorem.gamma_min:.6g}, "
            f"gamma_max {theorem.gamma_max:.6g})"
        )
    if found is None:
        return f"{says}; no interval was proved"
    known = "all of it proved" if found.gapless else "proved at the gammas tested"
    low, high = rounded_up(found.low), rounded_down(found.high)
    return f"{says}; tested exactly: gamma from {low} to {high}, {known}"


def _calmness(card: Card) -> str:
    moduli = card.calmness
    if moduli.local is None or moduli.empirical is None:
        return f"in the data, global modulus {moduli.everywhere:g}"
    return (
        f"global modulus {moduli.everywhere:g}; computed: local {moduli.local:.6g}, "
        f"largest of the attacks {moduli.empirical:.6g}"
    )


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
