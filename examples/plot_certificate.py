"""
A certificate and an attack in the plane
========================================

One point may move in the plane. No move shorter than the certified radius changes the partition,
which is a theorem; the shortest attack that was found bounds the true radius from above. Here the
partition is also computed on a grid of moves, which neither of them needs.
"""

import matplotlib.pyplot as plt
import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MinPerturbation, Perturbation, deviation
from bilad.solvers import certify, cluster

# %%
# Two groups of eight points. The last point of the first one may move.
points = np.random.default_rng(2).normal(scale=0.35, size=(16, 2))
points[8:, 0] += 3.0
model = ConvexClustering(points, FusionGraph.complete(16, weight=1 / 16), gamma=1.8)
free = Perturbation.additive(points.shape, points=[7])
proof = certify(MinPerturbation(model, free, target=2))
print(f"{proof.lower:.4f} <= radius <= {proof.upper:.4f}, by {proof.method}")

# %%
# The deviation on a grid of moves, with the certified disc and the attack.
reach = 1.6 * proof.upper
ticks = np.linspace(-reach, reach, 15)
before = cluster(model).labels
values = [
    [deviation(before, cluster(free.apply(model, [x, y]), labels_only=True).labels) for x in ticks]
    for y in ticks
]
figure, ax = plt.subplots(figsize=(5.2, 4.2))
image = ax.pcolormesh(ticks, ticks, values, cmap="Blues")
figure.colorbar(image, label="delta")
ax.add_patch(plt.Circle((0, 0), proof.lower, fill=False, color="tab:green", label="certified"))
ax.plot(*proof.attack.eps, "x", color="tab:red", label="attack")
ax.set(aspect="equal", xlabel="move in feature 0", ylabel="move in feature 1")
ax.legend(loc="upper left")
plt.show()
