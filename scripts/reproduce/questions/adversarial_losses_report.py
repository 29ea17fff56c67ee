"""Adversarial losses beside delta: a table, a picture and an answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.questions import adversarial_losses
from bilad.scripts.reproduce.questions.adversarial_losses import LOSSES, LossSample, LossStanding
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.tables import grouped, mean

COLOURS = ("black", "C1", "C0", "C2", "C3")


def loss_blocks(bench: Bench, samples: Sequence[LossSample]) -> list[Block]:
    """Return how losses stand beside delta, as table, picture and sentence."""
    standings = adversarial_losses.loss_standings(samples)
    unproved = sum(not sample.proved for sample in samples)
    table = Table(
        "Section 6.5 (ii): adversarial losses beside delta",
        [_cells(standing) for standing in standings],
        "Along lines through eps = 0, equally spaced: the rays of our settings, and random corners "
        "of the box on the clouds of next check 3. Each loss is what it has above its value at eps "
        "= 0. Training loss: the lower level's optimal value. Displacement: 1/2 ||X(eps) - "
        "X(0)||_F^2. Contrastive: squared distances in X(eps) of the pairs that were together, and "
        "squares of what those that were apart lack to the least distance between clusters "
        f"(Hadsell, Chopra, LeCun, 2006). Smoothed delta: {adversarial_losses.KERNEL} kernel, w = "
        f"{adversarial_losses.WIDTH:g} of the typical distance. falling: half-lines on which it "
        "falls; below: share of the samples below the value at eps = 0; detects: area under the "
        "ROC curve, as a test of whether the partition changed; rank: Spearman's correlation with "
        "delta; delta at its largest: over the largest delta of the samples. Less than "
        f"{adversarial_losses.ROUNDING:g} of its largest value is no fall. {unproved} of "
        f"{len(samples)} samples have labels that are not proved, and are left out.",
    )
    picture = bench.picture(
        "losses",
        "Along the first line of each problem: every loss over its own largest absolute value.",
        partial(draw_losses, samples),
        (8.0, 1.2 + 2.0 * -(-len(_by_problem(samples)) // 2)),
    )
    return [table, picture, Text(answer(standings))]


def _cells(own: LossStanding) -> dict[str, object]:
    return {
        "problem": own.problem,
        "loss": own.loss,
        "samples": own.samples,
        "falling": f"{own.falling} of {own.halves}",
        "below": own.below,
        "detects": own.detects,
        "rank": own.rank,
        "delta at its largest": own.share,
    }


def answer(standings: Sequence[LossStanding]) -> str:
    """Return what an attack gives away that climbs a loss in the place of delta."""
    said = []
    for loss, own in grouped(standings, lambda standing: standing.loss):
        shares = [standing.share for standing in own if not np.isnan(standing.share)]
        detects = [standing.detects for standing in own if not np.isnan(standing.detects)]
        falling, halves = (sum(getattr(s, key) for s in own) for key in ("falling", "halves"))
        text = f"{loss} falls on {falling} of {halves} half-lines"
        if loss != "delta" and shares and detects:
            text += (
                f", has {mean(shares):.0%} of the largest delta where it is largest "
                f"({min(shares):.0%} at worst), and tells a changed partition with a mean area of "
                f"{mean(detects):.2f}"
            )
        said.append(text)
    return f"{'; '.join(said)}."


def _by_problem(samples: Sequence[LossSample]) -> list[tuple[str, list[LossSample]]]:
    return grouped(
        [sample for sample in samples if sample.line == 0 and sample.proved],
        lambda sample: sample.problem,
    )


def draw_losses(samples: Sequence[LossSample], figure: Figure) -> None:
    """Draw every loss along the first line, a panel a problem."""
    problems = _by_problem(samples)
    shape = -(-len(problems) // 2), min(len(problems), 2)
    panels = figure.subplots(*shape, squeeze=False).ravel()
    for axes in panels[len(problems) :]:
        axes.remove()
    for axes, (problem, own) in zip(panels, problems, strict=False):
        for (loss, value), colour in zip(LOSSES.items(), COLOURS, strict=True):
            values = np.array([value(sample) for sample in own])
            largest = np.abs(values).max() or 1.0
            thick = 1.8 if loss == "delta" else 1.1
            eps = [sample.eps for sample in own]
            axes.plot(eps, values / largest, color=colour, linewidth=thick, label=loss)
        axes.set_title(problem, fontsize=9)
    figure.supxlabel("eps", fontsize=9)
    figure.supylabel("over its largest", fontsize=9)
    handles = panels[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=len(LOSSES))
