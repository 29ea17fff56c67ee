"""The report of the comparison of methods: tables, CSV files and performance profiles.

In the profiles, each class of methods has one hue; line styles distinguish the methods of a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bilad.models.validation import FloatArray
from bilad.scripts.display import Cells, as_percent, grouped, mean, median, show
from bilad.scripts.instances import CONVEX, Instance
from bilad.scripts.methods.rows import CLOSE, REFERENCE, MethodRow, Score, of_methods, scores
from bilad.scripts.profiles import LEAST_SECONDS, draw_profile, performance_profile
from bilad.scripts.run_store import Output, write_table
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
    "exact": ("tab:purple", ("exact", "milp")),
}
OTHER = "tab:orange"
UNITS = ("solves", "seconds")
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
    paths = [folder / f"{family}_profile_{unit}.png" for unit in UNITS]
    number = len(next(iter(solves.values())))
    title = f"{family}: {{}} to {CLOSE:.0%} of the best known value, {number} problems"
    for costs_of, unit, least, path in zip(
        (solves, seconds), UNITS, (1.0, LEAST_SECONDS), paths, strict=True
    ):
        label = f"{unit}, relative to the fastest method"
        curves = performance_profile(costs_of, least)
        draw_profile(curves, title.format(unit), path, label, styles)
    return paths


def style(method: str) -> dict[str, Any]:
    """Return the colour and the line style of a method."""
    for colour, members in CLASSES.values():
        if method in members:
            return {"color": colour, "linestyle": LINES[members.index(method)]}
    return {"color": OTHER, "linestyle": LINES[sum(map(ord, method)) % len(LINES)]}


TO_CLOSE = f"solves to {CLOSE:.0%}"
SUMMARY_CAPTION = (
    "U / best: the deviation U over the best known U of all runs; for BL2, the least known ||eps|| "
    "over ||eps||. solves, seconds: medians.\nsolves to 95 %: infinite for runs that never are "
    "within 95 % of the best. overhead: time outside the lower-level solves over time within\n"
    "them. undecided: solves whose labels are not certified. time up: runs that reached their time "
    "limit before their limit on solves.\nclosed / best: after a search along the ray through the "
    "result, which is beyond the limits; all other columns are the method's own."
)


def summary(given: Sequence[Score]) -> list[Cells]:
    """Return the quality and the cost of each method, for each question; scores of one family."""
    table = []
    by_both = grouped(of_methods(given), lambda s: (s.instance.question, s.row.method))
    for (question, method), own in by_both:
        taken = [score for score in own if score.row.taken]
        refused = len(own) - len(taken)
        if taken:
            table.append({"": question, "method": method, **_outcome(taken), "refused": refused})
    return table


def _outcome(taken: Sequence[Score]) -> Cells:
    """Return the cells of the runs of one method."""
    qualities = [score.quality for score in taken]
    to_close = [score.first_close()[0] for score in taken]
    close = sum(np.isfinite(solves) for solves in to_close)
    rows = [score.row for score in taken]
    solving = sum(row.seconds_solving for row in rows)
    outside = sum(row.seconds for row in rows) - solving
    return {
        "runs": len(taken),
        "U / best": mean(qualities),
        "closed / best": mean([score.closed_quality for score in taken]),
        "worst": min(qualities),
        TO_CLOSE: median(to_close),
        "get there": as_percent(close, len(taken)),
        "solves": median([float(row.solves) for row in rows]),
        "seconds": median([row.seconds for row in rows]),
        "overhead": f"{outside / solving:.0%}" if solving else "",
        "undecided": as_percent(
            sum(row.undecided for row in rows), sum(row.solves for row in rows)
        ),
        "time up": sum(row.status == "time limit" for row in rows),
        "errors": sum(row.status.startswith("error") for row in rows),
    }


def by_column(given: Sequence[Score]) -> list[Cells]:
    """Return the mean of U / best for each method and each k, n, data set or learner."""
    counted = of_methods(given)
    columns = list(dict.fromkeys(column(score.instance) for score in counted))
    table = []
    by_both = grouped(counted, lambda s: (s.instance.question, s.row.method))
    for (question, method), own in by_both:
        cells: Cells = {"": question, "method": method}
        for name in columns:
            qualities = [s.quality for s in own if column(s.instance) == name and s.row.taken]
            cells[name] = mean(qualities) if qualities else float("nan")
        if not all(np.isnan(cells[name]) for name in columns):
            table.append(cells)
    return table


def column(instance: Instance) -> str:
    """Return the column of an instance in the table of means."""
    if instance.family in ("table1", "size"):
        return instance.data
    if instance.learner != CONVEX:
        return instance.learner
    return f"{instance.data}, k = {instance.k}"


def each_problem(given: Sequence[Score]) -> list[Cells]:
    """Return, for each problem and method, the best result over the seeds."""
    table = []
    by_both = grouped(given, lambda s: (s.instance.name, s.row.method))
    for (problem, method), own in by_both:
        taken = [score for score in own if score.row.taken and score.has_attack]
        if not taken:
            continue
        best = max(taken, key=lambda score: score.quality)
        table.append(
            {
                "problem": problem,
                "method": method,
                "best value": best.row.value,
                "of the best": best.quality,
                "worst seed": min(score.quality for score in taken),
                TO_CLOSE: float("nan")
                if method == REFERENCE
                else median([score.first_close()[0] for score in taken]),
                "solves": median([float(score.row.solves) for score in taken]),
                "seconds": median([score.row.seconds for score in taken]),
                "status": best.row.status,
            }
        )
    return table


def left_out(given: Sequence[Score]) -> str:
    """Describe the problems without a known attack, and the runs that methods refused."""
    instances = {score.instance for score in given}
    without = {score.instance for score in given if not score.has_attack}
    refused = grouped([s for s in given if not s.row.taken], lambda s: s.row.method)
    text = (
        f"{len(without)} of {len(instances)} problems are omitted because no run found an attack."
    )
    if refused:
        counts = ", ".join(f"{method} {len(own)}" for method, own in refused)
        text += f" Runs refused: {counts}."
    return text


def report(rows: Sequence[MethodRow], output: Output) -> None:
    """Print and write the tables and draw the pictures of each family."""
    for family, own in grouped(scores(rows), lambda s: s.instance.family):
        _tables(family, own, output)
        draw_family(family, own, output.folder)


def _tables(family: str, own: Sequence[Score], output: Output) -> None:
    tables = {
        "summary": (f"{family}: methods in short", summary(own), SUMMARY_CAPTION),
        "by_column": (f"{family}: mean of U / best", by_column(own), left_out(own)),
    }
    problems = each_problem(own)
    if family == "table1":
        title = "table1: our settings, the best result over the seeds, and the optimum over the ray"
        tables["problems"] = (title, problems, "")
    for title, cells, caption in tables.values():
        show(output.console, title, cells, caption)
    for name, (_, cells, _) in {**tables, "problems": ("", problems, "")}.items():
        write_table(output.folder / f"{family}_{name}.csv", list(cells[0]) if cells else [], cells)
