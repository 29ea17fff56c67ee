"""Black-box attacks by budget of queries: a table, a picture and an answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from bilad.scripts.methods.instances import CLUSTERERS, CONVEX
from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.questions.black_box_budgets import METHODS, WHITE, Queries
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import grouped

COLUMNS = 3
COLOURS = ("0.45", "black", "C0", "C1", "C2", "C4")
LINES = ("-", "--", "-", "--", "-.", ":")


def black_box_blocks(
    bench: Bench, rows: Sequence[Queries], points: int, entries: int
) -> list[Block]:
    """Return how black-box attacks do with so many queries."""
    cells = []
    for (learner, method), own in grouped(rows, lambda row: (row.learner, row.method)):
        budgets = grouped(own, lambda row: row.queries)
        shares = {str(n): float(np.mean([row.share for row in some])) for n, some in budgets}
        seconds = float(np.mean([row.seconds for row in own]))
        cells.append({"learner": learner, "method": method, **shares, "seconds": seconds})
    table = Table(
        "Open question 3: black boxes, by budget of queries",
        cells,
        f"(BL1), {points} points, {entries} free entries, norm inf; the clouds in the plane of "
        "next check 3. Columns of numbers: delta after so many queries over the best that any run "
        f"found, means over seeds. Learners: {_learners(rows)}. All budgets are "
        "read off one run of the largest. Convex clustering keeps its weights whatever the data. "
        "White box: the better of hypergradient and pgd, its "
        "queries are lower-level solves.",
    )
    picture = bench.picture(
        "black_box",
        "The best deviation after so many queries, over the best known.",
        partial(draw_budgets, rows),
        (8.0, 1.0 + 2.0 * -(-len({row.learner for row in rows}) // COLUMNS)),
    )
    return [table, picture, Text(answer(rows))]


def answer(rows: Sequence[Queries]) -> str:
    """Return which black-box method leads, and what it lacks to the white box."""
    most = max(row.queries for row in rows)
    finals = [row for row in rows if row.queries == most and row.best]
    blind = grouped([row for row in finals if row.method != WHITE], lambda row: row.method)
    shares = {method: float(np.mean([row.share for row in own])) for method, own in blind}
    least = min(row.queries for row in rows)
    first = grouped([row for row in rows if row.queries == least and row.best], lambda r: r.method)
    early = {method: float(np.mean([row.share for row in own])) for method, own in first}
    lead = max(shares, key=lambda method: (shares[method], early[method]))
    level = [name for name in shares if name != lead and shares[name] == shares[lead]]
    also = f" (level at the end: {', '.join(level)})" if level else ""
    return (
        f"With {most} queries {lead} leads over all clusterers{also}, with {shares[lead]:.0%} of "
        f"the best known deviation on average, and {early[lead]:.0%} after {least}. "
        f"{_white(finals, lead)}"
    )


def _learners(rows: Sequence[Queries]) -> str:
    """Return the learners with their parameters."""
    names = dict.fromkeys(row.learner for row in rows)
    return ", ".join(repr(CLUSTERERS[name]) if name in CLUSTERERS else name for name in names)


def _white(finals: Sequence[Queries], lead: str) -> str:
    white = [row.share for row in finals if row.method == WHITE]
    if not white:
        return "No white-box attack was made."
    own = [row.share for row in finals if row.method == lead and row.learner == CONVEX]
    return (
        f"On convex clustering it has {np.mean(own):.0%}, the white-box attack with as many "
        f"solves {np.mean(white):.0%}."
    )


def draw_budgets(rows: Sequence[Queries], figure: Figure) -> None:
    """Draw the mean share of the best known against queries, a panel a learner."""
    learners = grouped([row for row in rows if row.best], lambda row: row.learner)
    shape = -(-len(learners) // COLUMNS), min(len(learners), COLUMNS)
    panels = figure.subplots(*shape, sharey=True, squeeze=False).ravel()
    for axes in panels[len(learners) :]:
        axes.remove()
    styles = {m: (c, s) for m, c, s in zip(METHODS, COLOURS, LINES, strict=True)}
    styles[WHITE] = ("C3", "-")
    for axes, (learner, own) in zip(panels, learners, strict=False):
        for method, mine in grouped(own, lambda row: row.method):
            points = grouped(mine, lambda row: row.queries)
            colour, line = styles[method]
            axes.plot(
                [budget for budget, _ in points],
                [np.mean([row.share for row in some]) for _, some in points],
                color=colour,
                linestyle=line,
                marker=".",
                label=method,
            )
        axes.set_title(learner, fontsize=9)
        axes.set_xscale("log", base=2)
        budgets = sorted({row.queries for row in own})
        axes.set_xticks(budgets, [str(budget) for budget in budgets])
        axes.set_ylim(0, 1.05)
    figure.supxlabel("queries", fontsize=9)
    figure.supylabel("delta / best known (mean over seeds)", fontsize=9)
    handles = {
        text: line
        for axes in panels[: len(learners)]
        for line, text in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=4)
