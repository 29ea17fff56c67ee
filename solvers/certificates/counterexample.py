"""An attack as a file that anyone can check, however it was found."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from bilad.models.bilevel import BilevelProblem
from bilad.models.convex_clustering import ConvexClustering
from bilad.models.deviation import delta
from bilad.models.fusion_graph import FusionGraph
from bilad.models.perturbation import Perturbation
from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.lower.cluster import solve_lower

FORMAT = "bilad counterexample 1"
PACKAGES = ("bilad", "numpy", "scipy", "clarabel")


class CounterexampleError(ValueError):
    """A file that is no counterexample, or whose claims are not confirmed."""


def write_counterexample(
    problem: BilevelProblem, eps: FloatArray, before: IntArray, after: IntArray, path: str | Path
) -> None:
    """Write a model, a perturbation and an eps, with the labels at 0 and at eps, as JSON.

    Numbers are written so that they are read back exactly.

    Parameters
    ----------
    problem : BilevelProblem
        Of a model that is no black box.
    eps : ndarray, shape (k,)
    before, after : ndarray of int, shape (n,)
        Labels at 0 and at eps.
    path : str or Path
    """
    model = problem.white_box
    content = {
        "format": FORMAT,
        "versions": {name: version(name) for name in PACKAGES},
        "data": model.data.tolist(),
        "edges": model.graph.edges.tolist(),
        "weights": model.graph.weights.tolist(),
        "gamma": model.gamma,
        "p": _exponent(model.p),
        "data_operator": _matrix(problem.data_operator),
        "edge_operator": _matrix(problem.edge_operator),
        "norm": _exponent(problem.norm),
        "eps": eps.tolist(),
        "size": problem.size(eps),
        "labels_before": before.tolist(),
        "labels_after": after.tolist(),
    }
    Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def check_counterexample(path: str | Path) -> float:
    """Check a counterexample: solve both models again, by the conic program, and prove the labels.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    float
        ||eps||, recomputed.

    Raises
    ------
    CounterexampleError
        If the file is none, a label or the size is not confirmed, or the partitions are the same.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise CounterexampleError(f"format {content['format']!r}, expected {FORMAT!r}")
        return _check(content)
    except CounterexampleError:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CounterexampleError(f"no counterexample: {error!r}") from error


def _check(content: dict[str, Any]) -> float:
    graph = FusionGraph(len(content["data"]), content["edges"], content["weights"])
    model = ConvexClustering(content["data"], graph, content["gamma"], float(content["p"]))
    edge_operator = _read(content["edge_operator"])
    weighs = edge_operator.nnz > 0
    perturbation = Perturbation(
        model.data.shape,
        _read(content["data_operator"]),
        graph if weighs else None,
        edge_operator if weighs else None,
    )
    eps = np.array(content["eps"], dtype=float)
    for name, at in (("labels_before", np.zeros_like(eps)), ("labels_after", eps)):
        found = solve_lower(perturbation.apply(model, at), "clarabel", tol=1e-10, refine=True)
        if not found.proved:
            raise CounterexampleError(f"{name}: not proved, {found.partition.why}")
        if delta(found.labels, np.array(content[name])) != 0:
            raise CounterexampleError(f"{name}: another partition")
    if delta(np.array(content["labels_before"]), np.array(content["labels_after"])) == 0:
        raise CounterexampleError("the partitions are the same")
    size = float(np.linalg.norm(eps, ord=float(content["norm"])))
    if size != content["size"]:
        raise CounterexampleError(f"size {content['size']}, is {size}")
    return size


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


def _read(entries: dict[str, Any]) -> sp.csr_array:
    places = (entries["rows"], entries["columns"])
    shape = (int(entries["shape"][0]), int(entries["shape"][1]))
    return sp.coo_array((np.array(entries["values"], dtype=float), places), shape=shape).tocsr()
