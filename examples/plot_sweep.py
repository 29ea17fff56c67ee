"""
A small sweep and a figure of its report
========================================

A sweep carries out every method on every problem with several seeds, and stores a row for each run.
``bilad sweep`` does this from a file; here the specification is a mapping. ``bilad report`` makes
tables and figures of the rows. Drawn here is the mean gap after so many lower-level solves.
"""

import matplotlib.pyplot as plt
import numpy as np

from bilad.models import ConvexClustering, FusionGraph, MaxDeviation, Perturbation
from bilad.scripts.experiments.figures import plots_of
from bilad.scripts.experiments.runner import run_experiment

# %%
# Two problems: twelve points in two groups, of which two may move.
problems = {}
for seed in range(2):
    points = np.random.default_rng(seed).normal(scale=0.6, size=(12, 2))
    points[6:, 0] += 3.0
    model = ConvexClustering(points, FusionGraph.complete(12, weight=1 / 12), gamma=1.7)
    free = Perturbation.additive(points.shape, points=[0, 1])
    problems[f"points of seed {seed}"] = MaxDeviation(model, free, budget=1.5)

# %%
# The gap is the relative distance of a result from the best result of all runs on the problem.
table = run_experiment(
    {
        "seeds": 1,
        "limits": {"solves": 60},
        "methods": {"random": {}, "corners": {}, "hypergradient": {}},
        "problems": problems,
    }
)
print(table.groupby("method")[["gap", "solves", "seconds"]].mean().round(3).to_string())

# %%
# A gap of 1 means that no attack has been found yet.
drawn = next(plot for plot in plots_of("two problems", "two", table) if "anytime" in plot.name)
figure, ax = plt.subplots()
for name, (solves, gap) in drawn.curves.items():
    ax.plot(solves, gap, drawstyle="steps-post", label=name)
ax.set(xlabel="lower-level solves", ylabel="mean gap", xscale="log")
ax.legend()
plt.show()
