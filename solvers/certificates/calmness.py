"""Calmness of the solution (Definition 2 of the paper): global, local and empirical moduli.

Theorem. X* is calm everywhere with modulus 1: for every eps that moves the data

    ||X*(eps) - X*(0)||_F <= ||A(eps) - A(0)||_F.

Proof: X* is a proximal map of the data, hence firmly nonexpansive.

The local modulus is the norm of the generalised Jacobian J (module `derivative`) on the
displacements that the perturbation can make. It is at most 1, and it is the limit of the quotient
for short eps. An eps that changes the partition may have a larger quotient, but none above 1. The
local modulus is computed in floating point for the labels of the given clustering, and no
certificate depends on it.
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
TOL = 1e-12  # tolerance of the solutions whose distance is computed


@dataclass(frozen=True)
class EmpiricalModulus:
    """The largest motion of the solution, relative to that of the data.

    Attributes
    ----------
    modulus : float
        The largest quotient, minus the error of the solver; 0 if no eps moved the data.
    eps : ndarray, shape (k,)
        The eps with that quotient, or zero.
    solves : int
        Number of lower-level solves.
    """

    modulus: float
    eps: FloatArray = field(repr=False)
    solves: int


def local_modulus(clustering: Clustering, perturbation: Perturbation | None = None) -> float:
    """Return the calmness modulus of X* at the data.

    Parameters
    ----------
    clustering : Clustering
        At eps = 0; it should be accurate.
    perturbation : Perturbation, optional
        Only displacements of the form T eps are considered. By default all displacements are; the
        modulus is then 1, which a translation attains.

    Returns
    -------
    float
        max ||J T eps||_F over the eps with ||T eps||_F = 1.

    Raises
    ------
    ArgumentError
        If the perturbation does not move the data of the model.
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
        At eps = 0; its model is solved again.
    perturbation : Perturbation
        A perturbation of the data only.
    places : iterable of array_like, shape (k,)
        The eps, for instance those of the history of an attack; the model is solved at each.

    Raises
    ------
    ArgumentError
        If the perturbation does not move the data of the model, or an eps is invalid.

    Notes
    -----
    With a duality gap g, X is at most sqrt(2 g) from X*; both distances are subtracted.
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
    """Return T, if the perturbation moves the data of the model and nothing else."""
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
    # The columns are orthogonal: each entry has an eps of its own, or there is one eps.
    moving = np.flatnonzero(lengths)
    return sp.csr_array(T[:, moving] @ sp.diags_array(1 / lengths[moving]))


def _solution(model: ConvexClustering) -> tuple[FloatArray, float]:
    """Return X and a bound on its distance from X*."""
    solved = solve_lower(model, tol=TOL)
    return solved.X, solved.distance_bound
