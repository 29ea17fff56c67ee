"""
Edges whose removal changes the partition
=========================================

The attacker changes the fusion graph and not the data: which edges, removed, change the clusters
most? :func:`bilad.solvers.drop_edges` tries all subsets of a few edges, or adds one at a time.
"""

import matplotlib.pyplot as plt

from bilad.models import ConvexClustering, FusionGraph, load_dataset
from bilad.solvers import cluster, drop_edges

# %%
# Forty flowers of two species with a nearest-neighbour graph.
data = load_dataset("iris").data[80:120, 2:]
graph = FusionGraph.knn(data, k=5, phi=0.5)
model = ConvexClustering(data, graph, gamma=1.2)
results = [drop_edges(model, budget) for budget in (1, 2)]
for found in results:
    removed = graph.edges[found.edges].tolist()
    print(f"{removed}: delta = {found.deviation:g}, {found.status}, {found.lower_solves} solves")

# %%
# The graph and the clusters after the removal of the edges in red.
figure, axes = plt.subplots(1, 2, figsize=(9.0, 3.6), sharex=True, sharey=True)
for ax, labels, title in zip(
    axes, (cluster(model).labels, results[-1].labels), ("before", "after"), strict=True
):
    for edge, (i, j) in enumerate(graph.edges):
        removed = ax is axes[1] and edge in results[-1].edges
        colour, width = ("tab:red", 2.0) if removed else ("0.85", 0.8)
        ax.plot(*data[[i, j]].T, color=colour, linewidth=width, zorder=int(removed))
    ax.scatter(*data.T, c=labels, cmap="tab10", vmax=9, zorder=2)
    ax.set(xlabel="petal length (cm)", title=title)
axes[0].set(ylabel="petal width (cm)")
plt.show()
