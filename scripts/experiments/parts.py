"""The parts of a problem by name: data sources, learning models, and perturbations.

Each part is a function in a table. Its keyword-only parameters are the keys of its table in a
specification; it checks them and raises `ArgumentError` with the name of the key. A part of one's
own is one more entry, which a file of `plugins` can add.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np

from bilad.models import (
    ArgumentError,
    BlackBox,
    ConvexClustering,
    FusionGraph,
    LearningModel,
    LogisticRegression,
    Perturbation,
    Ridge,
    SupportVectorMachine,
    load_dataset,
)
from bilad.models.validation import (
    FloatArray,
    IntArray,
    index_array,
    one_of,
    real_number,
    whole_number,
)

CENTRES = 3.5 * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])  # of the clouds in the plane
CLOUDS = 3
ROUNDING = 9  # decimals of scaled data: 0.3 cm times 10 would be 3.0000000000000004 mm


@dataclass(frozen=True)
class Sample:
    """Points, and the class of each if it is known."""

    data: FloatArray
    classes: IntArray | None = None


Source = Callable[..., Sample]  # source(rng, **options)
Learner = Callable[..., LearningModel]  # learner(sample, **options)
Change = Callable[..., Perturbation]  # change(model, rng, **options)


def table(
    rng: np.random.Generator,
    *,
    source: str,
    rows: Any = None,
    columns: Any = None,
    scale: float = 1.0,
    components: int | None = None,
    label: str | int | None = None,
    header: bool | None = None,
) -> Sample:
    """Read a data set that `load_dataset` accepts.

    Parameters
    ----------
    rng : Generator
        Not used.
    source : str
        "iris", "wine", "digits", "seeds" or the path of a file.
    rows, columns : int, list of int or "first:end", optional
        Those that are kept: the first ones, those with these indices, or a range.
    scale : float, default 1
        A factor of all values.
    components : int, optional
        The data are the first principal components of all rows.
    label, header
        As in `load_dataset`.
    """
    found = load_dataset(source, label=label, header=header)
    data = found.data
    if components is not None:
        most = whole_number(components, "components", least=1)
        if most > min(data.shape):
            raise ArgumentError("components", most, f"at most {min(data.shape)}")
        data = _components(data.tobytes(), data.shape, most)
    chosen = _leading(rows, "rows", len(data))
    kept = data[np.ix_(chosen, _leading(columns, "columns", data.shape[1]))]
    if real_number(scale, "scale", above=0) != 1:
        kept = np.round(kept * scale, ROUNDING)
    return Sample(kept, None if found.labels is None else found.labels[chosen])


@cache
def _components(content: bytes, shape: tuple[int, int], count: int) -> FloatArray:
    from sklearn.decomposition import PCA  # slow to import

    data = np.frombuffer(content).reshape(shape)
    return np.asarray(PCA(count, svd_solver="full").fit_transform(data))


def clouds(rng: np.random.Generator, *, points: int, dimension: int = 2) -> Sample:
    """Draw three Gaussian clouds, 3.5 apart in the plane, or 5 apart on a line.

    Parameters
    ----------
    rng : Generator
    points : int
    dimension : {1, 2}, default 2
    """
    n = whole_number(points, "points", least=2)
    group = np.arange(n) % CLOUDS
    if one_of(dimension, "dimension", (1, 2)) == 1:
        return Sample(5.0 * group[:, None] + rng.normal(size=(n, 1)), group)
    return Sample(CENTRES[group] + rng.normal(size=(n, 2)), group)


def moons(rng: np.random.Generator, *, points: int, noise: float = 0.05) -> Sample:
    """Draw two half circles.

    Parameters
    ----------
    rng : Generator
    points : int
    noise : float, default 0.05
    """
    from sklearn.datasets import make_moons  # slow to import

    n, spread = whole_number(points, "points", least=2), real_number(noise, "noise", least=0)
    seed = cast(np.random.SeedSequence, rng.bit_generator.seed_seq).entropy
    return Sample(*make_moons(n, noise=spread, random_state=seed))


def convex_clustering(
    sample: Sample,
    *,
    gamma: float,
    p: float = 2,
    neighbours: int | None = None,
    phi: float = 0.5,
    weight: float | str = 1.0,
) -> ConvexClustering:
    """Return convex clustering.

    Parameters
    ----------
    sample : Sample
    gamma : float
    p : {1, 2, inf}, default 2
    neighbours : int, optional
        The graph joins so many nearest neighbours, with weights exp(-phi ||a_i - a_j||^2). Without
        it, the graph is complete, and has equal weights.
    phi : float, default 0.5
    weight : float or "1/n", default 1
        The weight of every edge of the complete graph.
    """
    data, decay = sample.data, real_number(phi, "phi", least=0)
    equal = 1 / len(data) if weight == "1/n" else real_number(weight, "weight", above=0)
    if neighbours is not None:
        graph = FusionGraph.knn(data, whole_number(neighbours, "neighbours", least=1), decay)
    else:
        graph = FusionGraph.complete(len(data), equal)
    return ConvexClustering(data, graph, gamma, p)


def clusterer(
    sample: Sample, *, name: str, options: Mapping[str, Any] | None = None, queries: Any = None
) -> BlackBox:
    """Return a clusterer of scikit-learn as a black box.

    Parameters
    ----------
    sample : Sample
    name : str
        Its class, such as "KMeans".
    options : mapping, optional
        Its parameters. It must be deterministic: set `random_state`.
    queries : int, optional
        As `max_queries` of `BlackBox`.
    """
    import sklearn.cluster  # slow to import

    able = [one for one in sklearn.cluster.__all__ if hasattr(_class(one), "fit_predict")]
    kind = _class(one_of(name, "name", able))
    try:
        made = kind(**options or {})
    except TypeError as error:
        raise ArgumentError("options", str(error), f"parameters of {name}") from None
    return BlackBox(sample.data, made, queries)


def ridge(
    sample: Sample,
    *,
    penalty: float = 1.0,
    intercept: bool = False,
    target: int | None = None,
) -> Ridge:
    """Return ridge regression.

    Parameters
    ----------
    sample : Sample
    penalty, intercept
        As in `Ridge`.
    target : int, optional
        The column that is predicted from the others; by default the classes are.
    """
    if target is None:
        return Ridge(sample.data, _classes(sample), penalty, intercept=intercept)
    which = index_array([target], "target", sample.data.shape[1])
    others = np.delete(sample.data, which, axis=1)
    return Ridge(others, sample.data[:, which[0]], penalty, intercept=intercept)


def logistic(
    sample: Sample, *, penalty: float = 1.0, intercept: bool = False
) -> LogisticRegression:
    """Return logistic regression of two classes; the parameters are those of the class."""
    return LogisticRegression(sample.data, _classes(sample), penalty, intercept=intercept)


def svm(
    sample: Sample, *, penalty: float = 1.0, loss: str = "squared_hinge", intercept: bool = False
) -> SupportVectorMachine:
    """Return a support vector machine for two classes; the parameters are those of the class."""
    classes = _classes(sample)
    return SupportVectorMachine(sample.data, classes, penalty, loss=loss, intercept=intercept)


def _classes(sample: Sample) -> IntArray:
    if sample.classes is None:
        raise ArgumentError("kind", "data without classes", "data with a column of classes")
    return sample.classes


def _class(name: str) -> Any:
    import sklearn.cluster

    return getattr(sklearn.cluster, name)


def shift(
    model: LearningModel,
    rng: np.random.Generator,
    *,
    points: Any,
    feature: int = 0,
) -> Perturbation:
    """Shift points in one feature, all by the same eps.

    Parameters
    ----------
    model : LearningModel
    rng : Generator
    points : int, list of int or "first:end"
        So many random points, those with these indices, or a range.
    feature : int, default 0
    """
    direction = np.zeros(model.data.shape)
    which = index_array([feature], "feature", model.d)
    direction[_drawn(points, "points", model.n, rng), which] = 1.0
    return Perturbation.shift(direction)


def entries(
    model: LearningModel, rng: np.random.Generator, *, points: Any, features: Any = None
) -> Perturbation:
    """Change single entries of the data, each by an eps of its own.

    Parameters
    ----------
    model : LearningModel
    rng : Generator
    points, features : int, list of int or "first:end"
        As `points` of `shift`; all features by default.
    """
    rows = _drawn(points, "points", model.n, rng)
    return Perturbation.additive(model.data.shape, rows, _columns(features, model, rng))


def factors(
    model: LearningModel, rng: np.random.Generator, *, points: Any, features: Any = None
) -> Perturbation:
    """Multiply single entries of the data by 1 + eps; the parameters are those of `entries`."""
    rows = _drawn(points, "points", model.n, rng)
    return Perturbation.multiplicative(model.data, rows, _columns(features, model, rng))


def edges(
    model: LearningModel, rng: np.random.Generator, *, edges: Any = None, points: Any = None
) -> Perturbation:
    """Reduce the weights of edges of the graph.

    Parameters
    ----------
    model : LearningModel
    rng : Generator
    edges : int, list of int or "first:end", optional
        As `points` of `shift`.
    points : int, list of int or "first:end", optional
        In place of `edges`: all edges of these points.
    """
    graph = getattr(model, "graph", None)
    if graph is None:
        raise ArgumentError("kind", f"'edges' for {type(model).__name__}", "a model with a graph")
    if (edges is None) == (points is None):
        raise ArgumentError("edges", edges, "either edges or points")
    if points is None:
        return Perturbation.edges(graph, _drawn(edges, "edges", graph.m, rng))
    ends = _drawn(points, "points", model.n, rng)
    return Perturbation.edges(graph, np.flatnonzero(np.isin(graph.edges, ends).any(axis=1)))


def targets(model: LearningModel, rng: np.random.Generator, *, points: Any) -> Perturbation:
    """Change targets, each by an eps of its own; `points` is that of `shift`."""
    return Perturbation.targets(model.n, _drawn(points, "points", model.n, rng))


def flips(model: LearningModel, rng: np.random.Generator, *, points: Any) -> Perturbation:
    """Flip labels -1 and 1; `points` is that of `shift`."""
    return Perturbation.flips(_drawn(points, "points", model.n, rng))


def _columns(given: Any, model: LearningModel, rng: np.random.Generator) -> IntArray | None:
    return None if given is None else _drawn(given, "features", model.d, rng)


def _drawn(given: Any, key: str, size: int, rng: np.random.Generator) -> IntArray:
    """Return random indices for a number; otherwise those that are given."""
    if isinstance(given, int) and not isinstance(given, bool):
        if not 1 <= given <= size:
            raise ArgumentError(key, given, f"a number from 1 to {size}")
        return rng.choice(size, given, replace=False)
    return _indices(given, key, size)


def _leading(given: Any, key: str, size: int) -> IntArray:
    """Return the first indices for a number, all for None; otherwise those that are given."""
    if given is None:
        return np.arange(size)
    if isinstance(given, int) and not isinstance(given, bool):
        return _indices(f"0:{given}", key, size)
    return _indices(given, key, size)


def _indices(given: Any, key: str, size: int) -> IntArray:
    if isinstance(given, str):
        first, _, end = given.partition(":")
        if not (first.strip().isdigit() and end.strip().isdigit()):
            raise ArgumentError(key, repr(given), 'a number, a list of indices, or "first:end"')
        given = list(range(int(first), int(end)))
    return index_array(given, key, size)


# By name. A source without the key `kind` is a table.
SOURCES: dict[str, Source] = {"table": table, "clouds": clouds, "moons": moons}
MODELS: dict[str, Learner] = {
    "convex clustering": convex_clustering,
    "clusterer": clusterer,
    "ridge": ridge,
    "logistic": logistic,
    "svm": svm,
}
PERTURBATIONS: dict[str, Change] = {
    "shift": shift,
    "entries": entries,
    "factors": factors,
    "edges": edges,
    "targets": targets,
    "flips": flips,
}
