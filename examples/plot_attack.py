"""
An attack on one point
======================

One flower of the Iris data may be moved by at most 1 cm in the plane of its petal measurements.
Where must it go so that as many pairs of flowers as possible change between "together" and "apart"?
"""

import matplotlib.pyplot as plt
import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation, load_dataset
from bilad.solvers import attack, cluster

# %%
# Forty flowers of two species. The one that moves lies between them.
data = load_dataset("iris").data[80:120, 2:]
model = ConvexClustering(data, FusionGraph.knn(data, k=5, phi=0.5), gamma=1.2)
clustering = cluster(model)
centroids = [data[clustering.labels == label].mean(axis=0) for label in (0, 1)]
moved = int(np.argmin(np.linalg.norm(data - np.mean(centroids, axis=0), axis=1)))
problem = MaxDeviation(model, Perturbation.additive(data.shape, points=[moved]), budget=1.0)
found = attack(problem, max_solves=200)
print(f"{found.method}: delta = {found.deviation:g}, {found.status}, bound {found.bound:g}")

# %%
# The partition before and after.
figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.6), sharex=True, sharey=True)
perturbed = problem.perturbation.apply(model, found.eps).data
for ax, points, labels in zip(
    axes, (data, perturbed), (clustering.labels, found.labels), strict=True
):
    ax.scatter(*points.T, c=labels, cmap="tab10", vmax=9)
    ax.set(xlabel="petal length (cm)")
axes[0].set(ylabel="petal width (cm)", title="before")
axes[1].set(title="after")
axes[1].annotate("", perturbed[moved], data[moved], arrowprops={"arrowstyle": "->", "color": "0.3"})
plt.show()
