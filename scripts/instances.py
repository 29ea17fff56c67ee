"""Problem instances of the comparisons, as plain values that can be stored and reproduced.

An instance names a data set, the kind of perturbation, the length and norm of eps, the question
((BL1) or (BL2)) and a seed. The budgets of the attacker are chosen such that random vertices of the
feasible set change the partition: `compare_methods --check` shows how often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, cast

import numpy as np
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.datasets import make_moons
from sklearn.decomposition import PCA

from bilad.models import (
    BilevelProblem,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    load_dataset,
)
from bilad.models.validation import FloatArray
from bilad.scripts.settings import SETTINGS
from bilad.solvers import attack

TARGET_SHARE, TARGET_CORNERS = 0.5, 20
IRIS_BUDGET = 4.0  # mm, for each entry
CENTRES = 3.5 * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])  # of the clouds in the plane
GAUSSIANS, GAUSSIAN_BUDGET = 200, 4.0
MOON_NOISE, MOON_PHI, MOON_GAMMA, MOON_BUDGET = 0.05, 20.0, 0.3, 0.5
# Small clouds. BUDGET is in standard deviations of a cloud. In the plane, GAMMA gives two or three
# large clusters and some of few points. On a line with equal weights w = 1 / n, gamma w n =
# LINE_GAMMA gives the three clouds, except for a few points.
SMALL_NEIGHBOURS, SMALL_BUDGET, GAMMA, LINE_GAMMA = 5, 3.0, 2.0, 2.4
PHI = 0.5  # weights exp(-PHI ||a_i - a_j||^2)
DIGITS_BUDGET = 40.0  # three standard deviations of the first component
COMPONENTS, DIGITS_PHI = 5, 0.002  # with 0.005, moving single points has almost no effect
# Chosen among 5, 8, 10, .., 60: the labels at eps = 0 are certified, and there are 20, 23, 27, 34
# and 18 clusters.
DIGITS_GAMMA = {100: 8.0, 300: 15.0, 600: 20.0, 1000: 30.0, 1797: 50.0}
BALL_SHARE = 0.5  # the ball of norm 2 has the radius BALL_SHARE * budget * sqrt(k)
FACTOR_BUDGETS = {"iris": 0.4, "gaussians": 1.0}  # an entry a_ij becomes a_ij (1 + eps)
EDGE_NEIGHBOURS = 5  # with 10, removing twenty random edges has almost no effect
EDGE_SHARE = 0.25  # of the k weights that may become zero if the norm is 1
CLOUDS = 3
# Clusterers of scikit-learn that are attacked as black boxes on the Gaussian clouds. They are
# deterministic; the radius of DBSCAN is chosen such that it finds the clouds.
CLUSTERERS: dict[str, Any] = {
    "k-means": KMeans(CLOUDS, n_init=1, random_state=0),
    "agglomerative": AgglomerativeClustering(CLOUDS),
    "DBSCAN": DBSCAN(0.6),
    "spectral": SpectralClustering(CLOUDS, random_state=0),
}
CONVEX = "convex clustering"
SMALL_CLOUDS = (
    f"three clouds of normally distributed points; in the plane their centres are 3.5 apart, the "
    f"weights are exp(-{PHI:g} ||a_i - a_j||^2) on the graph of {SMALL_NEIGHBOURS} nearest "
    f"neighbours and gamma = {GAMMA:g}; on a line the centres are 5 apart, the weights are 1/n on "
    f"the complete graph and gamma = {LINE_GAMMA:g}; the first feature of some points may change, "
    f"each by at most {SMALL_BUDGET:g}"
)


@dataclass(frozen=True)
class Instance:
    """One problem."""

    family: str  # the group of tables and pictures that shows it
    # a setting's name for shifts; otherwise "iris", "gaussians N", "moons N", "digits N", "plane N"
    # or "line N"; "gaussians" are 200
    data: str
    kind: str  # what is perturbed: "shift", "entries", "factors" or "edges"
    k: int  # length of eps
    norm: str  # norm of eps: "1", "2" or "inf", as text because JSON has no infinity
    # "BL1" or "BL2". The target of (BL2) is the setting's for shifts; otherwise it is a share of
    # the deviation at 20 random vertices of (BL1), and ||eps|| is at most the budget of (BL1). An
    # attack is then known to exist unless the vertices find none.
    question: str
    budget: float = 1.0  # as a multiple of the standard budget of the kind
    seed: int = 0  # determines random data and which entries or edges may change
    # "convex clustering", or a key of `CLUSTERERS` for a black box
    learner: str = CONVEX
    share: float = TARGET_SHARE  # the share that defines the target of (BL2)

    @property
    def name(self) -> str:
        """A name for tables: the group and the seed."""
        return f"{self.group}, seed {self.seed}"

    @property
    def group(self) -> str:
        """A name for all instances that differ in the seed only."""
        parts = [self.data, f"{self.kind} {self.k}", f"norm {self.norm}", self.question]
        if self.budget != 1:
            parts.insert(3, f"budget {self.budget:g}")
        if self.share != TARGET_SHARE:
            parts.append(f"target {self.share:g}")
        if self.learner != CONVEX:
            parts.insert(0, self.learner)
        return ", ".join(parts)

    def problem(self) -> BilevelProblem:
        """Build the problem; every call gives the same."""
        largest = self._largest_deviation()
        if self.question == "BL1":
            return largest
        return MinPerturbation(
            largest.model,
            largest.perturbation,
            self._target(),
            largest.norm,
            limit=largest.budget,
        )

    def _largest_deviation(self) -> MaxDeviation:
        """Return (BL1)."""
        if self.kind == "shift":
            standard = SETTINGS[self.data].max_deviation()
        else:
            rng = np.random.default_rng(self.seed)
            model, budget = draw(self.data, rng)
            standard = KINDS[self.kind](self, model, budget, rng)
        learner: Any = standard.model
        if self.learner != CONVEX:
            learner = BlackBox(standard.model.data, CLUSTERERS[self.learner])
        return MaxDeviation(
            learner, standard.perturbation, standard.budget * self.budget, standard.norm
        )

    def _target(self) -> float:
        if self.kind == "shift":
            return SETTINGS[self.data].target
        largest = replace(self, question="BL1", share=TARGET_SHARE)
        return max(self.share * corner_deviation(largest), 2.0)


def entry_instances(
    seeds: Iterable[int],
    counts: Sequence[int],
    data: Sequence[str] = ("iris", "gaussians"),
    norms: Sequence[str] = ("inf", "2"),
    questions: Sequence[str] = ("BL1",),
) -> list[Instance]:
    """Return instances in which so many entries of a data set may change."""
    return [
        Instance("entries", name, "entries", k, norm, question, seed=seed)
        for name in data
        for k in counts
        for norm in norms
        for question in questions
        for seed in seeds
    ]


@lru_cache(maxsize=8)
def corner_deviation(instance: Instance) -> float:
    """Return the largest deviation at 20 random vertices of the feasible set of (BL1)."""
    return attack(
        instance.problem(), "random", bound="none", closing="none", corners=TARGET_CORNERS
    ).deviation


def _entries(
    own: Instance, model: ConvexClustering, budget: float, rng: np.random.Generator
) -> MaxDeviation:
    """Perturb the first feature of k random points."""
    points = rng.choice(model.n, own.k, replace=False)
    norm = float(own.norm)
    if norm == 2:
        budget *= BALL_SHARE * own.k**0.5
    return MaxDeviation(model, Perturbation.additive(model.data.shape, points, [0]), budget, norm)


def _factors(
    own: Instance, model: ConvexClustering, budget: float, rng: np.random.Generator
) -> MaxDeviation:
    """Multiply the first feature of each of k random points by a factor."""
    points = rng.choice(model.n, own.k, replace=False)
    free = Perturbation.multiplicative(model.data, points, [0])
    return MaxDeviation(model, free, FACTOR_BUDGETS[own.data], float(own.norm))


def _edges(
    own: Instance, model: ConvexClustering, budget: float, rng: np.random.Generator
) -> MaxDeviation:
    """Reduce the weights of k random edges of the graph of 5 nearest neighbours."""
    graph, norm = FusionGraph.knn(model.data, EDGE_NEIGHBOURS, 0.5), float(own.norm)
    free = Perturbation.edges(graph, rng.choice(graph.m, own.k, replace=False))
    limit = EDGE_SHARE * own.k if norm == 1 else 1.0
    return MaxDeviation(
        ConvexClustering(model.data, graph, model.gamma, model.p), free, limit, norm
    )


KINDS = {"entries": _entries, "factors": _factors, "edges": _edges}
Drawn = tuple[ConvexClustering, float]


def draw(data: str, rng: np.random.Generator) -> Drawn:
    """Return the model of a data set, and the standard budget of an entry.

    Parameters
    ----------
    data : str
        "iris", "gaussians N", "moons N", "digits N", "plane N" or "line N" with N points;
        "gaussians" are 200.
    rng : Generator
        Draws the points.
    """
    name, _, number = data.partition(" ")
    return DATA[name](int(number or 0), rng)


def _iris(n: int, rng: np.random.Generator) -> Drawn:
    return SETTINGS["iris"].model(), IRIS_BUDGET


def _gaussians(n: int, rng: np.random.Generator) -> Drawn:
    data = _clouds(n or GAUSSIANS, rng)
    return ConvexClustering(data, FusionGraph.knn(data, 10, PHI), GAMMA, 2), GAUSSIAN_BUDGET


def _clouds(n: int, rng: np.random.Generator) -> FloatArray:
    """Draw three Gaussian clouds in the plane."""
    return CENTRES[np.arange(n) % CLOUDS] + rng.normal(size=(n, 2))


def _moons(n: int, rng: np.random.Generator) -> Drawn:
    seed = cast(np.random.SeedSequence, rng.bit_generator.seed_seq).entropy
    data, _ = make_moons(n, noise=MOON_NOISE, random_state=seed)
    return ConvexClustering(data, FusionGraph.knn(data, 10, MOON_PHI), MOON_GAMMA, 2), MOON_BUDGET


def _plane(n: int, rng: np.random.Generator) -> Drawn:
    data = _clouds(n, rng)
    graph = FusionGraph.knn(data, SMALL_NEIGHBOURS, PHI)
    return ConvexClustering(data, graph, GAMMA, 2), SMALL_BUDGET


def _line(n: int, rng: np.random.Generator) -> Drawn:
    data = 5.0 * (np.arange(n) % CLOUDS)[:, None] + rng.normal(size=(n, 1))
    return ConvexClustering(data, FusionGraph.complete(n, 1 / n), LINE_GAMMA, 2), SMALL_BUDGET


def _digits(n: int, rng: np.random.Generator) -> Drawn:
    data = _components()[:n]
    graph = FusionGraph.knn(data, 10, DIGITS_PHI)
    return ConvexClustering(data, graph, DIGITS_GAMMA[n], 2), DIGITS_BUDGET


@cache
def _components() -> FloatArray:
    """Return the first principal components of all digits: shape (1797, 5)."""
    pixels = load_dataset("digits").data
    return np.asarray(PCA(COMPONENTS, svd_solver="full").fit_transform(pixels))


DATA: dict[str, Callable[[int, np.random.Generator], Drawn]] = {
    "iris": _iris,
    "gaussians": _gaussians,
    "moons": _moons,
    "digits": _digits,
    "plane": _plane,
    "line": _line,
}
