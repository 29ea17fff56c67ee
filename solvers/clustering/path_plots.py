"""Plots of a clusterpath: the paths of the points, and the number of clusters against gamma."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bilad.models.frame import feature_titles
from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.scatter_plot import axes_or_new, two_features
from bilad.models.validation import FloatArray
from bilad.solvers.clustering.result import Clustering

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_paths(
    model: ConvexClustering,
    gammas: FloatArray,
    clusterings: Sequence[Clustering],
    ax: Axes | None,
    features: Sequence[int | str],
) -> Axes:
    """Draw the data and the path of each point; `ClusterPath.plot` explains the arguments."""
    from matplotlib import pyplot
    from matplotlib.collections import LineCollection

    data, line = model.data, model.d == 1
    titles = feature_titles(model.feature_names, model.d)
    columns = () if line else two_features(features, titles)
    axes = axes_or_new(ax)
    paths = np.stack([data, *(c.X for c in clusterings)], axis=1)  # (n, G + 1, d)
    if line:
        levels = np.broadcast_to(np.r_[0.0, gammas][:, None], paths.shape)
        paths = np.concatenate([levels, paths], axis=2)
    else:
        paths = paths[:, :, list(columns)]
    labels = clusterings[-1].labels if clusterings else np.arange(model.n)
    colours = pyplot.get_cmap("tab10")(labels % 10)
    axes.add_collection(LineCollection(list(paths), colors=colours, linewidths=0.6))
    axes.scatter(paths[:, 0, 0], paths[:, 0, 1], s=8, c=colours)
    names = ("gamma", titles[0]) if line else tuple(titles[k] for k in columns)
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.autoscale_view()
    return axes


def plot_clusters(gammas: FloatArray, clusterings: Sequence[Clustering], ax: Axes | None) -> Axes:
    """Draw the number of clusters; `ClusterPath.plot_clusters` explains the arguments."""
    from matplotlib.ticker import LogLocator, NullLocator

    axes = axes_or_new(ax)
    counts = np.array([c.n_clusters for c in clusterings])
    proved = np.array([c.proved for c in clusterings], dtype=np.bool_)
    axes.plot(gammas, counts, color="C0", linewidth=0.8)
    for chosen, face, text in ((proved, "C0", "labels proved"), (~proved, "none", "not proved")):
        if chosen.any():
            axes.scatter(
                gammas[chosen], counts[chosen], 16, facecolor=face, edgecolor="C0", label=text
            )
    if len(gammas) and gammas[0] > 0:
        axes.set_xscale("log")
    elif (gammas > 0).any():
        axes.set_xscale("symlog", linthresh=gammas[gammas > 0][0])
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="gamma", ylabel="number of clusters")
    if not proved.all():
        axes.legend()
    return axes
