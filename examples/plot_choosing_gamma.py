"""
Choosing gamma
==============

The weight gamma of the fusion terms decides how many clusters convex clustering returns. The
partitions for all gammas, the clusterpath, show which of them last over a long range of gammas.
"""

import matplotlib.pyplot as plt
import numpy as np

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster, cluster_path

# %%
# Put your own points here: three groups of 30.
rng = np.random.default_rng(1)
points = rng.normal(scale=0.6, size=(90, 2)) + np.repeat([[0, 0], [4, 0], [2, 3]], 30, axis=0)
model = ConvexClustering(points, FusionGraph.knn(points, k=30, phi=0.5), gamma=1.0)

# %%
# Without gammas, `cluster_path` solves the model for 50 of them, from single points to one cluster.
path = cluster_path(model)
suggestions = path.suggest(count=3)
for one in suggestions:
    print(f"gamma = {one.gamma:.3g}: sizes {one.sizes}, lifetime {one.lifetime:.1f}")

# %%
# The number of clusters against gamma. The bands are the ranges of the suggested partitions.
axes = path.plot_clusters()
for k, one in enumerate(suggestions):
    label = f"{one.n_clusters} clusters, lifetime {one.lifetime:.1f}"
    axes.axvspan(one.first, one.last, color=f"C{k + 1}", alpha=0.3, label=label)
axes.legend()

# %%
# The paths of the points from the data to their common mean, and the clusters of the partition with
# the longest lifetime.
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True)
path.plot(left)
left.set_title("paths of the points")
labels = cluster(model.with_gamma(suggestions[0].gamma)).labels
right.scatter(*points.T, s=12, c=labels, cmap="tab10", vmin=0, vmax=10)
right.set(title=f"gamma = {suggestions[0].gamma:.3g}", xlabel="x0")
plt.show()
