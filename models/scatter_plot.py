"""Points in the plane of two features, coloured by their labels; Matplotlib is imported when used.

With a single feature, the second axis is the number of the point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bilad.models.frame import feature_titles
from bilad.models.learning.learning_model import LearningModel
from bilad.models.validation import ArgumentError, FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEGEND = 10  # the largest number of labels that a legend names
BESIDE: dict[str, Any] = {
    "loc": "upper left",
    "bbox_to_anchor": (1.01, 1.0),
    "frameon": False,
}  # covers no point


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the given axes, or those of a new figure.

    Raises
    ------
    ArgumentError
        If something else is given.
    """
    from matplotlib import pyplot
    from matplotlib.axes import Axes

    if ax is None:
        return pyplot.subplots(layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise ArgumentError("ax", type(ax).__name__, "an Axes of Matplotlib, or None")
    return ax


@dataclass(frozen=True)
class ScatterPlot:
    """Axes, and the features that they show.

    Attributes
    ----------
    axes : matplotlib.axes.Axes
    columns : tuple of int
        Two features, or the only one.
    """

    axes: Axes
    columns: tuple[int, ...]

    @classmethod
    def of(cls, model: LearningModel, features: Sequence[Any], ax: Axes | None) -> ScatterPlot:
        """Return the plot of two features of a model, with the names of the axes.

        Parameters
        ----------
        model : LearningModel
        features : pair of int or str
            Their numbers or names; not used if the model has a single feature.
        ax : matplotlib.axes.Axes or None

        Raises
        ------
        ArgumentError
            If these are not two features of the model, or `ax` is something else.
        """
        titles = feature_titles(model.feature_names, model.d)
        columns = (0,) if model.d == 1 else two_features(features, titles)
        plot = cls(axes_or_new(ax), columns)
        names = [*(titles[k] for k in columns), "point"]
        plot.axes.set(xlabel=names[0], ylabel=names[1])
        return plot

    def coordinates(self, points: FloatArray) -> FloatArray:
        """Return the places of points, shape (n, d), in the plane: shape (n, 2)."""
        if len(self.columns) == 1:
            return np.column_stack([points[:, 0], np.arange(len(points))])
        return points[:, list(self.columns)]

    def draw(self, points: FloatArray, labels: np.ndarray, what: str) -> None:
        """Draw points, in one colour for each label, with a legend if the labels are few.

        Parameters
        ----------
        points : ndarray, shape (n, d)
        labels : ndarray, shape (n,)
        what : str
            What a label is, for the legend.
        """
        from matplotlib import pyplot

        values, numbers = np.unique(labels, return_inverse=True)
        colours = pyplot.get_cmap("tab10" if len(values) <= LEGEND else "tab20")
        places = self.coordinates(points)
        for k, value in enumerate(values):
            own = places[numbers == k]
            title = f"{what} {value} ({len(own)})" if len(values) <= LEGEND else None
            self.axes.scatter(own[:, 0], own[:, 1], s=18, color=colours(k % colours.N), label=title)


def two_features(features: Sequence[Any], titles: list[str]) -> tuple[int, ...]:
    """Return the numbers of two features that are given by their numbers or names.

    Raises
    ------
    ArgumentError
        If these are not two features, or a name stands for several.
    """
    expected = f"two numbers below d = {len(titles)}, or two names of features"
    given = list(features) if isinstance(features, Sequence | np.ndarray) else []
    columns = []
    for one in given:
        if isinstance(one, str) and titles.count(one) == 1:
            columns.append(titles.index(one))
        elif isinstance(one, int | np.integer) and 0 <= one < len(titles):
            columns.append(int(one))
    if isinstance(features, str) or len(columns) != 2 or len(given) != 2:
        raise ArgumentError("features", repr(features), expected)
    return tuple(columns)
