"""A robustness summary as a table, as JSON, and as a picture of its ray."""

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

from bilad.scripts.certificates.robustness_summary import Summary
from bilad.scripts.run_store import save_figure
from bilad.solvers import Certificate

MOST_POINTS = 20  # points that the table lists
DIGITS = 9
STATUS = {
    "robust": "no ||eps|| <= {:g} changes the partition",
    "attacked": "some ||eps|| <= {:g} changes the partition",
    "unknown": "whether some ||eps|| <= {:g} changes the partition",
}
METHODS = {
    "exact staircase": "from the parametric path, in rational arithmetic",
    "facets": "from the nearest facet of the polyhedron of the partition, in integers",
    "flows and nonexpansiveness": "from the motion of the clusters and flows on their edges",
    "none": "nothing is proved",
}
SHADE, LINE, ATTACK = "C2", "0.25", "C3"


def summary_table(summary: Summary) -> Table:
    """Return a summary as a table for the terminal."""
    view = Table(
        box=SIMPLE_HEAD, title="Robustness summary", show_header=False, padding=(0, 1, 0, 0)
    )
    view.add_column(no_wrap=True)
    view.add_column()
    for name, text in summary_lines(summary):
        view.add_row(name, escape(text))
    return view


def summary_lines(summary: Summary) -> list[tuple[str, str]]:
    """Return the lines of the table, each a name and a text."""
    return [
        ("subject", summary.subject.title),
        ("clusters", _clusters(summary)),
        ("status", _status(summary)),
        ("radius", _radius(summary)),
        ("", METHODS[summary.certificate.method]),
        ("ray", _ray(summary)),
        ("first change", _first(summary)),
        *(("", line) for line in summary.changes),
        ("points", _moving(summary)),
        ("BL1", _largest(summary)),
        ("BL2", _least(summary)),
        ("recovery", _recovery(summary)),
        ("calmness", _calmness(summary)),
    ]


def summary_json(summary: Summary) -> dict[str, Any]:
    """Return a summary as plain values: points counted from 1, infinity as text."""
    model, first = summary.subject.model, summary.ray.first
    problem = summary.subject.bl1
    parts = {
        "subject": {
            "title": summary.subject.title,
            "n": model.n,
            "d": model.d,
            "p": model.p,
            "gamma": model.gamma,
            "edges": model.graph.m,
            "parameters": summary.subject.perturbation.dim,
            "norm": problem.norm,
            "budget": problem.budget,
            "target": summary.subject.bl2.target,
        },
        "labels": {"values": summary.labels, "proved": summary.clustering.proved},
        "radius": _certificate(summary.certificate),
        "certified_interval_of_the_ray": summary.safe,
        "ray": {"exact": summary.ray.exact, "steps": summary.ray.steps},
        "first_step": None if first is None else dataclasses.asdict(first),
        "changes": summary.changes,
        "points": summary.points,
        "bl1": dataclasses.asdict(summary.bl1),
        "bl2": dataclasses.asdict(summary.bl2),
        "recovery": {
            "theorem_1": dataclasses.asdict(summary.theorem),
            "exact": None if summary.interval is None else dataclasses.asdict(summary.interval),
        },
        "calmness": dataclasses.asdict(summary.calmness),
    }
    plain = _plain(parts)
    assert isinstance(plain, dict)
    return plain


def rounded_down(value: float) -> str:
    """Return a number as text, rounded down: a printed lower bound remains valid."""
    return _rounded(value, ROUND_FLOOR)


def rounded_up(value: float) -> str:
    """Return a number as text, rounded up."""
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


def _clusters(summary: Summary) -> str:
    sizes = ", ".join(map(str, np.bincount(summary.labels)))
    known = "certified" if summary.clustering.proved else "not certified: there may be a tie"
    return f"{summary.clustering.n_clusters} clusters of {sizes} points; {known}"


def _certificate(known: Certificate) -> dict[str, Any]:
    """Return a certificate as a dictionary, with the eps of its attack only."""
    parts = {name: value for name, value in vars(known).items() if name != "attack"}
    return {**parts, "eps": None if known.attack is None else known.attack.eps}


def _status(summary: Summary) -> str:
    status = summary.certificate.status
    return f"{status}: {STATUS[status].format(summary.subject.bl1.budget)}"


def _radius(summary: Summary) -> str:
    known, unit = summary.certificate, f" {summary.subject.unit}" if summary.subject.unit else ""
    least = f"{rounded_down(known.lower)}{unit} ({'exact' if known.exact else 'proved'})"
    if math.isinf(known.lower):
        return "no feasible eps changes the partition"
    if known.attack is None:
        return f"{least} <= radius; no attack was found"
    return f"{least} <= radius <= {rounded_up(known.upper)}{unit} (attack)"


def _ray(summary: Summary) -> str:
    low, high = summary.safe
    if summary.ray.exact:
        steps = f"{summary.ray.steps} changes of the partition, which are all"
    else:
        steps = f"{summary.ray.steps} changes of the partition found; there may be others"
    return (
        f"eps from {summary.ray.low:g} to {summary.ray.high:g}: {steps}; proved unchanged between "
        f"{rounded_up(low)} and {rounded_down(high)}"
    )


def _first(summary: Summary) -> str:
    first = summary.ray.first
    if first is None:
        return "none" if summary.ray.exact else "none found"
    if first.exact is not None:
        return f"at eps = {first.outer:.9g}, a rational number known exactly"
    return f"between eps = {first.inner:.9g} and {first.outer:.9g}"


def _moving(summary: Summary) -> str:
    if summary.ray.first is None:
        return "no points"
    listed = ", ".join(map(str, summary.points[:MOST_POINTS]))
    more = len(summary.points) - MOST_POINTS
    return f"{len(summary.points)} points: {listed}" + (f" and {more} more" if more > 0 else "")


def _largest(summary: Summary) -> str:
    found = summary.bl1.found or 0.0
    return (
        f"delta for ||eps|| <= {summary.subject.bl1.budget:g}: {rounded_down(found)} "
        f"({summary.bl1.method}) <= optimum <= {rounded_up(summary.bl1.bound)} ({summary.bl1.why})"
    )


def _least(summary: Summary) -> str:
    side, found = summary.bl2, "none found"
    if side.found is not None:
        found = f"{rounded_up(side.found)} ({side.method})"
    if math.isinf(side.bound):
        return f"no feasible eps has delta >= {summary.subject.bl2.target:g} ({side.why})"
    least = f"{rounded_down(side.bound)} ({side.why})"
    return f"||eps|| for delta >= {summary.subject.bl2.target:g}: {least} <= optimum <= {found}"


def _recovery(summary: Summary) -> str:
    theorem, found = summary.theorem, summary.interval
    if theorem.holds_c1 and theorem.holds_c2:
        says = f"Theorem 1: gamma in [{theorem.gamma_min:.9g}, {theorem.gamma_max:.9g})"
    else:
        says = (
            f"Theorem 1 does not apply (gamma_min {theorem.gamma_min:.6g}, "
            f"gamma_max {theorem.gamma_max:.6g})"
        )
    if found is None:
        return f"{says}; no interval was proved"
    known = "proved for all of them" if found.gapless else "proved for the gammas tested"
    low, high = rounded_up(found.low), rounded_down(found.high)
    return f"{says}; exact test: gamma from {low} to {high}, {known}"


def _calmness(summary: Summary) -> str:
    moduli = summary.calmness
    if moduli.local is None or moduli.empirical is None:
        return f"global modulus in the data {moduli.everywhere:g}"
    return (
        f"global modulus {moduli.everywhere:g}; computed: local modulus {moduli.local:.6g}, "
        f"largest quotient of the attacks {moduli.empirical:.6g}"
    )


def draw_summary(summary: Summary, paths: list[Path]) -> None:
    """Draw delta against eps along the ray, to each of the paths."""
    ray = summary.ray
    deltas = ray.deltas(summary.labels)
    with matplotlib.rc_context({"font.size": 9, "axes.grid": True, "grid.alpha": 0.3}):
        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.subplots()
        low, high = summary.safe
        label = f"proved: unchanged for {rounded_up(low)} < eps < {rounded_down(high)}"
        axes.axvspan(low, high, color=SHADE, alpha=0.2, linewidth=0, label=label)
        name = "all changes" if ray.exact else "samples; there may be other changes"
        style = "default" if ray.exact else "steps-mid"
        shown = ray.proved if ray.proved.any() else np.ones_like(ray.proved)
        axes.plot(
            ray.eps[shown], deltas[shown], drawstyle=style, color=LINE, linewidth=1, label=name
        )
        if ray.first is not None:
            axes.axvline(ray.first.outer, color=ATTACK, linestyle="--", linewidth=1)
            label = f"first change at {ray.first.outer:.6g}"
            axes.plot([], [], color=ATTACK, linestyle="--", label=label)
        axes.set_xlim(ray.low, ray.high)
        axes.set_ylabel("delta")
        axes.set_xlabel(_axis(summary))
        axes.set_title(summary.subject.title, fontsize=8)
        axes.legend(loc="best", fontsize=8)
        for path in paths:
            save_figure(figure, path)


def _axis(summary: Summary) -> str:
    unit = f" [{summary.subject.unit}]" if summary.subject.unit else ""
    if summary.subject.perturbation.dim == 1:
        return f"eps{unit}"
    return f"eps along the ray, in norm {summary.subject.bl1.norm:g}{unit}"
