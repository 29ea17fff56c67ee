"""The problems that `certify` is asked about: a named setting, or a data set with options."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bilad.models import (
    ArgumentError,
    ConvexClustering,
    FusionGraph,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    load_dataset,
)
from bilad.models.learning.clustering_problem import clustering_of
from bilad.models.validation import FloatArray, one_of
from bilad.scripts.settings import SETTINGS

KINDS = ("shift", "additive", "multiplicative", "edges")
WEIGHTS = ("knn", "complete")
# Options that describe a table, and that a named setting determines.
OF_TABLES = ("rows", "features", "p", "weights", "neighbours", "phi", "weight", "moving_features")


@dataclass(frozen=True)
class Options:
    """The options of the command line; sets of points are such as "1,4:7", counted from 1.

    Without gamma, `data` must be a named setting, which determines the model and the perturbation;
    the kind, the perturbed points, the norm, the budget and the target can be changed.
    """

    data: str
    gamma: float | None = None
    rows: str | None = None
    features: str | None = None
    p: float = 2.0
    weights: str = "knn"
    neighbours: int = 10
    phi: float = 0.5
    weight: float = 1.0
    kind: str | None = None
    moving: str | None = None
    moving_features: str | None = None
    norm: float = 2.0
    budget: float | None = None
    target: float | None = None


@dataclass(frozen=True)
class Subject:
    """(BL1) and (BL2) for one model and perturbation, with a title and the unit of eps."""

    title: str
    unit: str
    bl1: MaxDeviation
    bl2: MinPerturbation  # ||eps|| is at most the budget of (BL1)

    @property
    def model(self) -> ConvexClustering:
        """The unperturbed model."""
        return clustering_of(self.bl1)

    @property
    def perturbation(self) -> Perturbation:
        """The perturbation."""
        return self.bl1.perturbation


def subject_of(options: Options) -> Subject:
    """Return the problems that the options describe.

    Raises
    ------
    ArgumentError
        If an option is invalid, or gamma is missing.
    """
    if options.gamma is None:
        return _setting(options)
    model = _model(options)
    kind = options.kind or "additive"
    moving = _places(options.moving, "moving", model.n)
    perturbation = _perturbation(kind, model, moving, options.moving_features)
    title = (
        f"{options.data}, {model.n} points, {model.d} features, p = {model.p:g}, {options.weights} "
        f"weights, gamma = {model.gamma:g}; {_moves(kind, perturbation)}"
    )
    budget = 1.0 if options.budget is None else options.budget
    return _subject(title, "", model, perturbation, options, budget, 2.0)


def _setting(options: Options) -> Subject:
    if options.data not in SETTINGS:
        names = ", ".join(SETTINGS)
        raise ArgumentError("gamma", None, f"a number, as {options.data!r} is not one of {names}")
    _refuse(options, OF_TABLES, "no such option with a named setting; --gamma describes a data set")
    setting = SETTINGS[options.data]
    model, perturbation, title = setting.model(), setting.shift(), setting.describe()
    if (options.kind or "shift") != "shift" or options.moving is not None:
        first, last = setting.shifted
        moving = _places(options.moving or f"{first}:{last}", "moving", model.n)
        kind = options.kind or "shift"
        perturbation = _perturbation(kind, model, moving, None)
        title = f"{title.split(', points ')[0]}; {_moves(kind, perturbation)}"
    budget = setting.budget if options.budget is None else options.budget
    return _subject(title, setting.unit, model, perturbation, options, budget, setting.target)


def _refuse(options: Options, names: tuple[str, ...], expected: str) -> None:
    """Raise `ArgumentError` for the first of these options that is not at its default."""
    defaults = Options(options.data)
    for name in names:
        if getattr(options, name) != getattr(defaults, name):
            raise ArgumentError(name.replace("_", "-"), getattr(options, name), expected)


def _subject(
    title: str,
    unit: str,
    model: ConvexClustering,
    perturbation: Perturbation,
    options: Options,
    budget: float,
    target: float,
) -> Subject:
    target = target if options.target is None else options.target
    bl1 = MaxDeviation(model, perturbation, budget, options.norm)
    return Subject(
        title, unit, bl1, MinPerturbation(model, perturbation, target, options.norm, limit=budget)
    )


def _model(options: Options) -> ConvexClustering:
    table = load_dataset(options.data).data
    rows = _places(options.rows, "rows", len(table))
    columns = _places(options.features, "features", table.shape[1])
    data = table[np.ix_(rows, columns)]
    if one_of(options.weights, "weights", WEIGHTS) == "knn":
        _refuse(options, ("weight",), "no such option with --weights knn")
        graph = FusionGraph.knn(data, options.neighbours, options.phi)
    else:
        _refuse(options, ("neighbours", "phi"), "no such option with --weights complete")
        graph = FusionGraph.complete(len(data), options.weight)
    return ConvexClustering(data, graph, options.gamma or 0.0, options.p)


def _perturbation(
    kind: str, model: ConvexClustering, moving: list[int], features: str | None
) -> Perturbation:
    columns = _places(features, "moving-features", model.d)
    if one_of(kind, "kind", KINDS) == "edges":
        inner = np.isin(model.graph.edges, moving).all(axis=1)
        return Perturbation.edges(model.graph, np.flatnonzero(inner))
    if kind == "additive":
        return Perturbation.additive(model.data.shape, moving, columns)
    if kind == "multiplicative":
        return Perturbation.multiplicative(model.data, moving, columns)
    direction: FloatArray = np.zeros(model.data.shape)
    direction[np.ix_(moving, columns)] = 1.0
    return Perturbation.shift(direction)


def _moves(kind: str, perturbation: Perturbation) -> str:
    return f"{kind} perturbation, {perturbation.dim} parameters"


def _places(text: str | None, name: str, count: int) -> list[int]:
    """Return the indices, from 0, of a list such as "1,4:7" (counted from 1, ends included)."""
    if text is None:
        return list(range(count))
    places: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        try:
            ends = int(first), int(last or first)
        except ValueError:
            raise ArgumentError(name, text, 'a list such as "1,4:7"') from None
        if not 1 <= ends[0] <= ends[1] <= count:
            raise ArgumentError(name, text, f"numbers from 1 to {count}, in order")
        places.extend(range(ends[0] - 1, ends[1]))
    return sorted(set(places))
