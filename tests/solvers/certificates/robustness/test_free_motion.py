"""What is not seen of the motion of two blocks counts for both."""

import numpy as np
import pytest

from bilad.solvers.certificates.robustness import free_motion
from bilad.solvers.certificates.robustness.eps_ball import EpsBall


@pytest.mark.parametrize("most", [free_motion.MOST_ENTRIES, 0])
def test_speeds_of_pairs_have_all_that_is_not_seen(monkeypatch, most):
    """Means that move by 3 and -4 per unit of eps, and 1 and 2 that is not known."""
    monkeypatch.setattr(free_motion, "MOST_ENTRIES", most)
    means, unseen = np.array([[[3.0]], [[-4.0]]]), np.array([1.0, 2.0])
    pair = np.array([0]), np.array([1])
    speed = free_motion._pair_speeds(EpsBall(2), means, unseen, *pair)[0]
    assert 10 <= speed <= 10 * (1 + 1e-11)
