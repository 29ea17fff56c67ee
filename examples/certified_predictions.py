"""
Certified predictions under label flips
=======================================

Ridge regression with the labels -1 and 1 predicts the sign of a score that is linear in the
labels. For a test point, :func:`bilad.solvers.certify` therefore finds the least number of flipped
training labels that changes its prediction, and proves it. Shown are the shares of test predictions
that no k flips of 100 training labels change, and a comparison on small sets for which all flips
can be tried.
"""

from itertools import combinations

import numpy as np
from sklearn.datasets import load_breast_cancer

from bilad.models import MinPerturbation, Perturbation, Ridge, changed_predictions
from bilad.solvers import certify

# %%
# The least number of flips
# -------------------------
# It is a problem of least perturbation (BL2) in the norm "count" for a single test point.


def least_flips(model, X):
    """Return a proved lower bound of the flips that change each prediction, infinite if none do."""
    problems = [
        MinPerturbation(model, Perturbation.flips(), 1, "count", changed_predictions(x[None]))
        for x in X
    ]
    return np.array([certify(problem, max_solves=0).lower for problem in problems])


# %%
# Shares of certified predictions
# -------------------------------
# A split has 100 training points, by which the features are standardised; after 100 points that are
# not used here come the test points, of which 100 are certified.

SPLITS = 10
points, classes = load_breast_cancer(return_X_y=True)
labels = 2.0 * classes - 1.0
shares = []
for seed in range(SPLITS):
    order = np.random.default_rng(seed).permutation(len(points))
    training, test = order[:100], order[200:300]
    X = (points - points[training].mean(axis=0)) / points[training].std(axis=0)
    least = least_flips(Ridge(X[training], labels[training], intercept=True), X[test])
    shares.append([np.mean(least > flips) for flips in (1, 3, 5, 10)])
print(" flips  certified share   least  greatest")
for flips, column in zip((1, 3, 5, 10), np.transpose(shares), strict=True):
    print(f"{flips:6}{column.mean():17.3f}{column.min():8.2f}{column.max():10.2f}")

# %%
# All flips of a small set
# ------------------------
# With 24 training points and five features, all sets of at most three flips are tried. Certificates
# are false if one of these sets changes a prediction that was certified.


def least_by_trying(model, X, most):
    """Return the least number of flips that change each prediction, infinite beyond `most`."""
    inverse = np.linalg.inv(model.hessian(np.zeros(model.d + 1)))
    scores = model.design_of(X) @ inverse @ model.design.T
    before, least = scores @ model.targets >= 0, np.full(len(X), np.inf)
    for flips in range(most, 0, -1):
        for chosen in combinations(range(model.n), flips):
            signs = np.ones(model.n)
            signs[list(chosen)] = -1.0
            least[(scores @ (signs * model.targets) >= 0) != before] = flips
    return least


X = (points - points.mean(axis=0)) / points.std(axis=0)
certified, unchanged = [], []
for seed in range(SPLITS):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(points))
    columns = rng.choice(X.shape[1], 5, replace=False)
    training, test = order[:24], order[24:54]
    model = Ridge(X[training][:, columns], labels[training], intercept=True)
    certified.append(least_flips(model, X[test][:, columns]))
    unchanged.append(least_by_trying(model, X[test][:, columns], 3))
proved, tried = np.concatenate(certified), np.concatenate(unchanged)
print(" flips  predictions  certified  unchanged by all flips  false certificates")
for flips in (1, 3):
    is_proved, is_unchanged = proved > flips, tried > flips
    counts = f"{len(proved):13}{is_proved.sum():11}{is_unchanged.sum():24}"
    print(f"{flips:6}{counts}{(is_proved & ~is_unchanged).sum():20}")
