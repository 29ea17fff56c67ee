"""Models that separate into lines, each with data, weights and gamma of its own.

For p = 1 each feature is a line. In the plane p = inf is p = 1 on sums and differences,

    max(|u_1|, |u_2|) = (|u_1 + u_2| + |u_1 - u_2|) / 2,
    u_1^2 + u_2^2 = ((u_1 + u_2)^2 + (u_1 - u_2)^2) / 2,

so that with the same gamma half of the objective on the lines v = (a_1 + a_2, a_1 - a_2) is that on
the features. Two points share a cluster iff they do on every line.
"""

from __future__ import annotations

import numpy as np

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.validation import IntArray

SUM_AND_DIFFERENCE = ((1, 1), (1, -1))


def line_signs(model: ConvexClustering) -> IntArray | None:
    """Return the lines of a model, each a sum of its features with these signs.

    Parameters
    ----------
    model : ConvexClustering

    Returns
    -------
    ndarray of int, shape (lines, d), or None
        Of -1, 0 and 1. None if the model is known not to separate, or not to: p = 2 with d > 1,
        p = inf with d > 2.
    """
    if model.p == 1 or model.d == 1:
        return np.eye(model.d, dtype=np.int64)
    if model.p == np.inf and model.d == 2:
        return np.array(SUM_AND_DIFFERENCE, dtype=np.int64)
    return None
