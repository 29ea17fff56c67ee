"""
Flipped labels of a ridge classifier
====================================

An attacker flips training labels. For ridge regression with the labels -1 and 1,
:func:`bilad.solvers.certify` proves for each test point the least number of flips that changes its
prediction. The attacks flip few labels so that as many predictions as possible change.
"""

import matplotlib.pyplot as plt
import numpy as np

from bilad.models import MaxDeviation, MinPerturbation, Perturbation, Ridge, changed_predictions
from bilad.solvers import attack, certify

# %%
# Two overlapping classes with 40 training and 60 test points.
rng = np.random.default_rng(0)
labels = np.where(np.arange(100) % 2, 1.0, -1.0)
X = rng.normal(size=(100, 2)) + labels[:, None] * [0.9, 0.3]
model, test = Ridge(X[:40], labels[:40], penalty=1.0), X[40:]
flips = Perturbation.flips()

# %%
# The certified number of flips of each test point, and what the attacks find.
least = [
    certify(MinPerturbation(model, flips, 1, "count", changed_predictions(x[None]))).lower
    for x in test
]
budgets = range(1, 7)
found = [
    attack(MaxDeviation(model, flips, k, "count", changed_predictions(test)), "greedy")
    for k in budgets
]
certified = [np.mean(np.array(least) > k) for k in budgets]
unchanged = [1.0 - attacked.deviation / len(test) for attacked in found]
for k, proved, left in zip(budgets, certified, unchanged, strict=True):
    print(f"{k} flips: {proved:.2f} certified one by one, {left:.2f} unchanged by one attack")

# %%
# One set of flips has to serve for all test points, so the second curve is above the first.
figure, (plane, shares) = plt.subplots(1, 2, figsize=(9.0, 3.6), layout="constrained")
points = plane.scatter(*test.T, c=np.minimum(least, 12), cmap="viridis")
figure.colorbar(points, label="flips that change the prediction")
flipped = X[:40][found[2].eps > 0]
plane.plot(*X[:40].T, ".", color="0.8", zorder=0, label="training points")
plane.plot(*flipped.T, "x", color="tab:red", label="flipped by the third attack")
plane.set(xlabel="feature 0", ylabel="feature 1")
plane.legend(fontsize="small")
shares.plot(budgets, certified, "o-", label="certified")
shares.plot(budgets, unchanged, "s-", label="unchanged by the attack")
shares.set(xlabel="flipped labels", ylabel="share of test points", ylim=(0, 1))
shares.legend()
plt.show()
