"""The largest slopes that bounds rest on, against brute force over targets and subgradients."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest

from bilad.models.learning.logistic import LogisticLoss
from bilad.models.learning.margin_loss import label_weights
from bilad.models.learning.ridge import SquaredLoss
from bilad.models.learning.svm import LOSSES, HingeLoss

SMOOTH = {
    "squared": SquaredLoss(),
    "logistic": LogisticLoss(),
    "squared_hinge": LOSSES["squared_hinge"],
    "smoothed hinge": HingeLoss(0.5),
}
ENDS = [-2.5, -1.5, -1.0, -0.25, 0.75, 1.0, 1.25, 3.0]
SCORES = np.array([-3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0])


def test_weights_of_labels_are_the_probabilities_of_the_classes():
    y = np.array([-2.0, -1.0, -0.5, 0.0, 1.0, 1.5])
    plus, minus = label_weights(y)
    assert plus.tolist() == [0.0, 0.0, 0.25, 0.5, 1.0, 1.25]
    assert minus.tolist() == [1.5, 1.0, 0.75, 0.5, 0.0, 0.0]
    assert label_weights(2) == (1.5, 0.0)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize(("low", "high"), [*combinations(ENDS, 2), (-1.0, -1.0), (1.0, 1.0)])
def test_the_largest_target_slope_is_that_of_the_slopes(name, low, high):
    """It is attained, and a Lipschitz constant of the slope."""
    loss, size = SMOOTH[name], len(SCORES)
    targets = [np.full(size, k / 64) for k in range(-160, 193) if low <= k / 64 <= high]
    found = loss.largest_target_slope(np.full(size, low), np.full(size, high), SCORES)
    sizes = [np.abs(loss.target_slope(y, SCORES)) for y in targets]
    assert found == pytest.approx(np.max(sizes, axis=0), rel=1e-15)
    for y, new in pairwise(targets):
        change = np.abs(loss.slope(new, SCORES) - loss.slope(y, SCORES))
        assert (change <= found / 64 + 1e-15).all()


def test_a_loss_with_kinks_has_no_largest_slope():
    assert LOSSES["hinge"].largest_target_slope(-np.ones(1), np.ones(1), np.zeros(1)) is None


@pytest.mark.parametrize("name", SMOOTH)
def test_a_smooth_slope_changes_by_what_is_said(name):
    y, new, loss = SCORES, SCORES[::-1], SMOOTH[name]
    change = np.abs(loss.slope(new, SCORES) - loss.slope(y, SCORES))
    assert np.array_equal(loss.largest_slope_change(y, new, SCORES, np.ones(len(y))), change)


def subgradients(y, z, error):
    """The ends of the subdifferentials of w_+ max(1 - z, 0) + w_- max(1 + z, 0) near z."""
    plus, minus = label_weights(y)
    return [
        minus * right - plus * left
        for at in (z - error, z, z + error)
        for left in {float(at < 1), float(at <= 1)}
        for right in {float(at > -1), float(at >= -1)}
    ]


def test_subgradients_of_the_hinge_loss_change_no_more_than_is_said():
    """It is attained if one label is 1 and the other -1, and the score is between."""
    loss = HingeLoss()
    for y, new, z, error in product((-1.0, 1.0, 0.5), (-1.0, 0.25, 2.0), SCORES, (0.0, 0.5, 2.0)):
        bound = float(loss.largest_slope_change(*map(np.atleast_1d, (y, new, z, error)))[0])
        ends = product(subgradients(y, z, error), subgradients(new, z, error))
        assert bound >= max(abs(a - b) for a, b in ends)
        near = [m <= 1 + error for m in (z, -z)]
        assert bound == np.dot(np.add(label_weights(y), label_weights(new)), near)


def test_a_weight_of_zero_cancels_an_infinite_value():
    """The square of a margin overflows, but a label of the other class has no part in it."""
    loss = LOSSES["squared_hinge"]
    with np.errstate(over="ignore", invalid="ignore"):
        assert loss.value(np.array([1.0]), np.array([1e200])).tolist() == [0.0]
        assert loss.value(np.array([-1.0]), np.array([-1e200])).tolist() == [0.0]
        assert loss.value(np.array([-1.0]), np.array([1e200])).tolist() == [np.inf]
