"""Adversarial losses beside delta: along lines through eps = 0, what a larger loss does to it.

The paper leaves their study open (section 6.5, ii). Each is computed from the lower level's
solution, and is what it has above its value at eps = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

import numpy as np
from matplotlib.figure import Figure
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from bilad.models import BilevelProblem, deviation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.smooth_deviation import length_unit
from bilad.models.validation import FloatArray
from bilad.scripts.reproduce.bench import Bench
from bilad.scripts.reproduce.checks.small_clouds import SmallClouds
from bilad.scripts.reproduce.section import Block, Table, Text
from bilad.scripts.settings import readable_settings
from bilad.scripts.tables import grouped, mean
from bilad.solvers import Clustering
from bilad.solvers.clustering.cluster import solve_lower

KERNEL, WIDTH = "exponential", 0.1  # of the smoothed delta; in units of `length_unit`
TOLERANCE = 1e-10  # of the lower level
ROUNDING = 1e-4  # of a loss's largest value: less is no fall, and not below zero
COLOURS = ("black", "C1", "C0", "C2", "C3")


@dataclass(frozen=True)
class LossSample:
    """One eps on a line through 0."""

    problem: str
    line: int
    eps: float  # its length, negative on one side of 0
    proved: bool  # whether the labels are
    delta: float
    training_loss: float  # the lower level's optimal value, which the learner minimises
    displacement: float  # 1/2 ||X(eps) - X(0)||_F^2
    # sum of ||x_i - x_j||^2 over the pairs together at eps = 0 and of max(0, m - ||x_i - x_j||)^2
    # over the others, m the least distance of two clusters at eps = 0 (Hadsell, Chopra and LeCun,
    # 2006)
    contrastive: float
    smoothed_delta: float  # U_w(X(eps)) of the gradient methods


Value = Callable[[LossSample], float]
LOSSES: dict[str, Value] = {
    name: attrgetter(name.replace(" ", "_"))
    for name in ("delta", "training loss", "displacement", "contrastive", "smoothed delta")
}


@dataclass(frozen=True)
class LossStanding:
    """A loss on the samples of one problem."""

    problem: str
    loss: str
    # samples, halves: with proved labels; half-lines from eps = 0
    samples: int
    halves: int
    falling: int  # Half-lines on which it falls somewhere: not property (i)
    below: float  # share of the samples where it is below its value at eps = 0: not property (ii)
    # area under the ROC curve, the loss as a test of whether the partition changed. NaN if it
    # always did, or never.
    detects: float
    rank: float  # Spearman's correlation with delta; NaN if either is constant
    share: float  # delta where the loss is largest, over the largest delta; NaN if that is 0


def loss_problems(clouds: Sequence[tuple[str, int]], seed: int) -> dict[str, BilevelProblem]:
    """Return (BL1) of the settings that can be read, and of clouds with several free entries.

    Parameters
    ----------
    clouds : sequence of (str, int)
        Data as in `SmallClouds`, and how many entries are free.
    seed : int
    """
    problems: dict[str, BilevelProblem] = {
        name: setting.max_deviation() for name, setting in readable_settings().items()
    }
    for name, k in clouds:
        problems[name] = SmallClouds("", name, "entries", k, "inf", "BL1", seed=seed).problem()
    return problems


def loss_samples(
    problems: Mapping[str, BilevelProblem], lines: int, steps: int, many: int, seed: int
) -> Iterator[LossSample]:
    """Yield every sample: random lines through 0, and the only one where there is one eps.

    Parameters
    ----------
    problems : mapping of str to BilevelProblem
        With the box or one eps, so that a vector of signs is of norm one.
    lines, steps : int
        Lines of a problem with several eps, and steps on each side of 0.
    many : int
        Steps on each side where there is one eps.
    seed : int
    """
    for name, problem in problems.items():
        rng = np.random.default_rng(seed)
        k = problem.perturbation.dim
        directions = rng.choice([-1.0, 1.0], (lines, k)) if k > 1 else np.ones((1, 1))
        measured = _measured(problem)
        for line, direction in enumerate(directions):
            for eps in _both_sides(problem.radius, steps if k > 1 else many):
                yield measured(name, line, eps, eps * direction)


def _both_sides(budget: float, steps: int) -> FloatArray:
    return np.linspace(-budget, budget, 2 * steps + 1)


def _measured(
    problem: BilevelProblem,
) -> Callable[[str, int, float, FloatArray], LossSample]:
    """Return what solves at an eps and measures the solution against that at eps = 0."""
    model = clustering_of(problem)
    before = solve_lower(model, tol=TOLERANCE, refine=True)
    contrastive = contrastive_loss(before)
    smooth = problem.deviation.smoothed(before.labels, KERNEL)
    width = WIDTH * length_unit(before.X, model.data)
    at_zero = contrastive(before.X), smooth.at(before.X, width)[0]

    def measure(name: str, line: int, size: float, eps: FloatArray) -> LossSample:
        perturbed = problem.perturbation.apply(model, eps)
        found = solve_lower(perturbed, tol=TOLERANCE, refine=True)
        return LossSample(
            name,
            line,
            float(size),
            found.proved,
            delta=deviation(before.labels, found.labels),
            training_loss=found.objective - before.objective,
            displacement=0.5 * float(((found.X - before.X) ** 2).sum()),
            contrastive=contrastive(found.X) - at_zero[0],
            smoothed_delta=smooth.at(found.X, width)[0] - at_zero[1],
        )

    return measure


def contrastive_loss(before: Clustering) -> Callable[[FloatArray], float]:
    """Return the contrastive loss of a solution X (n, d) against the partition of another."""
    i, j = np.triu_indices(before.model.n, k=1)
    together = before.labels[i] == before.labels[j]
    margin = pdist(before.X)[~together].min(initial=np.inf)

    def loss(X: FloatArray) -> float:
        distances = pdist(X)
        missing = np.maximum(margin - distances[~together], 0.0)
        return float((distances[together] ** 2).sum() + (missing**2).sum())

    return loss


def loss_standings(samples: Sequence[LossSample]) -> list[LossStanding]:
    """Return how each loss does on each problem; samples without proved labels are left out."""
    proved = [sample for sample in samples if sample.proved]
    return [
        _standing(problem, loss, own)
        for problem, own in grouped(proved, lambda sample: sample.problem)
        for loss in LOSSES
    ]


def _standing(problem: str, loss: str, own: Sequence[LossSample]) -> LossStanding:
    value = LOSSES[loss]
    values, deltas = (np.array([of(s) for s in own]) for of in (value, LOSSES["delta"]))
    slack = ROUNDING * float(np.abs(values).max())
    halves = grouped([s for s in own if s.eps], lambda s: (s.line, s.eps > 0))
    changed = deltas > 0
    both = changed.any() and not changed.all()
    varies = np.ptp(values) > 0 and np.ptp(deltas) > 0
    most = float(deltas.max())
    return LossStanding(
        problem,
        loss,
        len(own),
        len(halves),
        falling=sum(_falls(side, value, slack) for _, side in halves),
        below=float((values < -slack).mean()),
        detects=float(roc_auc_score(changed, values)) if both else np.nan,
        rank=float(spearmanr(values, deltas).statistic) if varies else np.nan,
        share=float(deltas[values.argmax()]) / most if most else np.nan,
    )


def _falls(side: Sequence[LossSample], value: Value, slack: float) -> bool:
    """Whether a value falls outwards somewhere on a half-line."""
    outwards = [value(sample) for sample in sorted(side, key=lambda sample: abs(sample.eps))]
    return bool((np.diff([0.0, *outwards]) < -slack).any())


def loss_blocks(bench: Bench, samples: Sequence[LossSample]) -> list[Block]:
    """Return how losses stand beside delta, as table, picture and sentence."""
    standings = loss_standings(samples)
    unproved = sum(not sample.proved for sample in samples)
    table = Table(
        "Section 6.5 (ii): adversarial losses beside delta",
        [_cells(standing) for standing in standings],
        "Along lines through eps = 0, equally spaced: the rays of our settings, and random corners "
        "of the box on the clouds of next check 3. Each loss is what it has above its value at eps "
        "= 0. Training loss: the lower level's optimal value. Displacement: 1/2 ||X(eps) - "
        "X(0)||_F^2. Contrastive: squared distances in X(eps) of the pairs that were together, and "
        "squares of what those that were apart lack to the least distance between clusters "
        f"(Hadsell, Chopra, LeCun, 2006). Smoothed delta: {KERNEL} kernel, w = "
        f"{WIDTH:g} of the typical distance. falling: half-lines on which it "
        "falls; below: share of the samples below the value at eps = 0; detects: area under the "
        "ROC curve, as a test of whether the partition changed; rank: Spearman's correlation with "
        "delta; delta at its largest: over the largest delta of the samples. Less than "
        f"{ROUNDING:g} of its largest value is no fall. {unproved} of "
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
