"""Learning models and bilevel problems as data that JSON can hold.

Numbers are written such that reading them returns the same doubles; bounds of eps and norms, which
may be infinite, are written as texts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bilad.models import (
    BilevelProblem,
    ConvexClustering,
    FusionGraph,
    LearningModel,
    LogisticRegression,
    MaxDeviation,
    MinPerturbation,
    Perturbation,
    Ridge,
    SupportVectorMachine,
)
from bilad.scripts.soak.check import Instance

CLUSTERING = "clustering"
LINEAR: dict[str, tuple[type, dict[str, str]]] = {
    "ridge": (Ridge, {}),
    "logistic": (LogisticRegression, {}),
    "squared hinge": (SupportVectorMachine, {}),
    "hinge": (SupportVectorMachine, {"loss": "hinge"}),
}


def clustering_data(model: ConvexClustering) -> Instance:
    """Return convex clustering as data."""
    return {
        "kind": CLUSTERING,
        "data": model.data.tolist(),
        "edges": model.graph.edges.tolist(),
        "weights": model.graph.weights.tolist(),
        "gamma": model.gamma,
        "p": str(model.p),
    }


def model_of(given: Instance) -> Any:
    """Return the learning model of `clustering_data`, or a linear model with these arguments."""
    own = dict(given)
    kind = own.pop("kind")
    if kind == CLUSTERING:
        edges = np.array(own["edges"], dtype=int).reshape(-1, 2)
        graph = FusionGraph(len(own["data"]), edges, own["weights"])
        return ConvexClustering(own["data"], graph, own["gamma"], float(own["p"]))
    model, options = LINEAR[kind]
    return model(**own, **options)


def problem_data(model: Instance, problem: BilevelProblem) -> Instance:
    """Return a bilevel problem as data, given its model as data."""
    free = problem.perturbation
    return {
        "model": model,
        "operators": {name: T.toarray().tolist() for name, T in free.operators.items()},
        "lower": [str(bound) for bound in free.lower],
        "upper": [str(bound) for bound in free.upper],
        "sense": problem.sense,
        "radius": problem.radius,
        "target": problem.target,
        "norm": str(problem.norm_name),
        "deviation": problem.deviation.name,
    }


def problem_of(given: Instance) -> BilevelProblem:
    """Return the bilevel problem of `problem_data`."""
    model: LearningModel = model_of(given["model"])
    operators = {name: np.array(T) for name, T in given["operators"].items()}
    lower, upper = (np.array(given[name], dtype=float) for name in ("lower", "upper"))
    graph = model.graph if "weights" in operators else None  # type: ignore[attr-defined]
    shapes = {name: model.parts[name].shape for name in operators}
    free = Perturbation(operators, shapes, lower, upper, graph)
    norm = given["norm"] if given["norm"] == "count" else float(given["norm"])
    if given["sense"] == "max":
        return MaxDeviation(model, free, given["radius"], norm, given["deviation"])
    more = norm, given["deviation"], given["radius"]
    return MinPerturbation(model, free, given["target"], *more)
