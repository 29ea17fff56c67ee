"""
The largest change and the least perturbation along a ray
=========================================================

Some points of a data set move together in one direction, by eps. The partition that convex
clustering returns is constant on intervals of eps. For p = 1, in any dimension, all breakpoints
are known exactly, and with them the global optima of both bilevel problems.
"""

import matplotlib.pyplot as plt
import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, MinPerturbation, Perturbation
from bilad.solvers import attack
from bilad.solvers.clustering.parametric.parametric_path import parametric_path

BUDGET, TARGET = 3.0, 200

# %%
# Put your own points here. The first ten move to the right by eps.
points = np.random.default_rng(0).normal(size=(40, 2))
points[20:, 0] += 5.0
model = ConvexClustering(points, FusionGraph.complete(40, weight=1 / 40), gamma=4.0, p=1)
direction = np.zeros_like(points)
direction[:10, 0] = 1.0
shift = Perturbation.shift(direction)

# %%
# The parametric path, and the deviation delta between its breakpoints: the number of ordered pairs
# of points that are together in only one of the partitions at eps and at 0.
path = parametric_path(model, shift, -BUDGET, BUDGET)
between, _ = path.values("delta")
print(f"{len(between)} intervals, delta up to {between.max():g}")

# %%
# (BL1) maximises delta for ``|eps|`` <= 3, and (BL2) minimises ``|eps|`` for delta >= 200.
best = attack(MaxDeviation(model, shift, BUDGET), "exact")
least = attack(MinPerturbation(model, shift, TARGET, limit=BUDGET), "exact")
print(f"BL1: delta = {best.deviation:g} at eps = {best.eps[0]:.4f}, {best.status}")
print(f"BL2: |eps| = {least.norm:.4f}, {least.status}")

# %%
figure, axes = plt.subplots()
axes.stairs(between, [float(eps) for eps in path.breakpoints], baseline=None)
axes.plot(best.eps, best.deviation, "*", markersize=16, label="(BL1)")
axes.plot(least.eps, least.deviation, "*", markersize=10, label="(BL2)")
axes.axhline(TARGET, linestyle="--", color="0.5", label="target of (BL2)")
axes.set(xlabel="eps", ylabel="delta")
axes.legend()
plt.show()
