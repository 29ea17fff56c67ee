"""
The bilevel problem in a picture
================================

The upper level, the leader, chooses a perturbation eps of the data within a budget. The lower
level, convex clustering, responds with the solution X* for the perturbed data. The leader
maximises the deviation of the partition at eps from that at 0.
`python plot_bilevel_problem.py FILE` writes the picture to an SVG file.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.solvers import attack, cluster

BUDGET = 1.0

# %%
# Two groups of ten points. The leader may move the two points that are nearest to the other group.
points = np.random.default_rng(28).normal(scale=0.4, size=(20, 2))
points[10:, 0] += 3.0
free = np.argsort(-points[:10, 0])[:2]
model = ConvexClustering(points, FusionGraph.complete(20, weight=1 / 20), gamma=2.1)
perturbation = Perturbation.additive(points.shape, points=free)
found = attack(MaxDeviation(model, perturbation, BUDGET), "hypergradient", max_solves=60)
perturbed = perturbation.apply(model, found.eps)
before, after = cluster(model), cluster(perturbed)
print(f"{found.status}: delta = {found.deviation:g} at ||eps|| = {found.norm:.3f}")

# %%
# The decision of the leader, the response of the lower level, and the deviation.
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bilevel", "font.size": 9})
figure, (leader, lower, deviation) = plt.subplots(
    1, 3, figsize=(9.0, 2.3), sharex=True, sharey=True, layout="constrained"
)
colours = np.array(["tab:blue", "tab:orange"])

leader.set_title(f"Upper level (leader)\nmax U(eps)  s.t.  ||eps|| ≤ a = {BUDGET:g}")
leader.scatter(*points.T, c=colours[before.labels], s=25, label="A and its clusters")
leader.scatter(*points[free].T, s=90, facecolors="none", edgecolors="black", label="may be moved")
shift = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.008}
leader.quiver(*points[free].T, *(perturbed.data - points)[free].T, **shift)

lower.set_title("Lower level (follower)\nX* = argmin CVC(A(eps))")
for point, centre in zip(perturbed.data, after.X, strict=True):
    lower.plot(*np.transpose([point, centre]), color="0.85", zorder=0)
lower.scatter(*perturbed.data.T, color="0.6", s=15, label="A(eps)")
lower.scatter(*after.X.T, color="black", marker="D", s=25, label="rows of X*")

deviation.set_title(f"Deviation of the partition\nU(eps) = delta = {found.deviation:g}")
deviation.scatter(*perturbed.data.T, c=colours[after.labels], s=25, label="A(eps) and its clusters")
changed = perturbed.data[before.labels != after.labels]
deviation.scatter(
    *changed.T, s=90, marker="s", facecolors="none", edgecolors="black", label="changed"
)

for axes in (leader, lower, deviation):
    axes.set(xticks=[], yticks=[], aspect="equal")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=2, frameon=False)
for left in (leader, lower):
    arrow = {"arrowstyle": "-|>", "color": "black"}
    left.annotate("", (1.2, 0.5), (1.02, 0.5), xycoords="axes fraction", arrowprops=arrow)
if __name__ == "__main__" and len(sys.argv) > 1:
    figure.savefig(sys.argv[1], metadata={"Date": None})
plt.show()
