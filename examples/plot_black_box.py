"""
A clusterer of scikit-learn as a black box
==========================================

Any estimator with ``fit_predict`` can be attacked. Nothing is known of it but its answers, so that
each eps costs a query, and methods are compared by the number of queries they need.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.datasets import make_blobs

from bilad.models import BlackBox, MaxDeviation, Perturbation
from bilad.solvers import attack

# %%
# Three groups of points, and the method of Ward. Three points may move by at most 1 each way.
points, _ = make_blobs(80, centers=3, cluster_std=1.5, random_state=3)
clusterer = AgglomerativeClustering(3)
box = BlackBox(points, clusterer, max_queries=200)
free = Perturbation.additive(points.shape, points=range(3))
problem = MaxDeviation(box, free, budget=1.0, norm=np.inf)

# %%
# The largest deviation after each query, and the partition of the best attack, in which the points
# that moved are circled.
figure, (curve, plane) = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
attacks = {name: attack(problem, name, closing="none") for name in ("corners", "random", "cma")}
for name, found in attacks.items():
    best = np.maximum.accumulate([tried.deviation for tried in found.history])
    print(f"{name:8} delta = {found.deviation:g}, {found.lower_solves} queries")
    curve.step(range(1, len(best) + 1), best, where="post", label=name)
curve.set(xlabel="queries", ylabel="largest delta so far")
curve.legend()
found = max(attacks.values(), key=lambda attacked: attacked.deviation)
moved = free.apply(box, found.eps).data
plane.scatter(*moved.T, c=found.labels, cmap="tab10", vmax=9)
plane.scatter(*moved[:3].T, s=120, facecolors="none", edgecolors="tab:red")
plane.set(xlabel="feature 0", ylabel="feature 1")
plt.show()
