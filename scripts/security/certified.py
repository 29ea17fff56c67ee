"""Certified predictions of ridge regression under label flips.

`certify` proves for a test point the least number of flips that change its prediction; for ridge
regression the proof is exact. On a small set all flips are tried too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from sklearn.datasets import load_breast_cancer

from bilad.models import LinearModel, MinPerturbation, Perturbation, Ridge, changed_predictions
from bilad.models.validation import FloatArray
from bilad.scripts.display import Cells
from bilad.scripts.security.settings import split_of
from bilad.solvers import certify

COUNTS = (1, 3, 5, 10)
POINTS = 100  # test points of a split whose predictions are certified
SMALL, SMALL_TEST = 24, 30  # training and test points of the sets on which all flips are tried


def least_flips(model: LinearModel, X: FloatArray) -> FloatArray:
    """Return a proved lower bound of the number of flips that change each prediction: (m,).

    The bound is that of `certify` for a single test point; it is infinite if no flips suffice.
    """
    flips = Perturbation.flips()
    return np.array(
        [
            certify(
                MinPerturbation(model, flips, 1, "count", changed_predictions(row[None])),
                max_solves=0,
            ).lower
            for row in X
        ]
    )


def certified_shares(splits: int, points: int = POINTS) -> list[Cells]:
    """Return the share of test predictions that no k flips of training labels change."""
    shares = []
    for number in range(splits):
        given = split_of("ridge", number)
        least = least_flips(given.model, given.X_test[:points])
        shares.append([float(np.mean(least > count)) for count in COUNTS])
    return [
        {
            "flips": count,
            "certified share": float(column.mean()),
            "least": float(column.min()),
            "greatest": float(column.max()),
            "splits": splits,
        }
        for count, column in zip(COUNTS, np.array(shares).T, strict=True)
    ]


def by_brute_force(sets: int, counts: Sequence[int] = COUNTS[:-1]) -> list[Cells]:
    """Compare the certified predictions with those that no flips change, on small sets."""
    robust, proved = np.zeros((2, len(counts)), dtype=int)
    wrong = np.zeros(len(counts), dtype=int)
    for number in range(sets):
        model, X = _small_set(number)
        least = least_flips(model, X)
        tried = changed_at(model, X, max(counts))
        for place, count in enumerate(counts):
            proved[place] += np.count_nonzero(least > count)
            robust[place] += np.count_nonzero(tried > count)
            wrong[place] += np.count_nonzero((least > count) & (tried <= count))
    return [
        {
            "flips": count,
            "predictions": sets * SMALL_TEST,
            "certified": int(proved[place]),
            "unchanged by all flips": int(robust[place]),
            "false certificates": int(wrong[place]),
        }
        for place, count in enumerate(counts)
    ]


def changed_at(model: Ridge, X: FloatArray, most: int) -> FloatArray:
    """Return the least number of flips that change each prediction, by trying all: (m,).

    It is infinite where more than `most` flips are needed.
    """
    to_scores = model.design_of(X) @ np.linalg.solve(
        model.hessian(np.zeros(model.design.shape[1])), model.design.T
    )
    before = to_scores @ model.targets >= 0
    least = np.full(len(X), np.inf)
    for count in range(1, most + 1):
        chosen = np.array(list(itertools.combinations(range(model.n), count)))
        signs = np.ones((len(chosen), model.n))
        np.put_along_axis(signs, chosen, -1.0, axis=1)
        after = to_scores @ (signs * model.targets).T >= 0
        least[(after != before[:, None]).any(axis=1) & np.isinf(least)] = count
    return least


def _small_set(number: int) -> tuple[Ridge, FloatArray]:
    """Return a model of a few points and five features, and test points."""
    X, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(number)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    order = rng.permutation(len(X))
    while len(set(y[order[:SMALL]])) < 2:
        order = rng.permutation(len(X))
    features = rng.choice(X.shape[1], 5, replace=False)
    training, test = order[:SMALL], order[SMALL : SMALL + SMALL_TEST]
    labels = 2.0 * y[training] - 1.0
    return Ridge(X[training][:, features], labels, intercept=True), X[test][:, features]
