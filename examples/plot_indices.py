"""
Which measures of change grow with the perturbation
===================================================

A deviation function should not decrease as ``|eps|`` grows. Here the Rand index, the normalised
mutual information and the number of changed labels are followed along a ray, together with delta,
and the breakpoints are counted at which each of them decreases.
"""

import matplotlib.pyplot as plt
import numpy as np

from bilad.models import ConvexClustering, FusionGraph, Perturbation, load_dataset
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

MEASURES = {
    "delta": "delta",
    "rand": "1 - Rand index",
    "nmi": "1 - NMI",
    "changed-matched": "changed labels",
}

# %%
# One feature of a data set, in which 20 points are shifted by eps >= 0. Put your own data here.
column = load_dataset("wine").data[:, [12]] / 100
model = ConvexClustering(column, FusionGraph.complete(len(column)), 0.0356)
direction = np.zeros_like(column)
direction[39:59] = 1.0
path = parametric_path(model, Perturbation.shift(direction), 0.0, 4.0)
edges = [float(eps) for eps in path.breakpoints]

# %%
# Each measure relative to its largest value.
figure, axes = plt.subplots()
for name, label in MEASURES.items():
    between, _ = path.values(name)
    decreases = int((np.diff(between) < 0).sum())
    print(f"{label}: decreases at {decreases} of {len(between) - 1} breakpoints")
    axes.stairs(between / between.max(), edges, baseline=None, label=label)
axes.set(xlabel="eps", ylabel="relative to the maximum")
axes.legend()
plt.show()
