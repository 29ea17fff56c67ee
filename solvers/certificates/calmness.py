"""Calmness of the solution (paper, Definition 2): globally, at the data, and as attacks show it.

X* is a proximal map of the data, hence firmly nonexpansive, and calm everywhere with modulus 1:

    ||X*(eps) - X*(0)||_F <= 1 ||A(eps) - A(0)||_F                for any eps that moves the data

The modulus at the data is the norm of the generalised Jacobian J of module `derivative` on the
displacements that the perturbation can make; it is at most 1, and the limit of what the shortest
eps do. An eps beyond a step may do more than the local modulus says, never more than the global.

The global modulus is a theorem. The local one is computed in floating point, for the piece of the
staircase whose labels the clustering has; nothing certified rests on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import ArrayLike

from bilad.models.learning.convex_clustering import ConvexClustering
from bilad.models.perturbation import Perturbation
from bilad.models.validation import ArgumentError, FloatArray
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.derivative import SolutionDerivative
from bilad.solvers.clustering.result import Clustering

GLOBAL_MODULUS = 1.0
TOL = 1e-12  # of the solves whose distance is measured


@dataclass(frozen=True)
class EmpiricalModulus:
    """How far perturbations moved the solution, over how far they moved the data.

    Attributes
    ----------
    modulus : float
        The largest quotient, what the solver left open taken off; 0 if no eps moved the data.
    eps : ndarray, shape (k,)
        Where; zero if nowhere.
    solves : int
        Of the lower level.
    """

    modulus: float
    eps: FloatArray = field(repr=False)
    solves: int


def local_modulus(clustering: Clustering, perturbation: Perturbation | None = None) -> float:
    """Return the calmness modulus of X* at the data, a unit of displacement of the data.

    Parameters
    ----------
    clustering : Clustering
        At eps = 0, accurate.
    perturbation : Perturbation, optional
        Which displacements count; all by default, and then the modulus is 1: that of a translation.

    Returns
    -------
    float
        max ||J T eps||_F over the eps with ||T eps||_F = 1.

    Raises
    ------
    ArgumentError
        If the perturbation is not for the model's data, or does not move them.
    """
    derivative = SolutionDerivative(clustering)
    if perturbation is None:
        return derivative.modulus()
    return derivative.modulus(_orthonormal(_moving(clustering.model, perturbation)))


def empirical_modulus(
    clustering: Clustering, perturbation: Perturbation, places: Iterable[ArrayLike]
) -> EmpiricalModulus:
    """Return the largest quotient ||X*(eps) - X*(0)|| / ||A(eps) - A(0)|| over some eps.

    Parameters
    ----------
    clustering : Clustering
        At eps = 0; its model is solved once more.
    perturbation : Perturbation
        Of the data.
    places : iterable of array_like, shape (k,)
        The eps, such as those of the history of an attack; each is solved again.

    Raises
    ------
    ArgumentError
        If the perturbation is not for the model's data or does not move them, or an eps is wrong.

    Notes
    -----
    With a duality gap g, X is at most sqrt(2 g) from X*; both distances are taken off.
    """
    model = clustering.model
    _moving(model, perturbation)
    X, error = _solution(model)
    best, where, solves = 0.0, np.zeros(perturbation.dim), 1
    for eps in places:
        other = perturbation.apply(model, eps)
        length = float(np.linalg.norm(other.data - model.data))
        if length == 0:
            continue
        Y, other_error = _solution(other)
        solves += 1
        quotient = (float(np.linalg.norm(Y - X)) - error - other_error) / length
        if quotient > best:
            best, where = quotient, perturbation.vector(eps)
    return EmpiricalModulus(best, where, solves)


def _moving(model: ConvexClustering, perturbation: Perturbation) -> sp.csr_array:
    """Return T, if it moves the model's data and nothing else."""
    operator, shape = perturbation.operators.get("data"), perturbation.shapes.get("data")
    if operator is None or operator.count_nonzero() == 0 or shape != model.data.shape:
        raise ArgumentError(
            "perturbation", f"shape {shape}", f"one that moves {model.data.shape} data"
        )
    if "weights" in perturbation.operators:
        raise ArgumentError("perturbation", "one of the weights", "one of the data only")
    return operator


def _orthonormal(T: sp.csr_array) -> sp.csr_array:
    """Return an orthonormal basis of the displacements T eps: shape (n d, r)."""
    gram = sp.csr_array(T.T @ T)
    lengths = np.sqrt(gram.diagonal())
    if (gram - sp.diags_array(gram.diagonal())).count_nonzero():
        return sp.csr_array(scipy.linalg.orth(T.toarray()))
    # Each entry has an eps of its own, or there is one eps: the columns are orthogonal.
    moving = np.flatnonzero(lengths)
    return sp.csr_array(T[:, moving] @ sp.diags_array(1 / lengths[moving]))


def _solution(model: ConvexClustering) -> tuple[FloatArray, float]:
    """Return X and a bound of its distance from X*."""
    solved = solve_lower(model, tol=TOL)
    return solved.X, solved.distance_bound
