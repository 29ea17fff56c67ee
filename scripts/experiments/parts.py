"""The parts of a problem by name: data sources, learning models, and perturbations.

Each part is a function in a table. Its keyword-only parameters are the keys of its table in a
specification; it checks them and raises `ArgumentError` with the name of the key. A part of one's
own is one more entry, which a file of `plugins` can add.

Rows and columns, points, features and edges are selected by a list of indices from 0, or by a text
of indices and ranges such as "0:5,7"; "first:end" is a range as in Python. Columns and features can
also be named. A number selects so many: the first rows or columns, or random points, features or
edges. Without a selection all are meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    boolean,
    did_you_mean,
    index_array,
    one_of,
    real_number,
    whole_number,
)
from bilad.solvers import fit

CENTRES = 3.5 * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])  # of the clouds in the plane
CLOUDS = 3
MOST_NAMES = 8  # of columns that a message lists
DIGITS = 15  # significant digits of scaled data: 0.3 cm times 10 would be 3.0000000000000004 mm


@dataclass(frozen=True)
class Sample:
    """Points, the class of each if it is known, and held-out points if there are any."""

    data: FloatArray
    classes: IntArray | None = None
    validation: Sample | None = None
    test: Sample | None = None
    features: Sequence[str] | None = None  # the names of the columns, if they have any
    index: IntArray | None = None  # the row of each point in its table

    def points(self) -> Any:
        """Return the points: an array (n, d), or a DataFrame if the columns have names."""
        if self.features is None:
            return self.data
        import pandas  # slow to import

        return pandas.DataFrame(self.data, columns=list(self.features), index=self.index)


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
        index = None if sample.index is None else sample.index[chosen]
        own = None if classes is None else classes[chosen]
        return Sample(data[chosen], own, features=sample.features, index=index)

    own, *others = (part(one) for one in np.split(order, [first, first + held]))
    seen, unseen = (one if len(one.data) else None for one in others)
    return replace(own, validation=seen, test=unseen)


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
    data, names = found.data, found.feature_names
    if components is not None:
        most = whole_number(components, "components", least=1)
        if most > min(data.shape):
            raise ArgumentError("components", most, f"at most {min(data.shape)}")
        data = _components(data.tobytes(), data.shape, most)
        names = tuple(f"component {k}" for k in range(most))
    chosen = _chosen(rows, "rows", len(data))
    features = _chosen(columns, "columns", data.shape[1], names=names)
    kept = data[np.ix_(chosen, features)]
    if real_number(scale, "scale", above=0) != 1:
        kept = _scaled(kept, scale)
    classes = None if found.labels is None else found.labels[chosen]
    return Sample(kept, classes, features=[names[k] for k in features], index=chosen)


def _scaled(data: FloatArray, scale: float) -> FloatArray:
    """Return the data times a factor, rounded to the digits that decimal numbers have."""
    with np.errstate(over="ignore"):
        scaled = data * scale
    if not np.isfinite(scaled).all():
        raise ArgumentError("scale", scale, "a factor for which all values are finite")
    texts = [f"{value:.{DIGITS}g}" for value in scaled.flat]
    return np.array(texts, dtype=np.float64).reshape(scaled.shape)


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
    return ConvexClustering(sample.points(), graph, gamma, p)


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
    target: str | int | None = None,
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


def supervised(sample: Sample, target: str | int | None = None) -> tuple[Any, Any]:
    """Return features and targets: a column, or the classes."""
    if target is not None:
        which = _chosen([target], "target", sample.data.shape[1], names=sample.features)[0]
        names = sample.features and [one for k, one in enumerate(sample.features) if k != which]
        others = replace(sample, data=np.delete(sample.data, which, axis=1), features=names)
        return others.points(), sample.data[:, which]
    if sample.classes is None:
        raise ArgumentError("kind", "data without classes", "data with a column of classes")
    return sample.points(), sample.classes


def held_out_error(model: LinearModel, X: FloatArray, y: FloatArray) -> float:
    """Return the share of false signs for targets -1 and 1, otherwise the mean squared error."""
    wanted, scores = model.read_held_out(y, len(X)), fit(model).decision_function(X)
    if set(np.unique(wanted)) <= {-1.0, 1.0}:
        return float(np.mean(np.where(scores >= 0, 1.0, -1.0) != wanted))
    return float(np.mean((scores - wanted) ** 2))


def shift(
    model: LearningModel, rng: np.random.Generator, *, points: Any = None, features: Any = None
) -> Perturbation:
    """Shift entries of the data, all by the same eps."""
    direction = np.zeros(model.data.shape)
    direction[np.ix_(*_entries(model, rng, points, features))] = 1.0
    return Perturbation.shift(direction)


def additive(
    model: LearningModel, rng: np.random.Generator, *, points: Any = None, features: Any = None
) -> Perturbation:
    """Change entries of the data, each by an eps of its own."""
    return Perturbation.additive(model.data.shape, *_entries(model, rng, points, features))


def multiplicative(
    model: LearningModel, rng: np.random.Generator, *, points: Any = None, features: Any = None
) -> Perturbation:
    """Multiply entries of the data by 1 + eps, each by an eps of its own."""
    return Perturbation.multiplicative(model.data, *_entries(model, rng, points, features))


def _entries(
    model: LearningModel, rng: np.random.Generator, points: Any, features: Any
) -> tuple[IntArray, IntArray]:
    """Return the rows and the columns of the data that are perturbed."""
    rows = _chosen(points, "points", model.n, rng)
    return rows, _chosen(features, "features", model.d, rng, model.feature_names)


def edges(
    model: LearningModel, rng: np.random.Generator, *, edges: Any = None, points: Any = None
) -> Perturbation:
    """Reduce the weights of edges of the graph, or of all edges of some points."""
    graph = getattr(model, "graph", None)
    if graph is None:
        raise ArgumentError("kind", f"'edges' for {type(model).__name__}", "a model with a graph")
    if edges is not None and points is not None:
        raise ArgumentError("edges", edges, "either edges or points")
    if points is None:
        return Perturbation.edges(graph, _chosen(edges, "edges", graph.m, rng))
    ends = _chosen(points, "points", model.n, rng)
    return Perturbation.edges(graph, np.flatnonzero(np.isin(graph.edges, ends).any(axis=1)))


def targets(model: LearningModel, rng: np.random.Generator, *, points: Any = None) -> Perturbation:
    """Change targets, each by an eps of its own."""
    return Perturbation.targets(model.n, _chosen(points, "points", model.n, rng))


def flips(model: LearningModel, rng: np.random.Generator, *, points: Any = None) -> Perturbation:
    """Flip labels -1 and 1."""
    return Perturbation.flips(_chosen(points, "points", model.n, rng))


def _chosen(
    given: Any,
    key: str,
    size: int,
    rng: np.random.Generator | None = None,
    names: Sequence[str] | None = None,
) -> IntArray:
    """Return the indices of a selection; with `rng`, a number selects so many random ones."""
    if given is None:
        return np.arange(size)
    if isinstance(given, int) and not isinstance(given, bool):
        if not 1 <= given <= size:
            raise ArgumentError(key, given, f"a number from 1 to {size}")
        return np.arange(given) if rng is None else rng.choice(size, given, replace=False)
    if isinstance(given, str):
        given = [given] if given in (names or ()) else [one.strip() for one in given.split(",")]
    if not isinstance(given, list | tuple):
        return index_array(given, key, size)
    places: list[Any] = []
    for one in given:
        places += _places(one, key, size, names) if isinstance(one, str) else [one]
    return index_array(places, key, size)


def _places(text: str, key: str, size: int, names: Sequence[str] | None) -> Sequence[int]:
    """Return the indices that a name, an index or a range "first:end" stands for."""
    named = [k for k, name in enumerate(names or ()) if name == text]
    if len(named) > 1:
        raise ArgumentError(key, f"{text!r}, the name of {len(named)} columns", "an index")
    if named:
        return named
    first, colon, end = (part.strip() for part in text.partition(":"))
    numbers = [part for part in (first, end) if part]
    if not all(map(str.isdecimal, numbers)) or not (first or colon):
        raise ArgumentError(key, repr(text), _selection(names) + did_you_mean(text, names or ()))
    if not colon:
        return [int(first)]
    ends = int(first or 0), int(end or size)
    if not ends[0] < ends[1] <= size:
        raise ArgumentError(key, repr(text), f"a range within 0:{size}")
    return range(*ends)


def _selection(names: Sequence[str] | None) -> str:
    """Return in words what selects points or columns."""
    kinds = 'indices from 0, or ranges such as "0:10"'
    if not names:
        return kinds
    more = ", .." if len(names) > MOST_NAMES else ""
    return f"{kinds}, or names of columns: {', '.join(map(repr, names[:MOST_NAMES]))}{more}"


# By name. A source without the key `kind` is a table.
SOURCES: dict[str, Source] = {"table": table, "clouds": clouds, "moons": moons}
MODELS: dict[str, Learner] = {"convex clustering": convex_clustering}
MODELS |= {one.__name__: one for one in (clusterer, ridge, logistic, svm)}
PERTURBATIONS: dict[str, Change] = {
    one.__name__: one for one in (shift, additive, multiplicative, edges, targets, flips)
}
