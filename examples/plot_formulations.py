"""
Formulations compared on one small problem
==========================================

A single-level reformulation is solved in stages: its relaxation and the smoothing of the deviation
decrease, and each stage starts from the solution of the one before. Shown is the true deviation of
the eps of each stage, which is recomputed from the lower level.
"""

import matplotlib.pyplot as plt
import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import attack

# %%
# Two groups of ten points, of which two may move together by at most 1.
points = np.random.default_rng(28).normal(scale=0.4, size=(20, 2))
points[10:, 0] += 3.0
model = ConvexClustering(points, FusionGraph.complete(20, weight=1 / 20), gamma=2.1)
free = Perturbation.additive(points.shape, points=np.argsort(-points[:10, 0])[:2])
problem = MaxDeviation(model, free, budget=1.0)

# %%
# For comparison, 100 random points of the sphere. No method proves here that its value is optimal.
searched = attack(problem, "random", max_solves=100, closing="none")
figure, ax = plt.subplots()
for method in ("kkt", "duality", "value-function"):
    found = attack(problem, method, closing="none", time_limit=10.0)
    values = [stage.deviation for stage in found.stages]
    print(f"{method:15} {found.own.deviation:5g} in {len(values)} stages, {found.seconds:.1f} s")
    ax.plot(range(1, len(values) + 1), values, "o-", label=method)
print(f"{'random':15} {searched.deviation:5g} in {searched.lower_solves} solves")
ax.axhline(searched.deviation, linestyle="--", color="0.5", label="random search")
ax.set(xlabel="stage", ylabel="delta")
ax.legend()
plt.show()
