"""Open question: adversarial losses, compared with delta along lines through eps = 0.

The paper leaves their study open (section 6.5, ii). Each loss is computed from the lower-level
solution, minus its value at eps = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from bilad.models import BilevelProblem, deviation
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.smooth_deviation import length_unit
from bilad.models.validation import FloatArray
from bilad.scripts.display import grouped, mean
from bilad.scripts.instances import entry_problem
from bilad.scripts.reproduce.part import Block, Table, Text
from bilad.scripts.settings import readable_settings
from bilad.solvers import Clustering
from bilad.solvers.clustering.cluster import solve_lower

KERNEL, WIDTH = "exponential", 0.1  # of the smoothed delta, in units of `length_unit`
TOLERANCE = 1e-10  # of the lower-level solver
ROUNDING = 1e-4  # differences below this share of the largest value of a loss are not counted


@dataclass(frozen=True)
class LossSample:
    """One eps on a line through 0."""

    problem: str
    line: int
    eps: float  # the signed length of eps
    proved: bool  # whether the labels are certified
    delta: float
    training_loss: float  # the optimal value of the lower level
    displacement: float  # 1/2 ||X(eps) - X(0)||_F^2
    # The sum of ||x_i - x_j||^2 over the pairs in one cluster at eps = 0, and of
    # max(0, m - ||x_i - x_j||)^2 over the other pairs, m the least distance of two clusters at
    # eps = 0 (Hadsell, Chopra and LeCun, 2006).
    contrastive: float
    smoothed_delta: float  # the smoothed deviation U_w(X(eps)) of the gradient methods


Value = Callable[[LossSample], float]
LOSSES: dict[str, Value] = {
    name: attrgetter(name.replace(" ", "_"))
    for name in ("delta", "training loss", "displacement", "contrastive", "smoothed delta")
}


@dataclass(frozen=True)
class LossStanding:
    """The properties of a loss on the samples of one problem."""

    problem: str
    loss: str
    samples: int  # samples with certified labels
    halves: int  # half-lines from eps = 0
    falling: int  # half-lines on which the loss decreases somewhere, which contradicts (i)
    below: float  # share of the samples with a loss below that at eps = 0, which contradicts (ii)
    # area under the ROC curve of the loss as a test of whether the partition changed; NaN if it
    # always or never changed
    detects: float
    rank: float  # Spearman's correlation with delta; NaN if one of them is constant
    share: float  # delta at the maximum of the loss over the largest delta; NaN if that is 0


def loss_problems(small_clouds: Sequence[tuple[str, int]], seed: int) -> dict[str, BilevelProblem]:
    """Return (BL1) of the settings whose data can be read, and of small clouds (data, k)."""
    problems: dict[str, BilevelProblem] = {
        name: setting.max_deviation() for name, setting in readable_settings().items()
    }
    for name, k in small_clouds:
        problems[name] = entry_problem(name, k, seed=seed)
    return problems


def loss_samples(
    problems: Mapping[str, BilevelProblem], lines: int, steps: int, many: int, seed: int
) -> Iterator[LossSample]:
    """Yield samples on random lines through 0, or on the ray if there is one parameter.

    Parameters
    ----------
    problems : mapping of str to BilevelProblem
        With one parameter or the maximum norm, so that a vector of signs has norm 1.
    lines, steps : int
        Number of lines of a problem with several parameters, and of steps on each side of 0.
    many : int
        Number of steps on each side of 0 if there is one parameter.
    seed : int
    """
    for name, problem in problems.items():
        rng = np.random.default_rng(seed)
        k = problem.perturbation.dim
        directions = rng.choice([-1.0, 1.0], (lines, k)) if k > 1 else np.ones((1, 1))
        measured = _measured(problem)
        for line, direction in enumerate(directions):
            number = 2 * (steps if k > 1 else many) + 1
            for eps in np.linspace(-problem.radius, problem.radius, number):
                yield measured(name, line, eps, eps * direction)


def _measured(
    problem: BilevelProblem,
) -> Callable[[str, int, float, FloatArray], LossSample]:
    """Return a function that solves the lower level at an eps and evaluates all losses."""
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
    """Return the contrastive loss as a function of X, of shape (n, d), for a given clustering."""
    i, j = np.triu_indices(before.model.n, k=1)
    together = before.labels[i] == before.labels[j]
    margin = pdist(before.X)[~together].min(initial=np.inf)

    def loss(X: FloatArray) -> float:
        distances = pdist(X)
        missing = np.maximum(margin - distances[~together], 0.0)
        return float((distances[together] ** 2).sum() + (missing**2).sum())

    return loss


def loss_standings(samples: Sequence[LossSample]) -> list[LossStanding]:
    """Return the properties of each loss on each problem, from samples with certified labels."""
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
    """Return whether a value decreases somewhere on a half-line as |eps| increases."""
    outwards = [value(sample) for sample in sorted(side, key=lambda sample: abs(sample.eps))]
    return bool((np.diff([0.0, *outwards]) < -slack).any())


def loss_blocks(samples: Sequence[LossSample]) -> list[Block]:
    """Return the table and the summary of the losses."""
    standings = loss_standings(samples)
    unproved = sum(not sample.proved for sample in samples)
    table = Table(
        "Section 6.5 (ii): adversarial losses compared with delta",
        [_cells(standing) for standing in standings],
        "Samples along lines through eps = 0: the rays of our settings, and lines through random "
        "vertices of the box for the clouds of next check 3. Each loss is its value minus that at "
        "eps = 0. Training loss: the optimal value of the lower level. Displacement: 1/2 ||X(eps) "
        "- X(0)||_F^2. Contrastive: squared distances in X(eps) of pairs that were in one cluster, "
        "and squares of the amounts by which the distances of other pairs fall below the least "
        "distance of two clusters at eps = 0 (Hadsell, Chopra, LeCun, 2006). Smoothed delta: "
        f"{KERNEL} kernel, w = {WIDTH:g} of the typical distance. falling: half-lines on which the "
        "loss decreases somewhere; below: share of the samples with a loss below that at eps = 0; "
        "detects: area under the ROC curve as a test of whether the partition changed; rank: "
        "Spearman's correlation with delta; delta at its largest: delta at the maximum of the loss "
        "over the largest delta. Differences below "
        f"{ROUNDING:g} of the largest loss are not counted. {unproved} of {len(samples)} samples "
        "have labels that are not certified, and are omitted.",
    )
    return [table, Text(answer(standings))]


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
    """Describe the monotonicity of each loss, and the delta at its maximum."""
    said = []
    for loss, own in grouped(standings, lambda standing: standing.loss):
        shares = [standing.share for standing in own if not np.isnan(standing.share)]
        detects = [standing.detects for standing in own if not np.isnan(standing.detects)]
        falling, halves = (sum(getattr(s, key) for s in own) for key in ("falling", "halves"))
        text = f"{loss} decreases somewhere on {falling} of {halves} half-lines"
        if loss != "delta" and shares and detects:
            text += (
                f", delta at its maximum is {mean(shares):.0%} of the largest delta on average "
                f"({min(shares):.0%} at worst), and as a test of a changed partition it has a mean "
                f"area under the ROC curve of {mean(detects):.2f}"
            )
        said.append(text)
    return f"{'; '.join(said)}."
