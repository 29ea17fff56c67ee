"""
A cluster path and its dendrogram
=================================

As gamma grows, the rows of the solution move towards each other and fuse. If clusters never split,
the path is a hierarchy, and :attr:`bilad.solvers.ClusterPath.linkage` is its matrix in the form of
SciPy, with gamma as the height.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.cluster.hierarchy import dendrogram

from bilad.models import ConvexClustering, FusionGraph
from bilad.solvers import cluster_path

# %%
# Three groups of eight points; put your own data here.
rng = np.random.default_rng(4)
centres = np.repeat([[0.0, 0.0], [4.0, 0.0], [2.0, 3.0]], 8, axis=0)
points = centres + rng.normal(scale=0.5, size=centres.shape)
model = ConvexClustering(points, FusionGraph.knn(points, k=12, phi=0.3), gamma=1.0)
path = cluster_path(model)
print(f"{len(path.gammas)} gammas from {path.gammas[0]:.3g} to {path.gammas[-1]:.3g}")

# %%
# The paths of the points, the number of clusters, and the dendrogram.
figure, (plane, counts, tree) = plt.subplots(1, 3, figsize=(11.0, 3.4), layout="constrained")
path.plot(plane)
path.plot_clusters(counts)
dendrogram(path.linkage, ax=tree, no_labels=True, color_threshold=0.0)
tree.set(ylabel="gamma")
plt.show()

# %%
# The partitions that stay the same over the longest ranges of gamma, by the ratio of its ends.
for suggestion in path.suggest():
    print(suggestion)
