"""Pictures of the examples: points on a line, intervals of eps, relations of pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bilad.scripts.reproduce.reassignment import reassignment
from bilad.scripts.reproduce.theory.recovery_cells import Cell, Instance
from bilad.scripts.reproduce.theory.recovery_examples import GridRow
from bilad.scripts.reproduce.theory.spill_examples import Example
from bilad.scripts.reproduce.theory.spill_ranges import COLOURS
from bilad.solvers.clustering.cluster import solve_lower

RELATIONS = ("apart, as before", "together, as before", "now apart", "now together")
RELATION_COLOURS = ("#F2F2F2", "#9AA5B1", "#D55E00", "#0072B2")


def draw_line(figure: Figure, instance: Instance, chosen: Mapping[str, float]) -> None:
    """Draw data and solution at chosen eps, one below the other.

    Parameters
    ----------
    figure : Figure
    instance : Instance
    chosen : mapping of str to float
        Eps by name.
    """
    axes = figure.subplots()
    heights = -np.arange(len(chosen), dtype=np.float64)
    for height, eps in zip(heights, chosen.values(), strict=True):
        solved = solve_lower(instance.perturbation.apply(instance.model, eps))
        data, X = solved.model.data[:, 0], solved.X[:, 0]
        for k, (a, x, label) in enumerate(zip(data, X, solved.labels, strict=True)):
            colour = COLOURS[label % len(COLOURS)]
            filled = colour if k == instance.moved else "white"
            axes.plot([a, x], [height, height - 0.4], color=colour, linewidth=0.7, alpha=0.5)
            axes.plot(a, height, "o", markeredgecolor=colour, markerfacecolor=filled)
            axes.plot(x, height - 0.4, "x", color=colour, markersize=8, markeredgewidth=2)
    names = [f"{name}\neps = {eps:.4g}" for name, eps in chosen.items()]
    axes.set_yticks(heights - 0.2, names)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="position on the line (units of A)", ylim=(heights[-1] - 0.8, 0.4))


def draw_intervals(
    figure: Figure, instance: Instance, rows: Sequence[GridRow], own: Sequence[Cell]
) -> None:
    """Draw the solution and the conditions against eps, the intervals of eps shaded.

    Parameters
    ----------
    figure : Figure
    instance : Instance
    rows : sequence of GridRow
    own : sequence of Cell
        Of the instance.
    """
    upper, lower = figure.subplots(2, 1, sharex=True)
    eps = [row.eps for row in rows]
    paths = np.array(
        [solve_lower(instance.perturbation.apply(instance.model, value)).X[:, 0] for value in eps]
    )
    others = np.delete(paths, instance.moved, axis=1)
    upper.plot(eps, others[:, 0], color="0.3", linewidth=1.2, label="X* of the others")
    upper.plot(eps, others[:, 1:], color="0.3", linewidth=1.2)
    upper.plot(eps, paths[:, instance.moved], "--", color=COLOURS[1], label="X* of the moved point")
    upper.set_ylabel("X*(eps) (units of A)")
    lower.plot(eps, [row.gamma_min for row in rows], color=COLOURS[1], label="gamma_min(eps)")
    lower.plot(eps, [row.gamma_max for row in rows], color=COLOURS[3], label="gamma_max(eps)")
    lower.axhline(instance.gamma, color="black", linestyle=":", label="gamma")
    lower.set(xlabel="eps, the shift of one point (units of A)", ylabel="gamma")
    for axes in (upper, lower):
        _shade(axes, [cell for cell in own if cell.unchanged], "0.85", "unchanged")
        _shade(axes, [cell for cell in own if cell.guaranteed], "#A6CEE3", "guaranteed, Theorem 2")
        axes.set_xlim(-instance.reach, instance.reach)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _shade(axes: Axes, own: Sequence[Cell], colour: str, name: str) -> None:
    for k, cell in enumerate(cell for cell in own if cell.length):
        axes.axvspan(
            float(cell.low),
            float(cell.high),
            color=colour,
            linewidth=0,
            zorder=0,
            label=name if k == 0 else None,
        )


def draw_relations(figure: Figure, drawn: Sequence[Example]) -> None:
    """Draw which pairs are together before and after."""
    colours = ListedColormap(RELATION_COLOURS)
    for axes, row in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        sizes, moved = (tuple(map(int, text.split("+"))) for text in (row.sizes, row.moved))
        before, after = (labels[:, None] == labels for labels in reassignment(sizes, moved))
        kinds = np.where(before == after, before.astype(int), np.where(before, 2, 3))
        ticks = (0.5, row.n + 0.5, row.n + 0.5, 0.5)
        norm = BoundaryNorm(np.arange(5) - 0.5, 4)
        axes.imshow(kinds, cmap=colours, norm=norm, extent=ticks)
        axes.set_title(
            f"Example {row.example}: {row.moved} of {row.sizes} leave, delta = {row.delta}"
        )
        axes.set(xlabel="point", ylabel="point")
        axes.grid(visible=False)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True))
    handles = [
        Patch(facecolor=colour, edgecolor="0.5", label=name)
        for name, colour in zip(RELATIONS, RELATION_COLOURS, strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
