"""The problems that `certify` is asked about: a named setting, or a data set with options."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bilad.models import (
    ArgumentError,
    ConvexClustering,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    load_dataset,
)
from bilad.models.validation import one_of
from bilad.scripts.experiments.parts import Sample, convex_clustering
from bilad.scripts.settings import SETTINGS

KINDS = ("shift", "additive", "multiplicative", "edges")
WEIGHTS: dict[str, dict[str, Any]] = {  # with the defaults of their options
    "knn": {"neighbours": 10, "phi": 0.5},
    "complete": {"weight": 1.0},
}
QUESTION = ("norm", "budget", "target")


@dataclass(frozen=True)
class Subject:
    """(BL1) and (BL2) for one model and perturbation, with a title and the unit of eps."""

    title: str
    unit: str
    bl1: MaxDeviation
    bl2: MinPerturbation  # ||eps|| is at most the budget of (BL1)


def subject_of(data: str, *, gamma: float | None = None, **options: Any) -> Subject:
    """Return the problems that the options of the command line describe.

    Without gamma, `data` must be a named setting, which determines the model; the kind of the
    perturbation, the perturbed points, the norm, the budget and the target can be changed.

    Raises
    ------
    ArgumentError
        If an option is invalid or would have no effect, or if gamma is missing.
    """
    if gamma is not None:
        return _of_data(data, gamma, **options)
    if data not in SETTINGS:
        names = ", ".join(SETTINGS)
        raise ArgumentError("gamma", None, f"a number, as {data!r} is not one of {names}")
    return _of_setting(data, **options)


def _of_setting(
    name: str, *, kind: str = "shift", moving: str | None = None, **question: Any
) -> Subject:
    _refuse(question, QUESTION, "a named setting; --gamma describes a data set")
    setting = SETTINGS[name]
    model, free, title = setting.model(), setting.shift(), setting.describe()
    if kind != "shift" or moving is not None:
        places = "{}:{}".format(*setting.shifted) if moving is None else moving
        free = _perturbation(kind, model, places, None)
        title = f"{title.split(', points ')[0]}; {kind} perturbation, {free.dim} parameters"
    given = {"budget": setting.budget, "target": setting.target, **question}
    return Subject(title, setting.unit, *_questions(model, free, **given))


def _of_data(
    data: str,
    gamma: float,
    *,
    rows: str | None = None,
    features: str | None = None,
    p: float = 2.0,
    weights: str = "knn",
    kind: str = "additive",
    moving: str | None = None,
    moving_features: str | None = None,
    **options: Any,
) -> Subject:
    of_graph = WEIGHTS[one_of(weights, "weights", WEIGHTS)]
    _refuse(options, (*of_graph, *QUESTION), f"--weights {weights}")
    graph = {name: options.pop(name, default) for name, default in of_graph.items()}
    table = load_dataset(data).data
    chosen = _places(rows, "rows", len(table)), _places(features, "features", table.shape[1])
    model = convex_clustering(Sample(table[np.ix_(*chosen)]), gamma=gamma, p=p, **graph)
    free = _perturbation(kind, model, moving, moving_features)
    title = (
        f"{data}, {model.n} points, {model.d} features, p = {model.p:g}, {weights} weights, "
        f"gamma = {model.gamma:g}; {kind} perturbation, {free.dim} parameters"
    )
    return Subject(title, "", *_questions(model, free, **options))


def _questions(
    model: ConvexClustering,
    free: Perturbation,
    budget: float = 1.0,
    target: float = 2.0,
    norm: float = 2.0,
) -> tuple[MaxDeviation, MinPerturbation]:
    most = MaxDeviation(model, free, budget, norm)
    return most, MinPerturbation(model, free, target, norm, limit=budget)


def _refuse(options: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Raise `ArgumentError` for an option that would have no effect."""
    for name, value in options.items():
        if name not in known:
            raise ArgumentError(name.replace("_", "-"), value, f"no such option with {where}")


def _perturbation(
    kind: str, model: ConvexClustering, points: str | None, features: str | None
) -> Perturbation:
    moving = _places(points, "moving", model.n)
    columns = _places(features, "moving-features", model.d)
    if one_of(kind, "kind", KINDS) == "edges":
        inner = np.isin(model.graph.edges, moving).all(axis=1)
        return Perturbation.edges(model.graph, np.flatnonzero(inner))
    if kind == "additive":
        return Perturbation.additive(model.data.shape, moving, columns)
    if kind == "multiplicative":
        return Perturbation.multiplicative(model.data, moving, columns)
    direction = np.zeros(model.data.shape)
    direction[np.ix_(moving, columns)] = 1.0
    return Perturbation.shift(direction)


def _places(text: str | None, name: str, count: int) -> list[int]:
    """Return the indices, from 0, of a list such as "1,4:7", counted from 1; all without one."""
    if text is None:
        return list(range(count))
    places: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition(":")
        try:
            ends = int(first), int(last or first)
        except ValueError:
            raise ArgumentError(name, text, 'a list such as "1,4:7"') from None
        if not 1 <= ends[0] <= ends[1] <= count:
            raise ArgumentError(name, text, f"numbers from 1 to {count}, in order")
        places.update(range(ends[0] - 1, ends[1]))
    return sorted(places)
