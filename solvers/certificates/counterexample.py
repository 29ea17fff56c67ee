"""Attacks as files that can be checked independently of how they were found."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from bilad.models.deviation import delta
from bilad.models.learning.clustering_problem import clustering_of, edge_operator
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.learning.fusion_graph import FusionGraph
from bilad.models.norms import NORMS
from bilad.models.perturbation import Perturbation
from bilad.models.problem import BilevelProblem
from bilad.models.validation import FloatArray, IntArray, one_of, real_array, whole_number
from bilad.solvers.clustering.cluster import solve_lower

FORMAT = "bilad counterexample 1"
LABELS = ("labels_before", "labels_after")
PACKAGES = ("bilad", "numpy", "scipy", "clarabel")


class CounterexampleError(ValueError):
    """The file is not a counterexample, or its claims are not confirmed."""


def write_counterexample(
    problem: BilevelProblem, eps: FloatArray, before: IntArray, after: IntArray, path: str | Path
) -> None:
    """Write the model, the perturbation, eps, and the labels at 0 and at eps as a JSON file.

    Every number is written so that reading it returns the same double.

    Parameters
    ----------
    problem : BilevelProblem
        Its model is a ConvexClustering.
    eps : ndarray, shape (k,)
    before, after : ndarray of int, shape (n,)
        Labels at 0 and at eps.
    path : str or Path
    """
    model = clustering_of(problem)
    content = {
        "format": FORMAT,
        "versions": {name: version(name) for name in PACKAGES},
        "data": model.data.tolist(),
        "edges": model.graph.edges.tolist(),
        "weights": model.graph.weights.tolist(),
        "gamma": model.gamma,
        "p": _exponent(model.p),
        "data_operator": _matrix(problem.operator("data")),
        "edge_operator": _matrix(edge_operator(problem)),
        "norm": _exponent(problem.norm),
        "eps": eps.tolist(),
        "size": problem.size(eps),
        "labels_before": before.tolist(),
        "labels_after": after.tolist(),
    }
    Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def check_counterexample(path: str | Path) -> float:
    """Check a counterexample: both models are solved by the conic program, and the labels proved.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    float
        ||eps||, which is recomputed.

    Raises
    ------
    CounterexampleError
        If the file is not a counterexample, if the labels or the norm are not confirmed, or if the
        partitions are equal.
    OSError
        If the file cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse)
        if content["format"] != FORMAT:
            raise CounterexampleError(f"format {content['format']!r:.80}, expected {FORMAT!r}")
        return _check(content)
    except (CounterexampleError, OSError):
        raise
    # A hostile file may be nested too deeply, exceed the memory, or have any wrong type.
    except Exception as error:
        raise CounterexampleError(f"{path} is not a counterexample: {error!r:.200}") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of the file, and refuse a key that is given twice."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise CounterexampleError("a key is given twice")
    return content


def _refuse(constant: str) -> None:
    raise CounterexampleError(f"{constant} is not a JSON number")


def _check(content: dict[str, Any]) -> float:
    graph = FusionGraph(len(content["data"]), content["edges"], content["weights"])
    model = ConvexClustering(content["data"], graph, content["gamma"], float(content["p"]))
    eps = real_array(content["eps"], "eps", (None,))
    edge_operator = _read(content["edge_operator"], (graph.m, len(eps)))
    weighs = edge_operator.nnz > 0
    perturbation = Perturbation.linear(
        model.data.shape,
        _read(content["data_operator"], (model.data.size, len(eps))),
        graph if weighs else None,
        edge_operator if weighs else None,
    )
    claimed = [_labels(content, name, model.n) for name in LABELS]
    if delta(*claimed) == 0:
        raise CounterexampleError("the partitions are equal")
    norm = one_of(float(content["norm"]), "norm", NORMS)
    size = float(np.linalg.norm(eps, ord=norm))
    if size != content["size"]:
        raise CounterexampleError(f"size {content['size']!r:.80} is claimed, but it is {size}")
    for name, labels, at in zip(LABELS, claimed, (np.zeros_like(eps), eps), strict=True):
        found = solve_lower(perturbation.apply(model, at), "clarabel", tol=1e-10, refine=True)
        if not found.proved:
            raise CounterexampleError(f"{name}: not proved, {found.partition.why}")
        if delta(found.labels, labels) != 0:
            raise CounterexampleError(f"{name}: the partition is different")
    return size


def _labels(content: dict[str, Any], name: str, n: int) -> IntArray:
    labels = np.array(
        [whole_number(label, name, least=0) for label in content[name]], dtype=np.int64
    )
    if len(labels) != n:
        raise CounterexampleError(f"{name}: {len(labels)} labels for {n} points")
    return labels


def _exponent(p: float) -> str:
    return f"{p:g}"


def _matrix(matrix: sp.csr_array) -> dict[str, Any]:
    entries = matrix.tocoo()
    rows, columns = entries.row.tolist(), entries.col.tolist()
    return {
        "shape": matrix.shape,
        "rows": rows,
        "columns": columns,
        "values": entries.data.tolist(),
    }


def _read(entries: dict[str, Any], shape: tuple[int, int]) -> sp.csr_array:
    """Return a matrix; its shape is checked before any memory of that size is used."""
    if entries["shape"] != list(shape):
        raise CounterexampleError(f"a matrix of shape {entries['shape']!r:.80}, expected {shape}")
    values = real_array(entries["values"], "values", (None,))
    places = tuple(
        np.array([whole_number(place, name, least=0) for place in entries[name]], dtype=np.int64)
        for name in ("rows", "columns")
    )
    return sp.coo_array((values, places), shape=shape).tocsr()
