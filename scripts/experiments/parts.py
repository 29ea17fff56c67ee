"""The parts of a problem by name: data sources, learning models, and perturbations.

Each part is a function in a table. Its keyword-only parameters are the keys of its table in a
specification; it checks them and raises `ArgumentError` with the name of the key. A part of one's
own is one more entry, which a file of `plugins` can add. Rows and columns, points, features and
edges are given as a list of indices, as a range "first:end", or as a number: of the first rows or
columns, or of random points, features or edges.
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
    LinearModel,
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
from bilad.solvers import fit

CENTRES = 3.5 * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])  # of the clouds in the plane
CLOUDS = 3
ROUNDING = 9  # decimals of scaled data: 0.3 cm times 10 would be 3.0000000000000004 mm


@dataclass(frozen=True)
class Sample:
    """Points, the class of each if it is known, and held-out points if there are any."""

    data: FloatArray
    classes: IntArray | None = None
    validation: Sample | None = None
    test: Sample | None = None


def boolean(given: Any, argument: str) -> bool:
    """Return `given` if it is true or false, else raise `ArgumentError`."""
    if not isinstance(given, bool):
        raise ArgumentError(argument, repr(given), "true or false")
    return given


HeldOut = tuple[FloatArray, Any]  # data and targets that the model does not see
Source = Callable[..., Sample]  # source(rng, **options)
Learner = Callable[..., LearningModel]  # learner(sample, **options)
Change = Callable[..., Perturbation]  # change(model, rng, **options)


def split(
    sample: Sample,
    rng: np.random.Generator,
    *,
    training: int | None = None,
    validation: int = 0,
    standardise: bool = False,
) -> Sample:
    """Hold out points, and standardise all by the training points; keys of every source.

    Two classes become -1 and 1.
    The points are put in random order: the first `training` of them are those of the model, the
    next `validation` are held out for deviations, and the rest for the test error.
    """
    n, (data, classes) = len(sample.data), (sample.data, sample.classes)
    if classes is not None and len(np.unique(classes)) == 2:
        classes = np.where(classes == classes.max(), 1, -1)
    held = whole_number(validation, "validation", least=0)
    if training is None and held:
        raise ArgumentError("validation", held, "the number of training points too")
    first = n if training is None else whole_number(training, "training", least=1)
    if first + held > n:
        key = "validation" if first <= n else "training"
        raise ArgumentError(key, first + held, f"at most {n} points in all")
    order = np.arange(n) if training is None else rng.permutation(n)
    if boolean(standardise, "standardise"):
        from sklearn.preprocessing import StandardScaler  # slow to import

        data = StandardScaler().fit(data[order[:first]]).transform(data)

    def part(chosen: IntArray) -> Sample:
        return Sample(data[chosen], None if classes is None else classes[chosen])

    own, *others = (part(one) for one in np.split(order, [first, first + held]))
    return Sample(own.data, own.classes, *(one if len(one.data) else None for one in others))


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

    `components` are the first principal components of all rows; `scale` is a factor of all values.
    """
    found = load_dataset(source, label=label, header=header)
    data = found.data
    if components is not None:
        most = whole_number(components, "components", least=1)
        if most > min(data.shape):
            raise ArgumentError("components", most, f"at most {min(data.shape)}")
        data = _components(data.tobytes(), data.shape, most)
    chosen = _chosen(rows, "rows", len(data))
    kept = data[np.ix_(chosen, _chosen(columns, "columns", data.shape[1]))]
    if real_number(scale, "scale", above=0) != 1:
        kept = np.round(kept * scale, ROUNDING)
    return Sample(kept, None if found.labels is None else found.labels[chosen])


@cache
def _components(content: bytes, shape: tuple[int, int], count: int) -> FloatArray:
    from sklearn.decomposition import PCA  # slow to import

    data = np.frombuffer(content).reshape(shape)
    return np.asarray(PCA(count, svd_solver="full").fit_transform(data))


def clouds(rng: np.random.Generator, *, points: int, dimension: int = 2) -> Sample:
    """Draw three Gaussian clouds, 3.5 apart in the plane, or 5 apart on a line."""
    n = whole_number(points, "points", least=2)
    group = np.arange(n) % CLOUDS
    if one_of(dimension, "dimension", (1, 2)) == 1:
        return Sample(5.0 * group[:, None] + rng.normal(size=(n, 1)), group)
    return Sample(CENTRES[group] + rng.normal(size=(n, 2)), group)


def moons(rng: np.random.Generator, *, points: int, noise: float = 0.05) -> Sample:
    """Draw two half circles."""
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

    The graph joins nearest neighbours, with weights exp(-phi ||a_i - a_j||^2). Without
    `neighbours` it is complete, and `weight` is that of every edge: a number or "1/n".
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
    """Return a clusterer of scikit-learn as a black box; `queries` is its `max_queries`.

    It must be deterministic: set `random_state` in its options.
    """
    import sklearn.cluster as clusterers  # slow to import

    able = [one for one in clusterers.__all__ if hasattr(getattr(clusterers, one), "fit_predict")]
    kind = getattr(clusterers, one_of(name, "name", able))
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
    """Return ridge regression of a column `target` on the others, or else of the classes."""
    return Ridge(*supervised(sample, target), penalty, intercept=intercept)


def logistic(
    sample: Sample, *, penalty: float = 1.0, intercept: bool = False
) -> LogisticRegression:
    """Return logistic regression of two classes."""
    return LogisticRegression(*supervised(sample), penalty, intercept=intercept)


def svm(
    sample: Sample, *, penalty: float = 1.0, loss: str = "squared_hinge", intercept: bool = False
) -> SupportVectorMachine:
    """Return a support vector machine for two classes."""
    return SupportVectorMachine(*supervised(sample), penalty, loss=loss, intercept=intercept)


def supervised(sample: Sample, target: int | None = None) -> tuple[FloatArray, Any]:
    """Return features and targets: a column, or the classes."""
    if target is not None:
        which = index_array([target], "target", sample.data.shape[1])
        return np.delete(sample.data, which, axis=1), sample.data[:, which[0]]
    if sample.classes is None:
        raise ArgumentError("kind", "data without classes", "data with a column of classes")
    return sample.data, sample.classes


def held_out_error(model: LinearModel, X: FloatArray, y: FloatArray) -> float:
    """Return the share of false signs for targets -1 and 1, otherwise the mean squared error."""
    wanted, scores = model.read_held_out(y, len(X)), fit(model).decision_function(X)
    if set(np.unique(wanted)) <= {-1.0, 1.0}:
        return float(np.mean(np.where(scores >= 0, 1.0, -1.0) != wanted))
    return float(np.mean((scores - wanted) ** 2))


def shift(
    model: LearningModel, rng: np.random.Generator, *, points: Any, feature: int = 0
) -> Perturbation:
    """Shift points in one feature, all by the same eps."""
    direction = np.zeros(model.data.shape)
    which = index_array([feature], "feature", model.d)
    direction[_chosen(points, "points", model.n, rng), which] = 1.0
    return Perturbation.shift(direction)


def entries(
    model: LearningModel, rng: np.random.Generator, *, points: Any, features: Any = None
) -> Perturbation:
    """Change single entries of the data, each by an eps of its own; by default all features."""
    rows = _chosen(points, "points", model.n, rng)
    return Perturbation.additive(
        model.data.shape, rows, _chosen(features, "features", model.d, rng)
    )


def factors(
    model: LearningModel, rng: np.random.Generator, *, points: Any, features: Any = None
) -> Perturbation:
    """Multiply single entries of the data by 1 + eps; by default all features."""
    rows = _chosen(points, "points", model.n, rng)
    return Perturbation.multiplicative(
        model.data, rows, _chosen(features, "features", model.d, rng)
    )


def edges(
    model: LearningModel, rng: np.random.Generator, *, edges: Any = None, points: Any = None
) -> Perturbation:
    """Reduce the weights of these edges of the graph, or of all edges of some points."""
    graph = getattr(model, "graph", None)
    if graph is None:
        raise ArgumentError("kind", f"'edges' for {type(model).__name__}", "a model with a graph")
    if (edges is None) == (points is None):
        raise ArgumentError("edges", edges, "either edges or points")
    if points is None:
        return Perturbation.edges(graph, _chosen(edges, "edges", graph.m, rng))
    ends = _chosen(points, "points", model.n, rng)
    return Perturbation.edges(graph, np.flatnonzero(np.isin(graph.edges, ends).any(axis=1)))


def targets(model: LearningModel, rng: np.random.Generator, *, points: Any) -> Perturbation:
    """Change targets, each by an eps of its own."""
    return Perturbation.targets(model.n, _chosen(points, "points", model.n, rng))


def flips(model: LearningModel, rng: np.random.Generator, *, points: Any) -> Perturbation:
    """Flip labels -1 and 1."""
    return Perturbation.flips(_chosen(points, "points", model.n, rng))


def _chosen(given: Any, key: str, size: int, rng: np.random.Generator | None = None) -> IntArray:
    """Return indices: all for None, for a number so many random ones, or the first without rng."""
    if given is None:
        return np.arange(size)
    if isinstance(given, int) and not isinstance(given, bool):
        if not 1 <= given <= size:
            raise ArgumentError(key, given, f"a number from 1 to {size}")
        return np.arange(given) if rng is None else rng.choice(size, given, replace=False)
    if isinstance(given, str):
        first, _, end = given.partition(":")
        if not (first.strip().isdecimal() and end.strip().isdecimal()):
            raise ArgumentError(key, repr(given), 'a number, a list of indices, or "first:end"')
        if int(end) > size:
            raise ArgumentError(key, repr(given), f"an end of at most {size}")
        given = list(range(int(first), int(end)))
    return index_array(given, key, size)


# By name. A source without the key `kind` is a table.
SOURCES: dict[str, Source] = {"table": table, "clouds": clouds, "moons": moons}
MODELS: dict[str, Learner] = {"convex clustering": convex_clustering}
MODELS |= {one.__name__: one for one in (clusterer, ridge, logistic, svm)}
PERTURBATIONS: dict[str, Change] = {
    one.__name__: one for one in (shift, entries, factors, edges, targets, flips)
}
