"""The optimal value of convex clustering with smoothed norms, and its second-order model.

    v_mu(eps) = min_x f_mu(x, eps),
    f_mu(x, eps) = 1/2 sum_k m_k ||x_k - a_k(eps)||^2 + sum_e r_e(eps) L_mu(u_e),

where L_mu(u) is sqrt(||u||^2 + mu^2) for p = 2, the sum of sqrt(u_c^2 + mu^2) for p = 1, the same
of the sum and the difference of the features for p = inf in the plane, and the Moreau envelope of
the norm for p = inf with d > 2. By the envelope theorem and the implicit function theorem,
with H the Hessian of f_mu in x and F = d grad_x f_mu / d eps,

    grad v_mu = d f_mu / d eps,        Hess v_mu = d^2 f_mu / d eps^2 - F' H^-1 F.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from bilad.formulations.clustering.blocks import BlockModel
from bilad.models.norms import project_rows
from bilad.models.validation import FloatArray

NEWTON_STEPS, HALVINGS = 80, 40
ARMIJO = 1e-4
REGULARISATION = 1e-14  # of a singular Hessian, relative to its largest entry
TOL = 1e-11  # of the gradient over the mass, relative to the spread of the data


class SmoothedNorm(ABC):
    """L_mu: value (E,), gradient (E, d) and Hessian (E, d, d) at the rows of u."""

    @abstractmethod
    def at(self, u: FloatArray, mu: float) -> tuple[FloatArray, FloatArray]:
        """Return the values and the gradients."""

    @abstractmethod
    def hessian(self, u: FloatArray, mu: float) -> FloatArray:
        """Return the Hessians."""


class SmoothedEuclidean(SmoothedNorm):
    """sqrt(||u||^2 + mu^2)."""

    def at(self, u: FloatArray, mu: float) -> tuple[FloatArray, FloatArray]:
        length = np.sqrt(np.einsum("ec,ec->e", u, u) + mu**2)
        return length, u / length[:, None]

    def hessian(self, u: FloatArray, mu: float) -> FloatArray:
        length, z = self.at(u, mu)
        outer = np.eye(u.shape[1]) - z[:, :, None] * z[:, None, :]
        return outer / length[:, None, None]


class SmoothedAbsolute(SmoothedNorm):
    """`share` times the sum of sqrt(v_c^2 + mu^2) over the entries of v = `turn` u.

    The 1-norm has v = u. In the plane the maximum norm is half the sum of the absolute values of
    v = (u_1 + u_2, u_1 - u_2).

    Parameters
    ----------
    turn : ndarray, shape (d, d)
    share : float
    """

    def __init__(self, turn: FloatArray, share: float) -> None:
        self.turn, self.share = turn, share

    def at(self, u: FloatArray, mu: float) -> tuple[FloatArray, FloatArray]:
        v = u @ self.turn.T
        length = np.sqrt(v**2 + mu**2)
        return self.share * length.sum(axis=1), self.share * (v / length) @ self.turn

    def hessian(self, u: FloatArray, mu: float) -> FloatArray:
        v = u @ self.turn.T
        diagonal = self.share * mu**2 / np.sqrt(v**2 + mu**2) ** 3
        hessian: FloatArray = np.einsum("ec,ca,cb->eab", diagonal, self.turn, self.turn)
        return hessian


class SmoothedLargest(SmoothedNorm):
    """The Moreau envelope max <z, u> - mu/2 ||z||^2 over ||z||_1 <= 1."""

    def at(self, u: FloatArray, mu: float) -> tuple[FloatArray, FloatArray]:
        z = project_rows(u / mu, np.ones(len(u)), 1.0)
        return np.einsum("ec,ec->e", z, u - 0.5 * mu * z), z

    def hessian(self, u: FloatArray, mu: float) -> FloatArray:
        """Return an element of the generalised Jacobian of the projection, over mu."""
        z = self.at(u, mu)[1]
        signs = np.sign(z)
        active = np.abs(signs)
        outside = np.abs(u).sum(axis=1) > mu
        active[~outside] = 1.0
        inner = active[:, :, None] * np.eye(u.shape[1])
        count = np.maximum(active.sum(axis=1), 1.0)
        tangent = signs[:, :, None] * signs[:, None, :] / count[:, None, None]
        return (inner - outside[:, None, None] * tangent) / mu


def smoothed_norm(p: float, d: int) -> SmoothedNorm:
    """Return L_mu of the norm p in d dimensions."""
    if p == 2 and d > 1:
        return SmoothedEuclidean()
    turned = absolute_values(p, d)
    return SmoothedLargest() if turned is None else SmoothedAbsolute(*turned)


def absolute_values(p: float, d: int) -> tuple[FloatArray, float] | None:
    """Return the `turn` and the `share` by which a norm is a sum of absolute values, or None."""
    if p == 1 or d == 1:
        return np.eye(d), 1.0
    return (np.array([[1.0, 1.0], [1.0, -1.0]]), 0.5) if p == np.inf and d == 2 else None


@dataclass(frozen=True)
class ValueModel:
    """v(e) + g' (eps - e) + 1/2 (eps - e)' K (eps - e), and where it was made.

    Attributes
    ----------
    x : ndarray, shape (K, d)
        The minimiser of f_mu at e.
    constant : float
    slope : ndarray, shape (k,)
    curvature : ndarray, shape (k, k)
        The model is constant + slope' eps + 1/2 eps' curvature eps.
    """

    x: FloatArray
    constant: float
    slope: FloatArray
    curvature: FloatArray


class SmoothedLowerLevel:
    """f_mu at one eps (k,)."""

    def __init__(self, blocks: BlockModel, eps: FloatArray, mu: float) -> None:
        self.blocks, self.eps, self.mu = blocks, eps, mu
        self.data = blocks.data + (blocks.data_rates @ eps).reshape(blocks.data.shape)
        self.radii = blocks.radii + blocks.radii_rates @ eps
        self.norm = smoothed_norm(blocks.p, blocks.d)
        self._mass = blocks.masses[:, None]
        d, (K, E) = blocks.d, (len(blocks.data), len(blocks.edges))
        incidence = sp.coo_array(
            (
                np.tile([1.0, -1.0], E),
                (np.repeat(np.arange(E), 2), blocks.edges.ravel()),
            ),
            shape=(E, K),
        )
        self._difference = sp.kron(incidence, sp.eye_array(d)).tocsr()

    def at(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return f_mu and its gradient: shape (K, d)."""
        length, z = self.norm.at(self.blocks.differences(x), self.mu)
        misfit = x - self.data
        value = 0.5 * float((self._mass * misfit**2).sum()) + float(self.radii @ length)
        return value, self._mass * misfit + self.blocks.adjoint(self.radii[:, None] * z)

    def factor(self, x: FloatArray) -> Any:
        """Return the factors of the Hessian in x.

        It is regularised if rounding makes it singular, as capacities do that are very large.
        """
        mass = sp.diags_array(np.repeat(self.blocks.masses, self.blocks.d))
        if len(self.radii):
            curvature = self.norm.hessian(self.blocks.differences(x), self.mu)
            weighted = sp.block_diag(list(self.radii[:, None, None] * curvature), format="csr")
            mass = mass + self._difference.T @ weighted @ self._difference
        hessian = sp.csc_array(mass)
        try:
            return splu(hessian)
        except RuntimeError:
            least = REGULARISATION * float(hessian.diagonal().max())
            return splu(sp.csc_array(hessian + least * sp.eye_array(hessian.shape[0])))

    def minimise(self, x: FloatArray) -> FloatArray:
        """Return the minimiser, by Newton's method from x."""
        spread = float(np.abs(self.data - self.data.mean(axis=0)).max(initial=0.0)) or 1.0
        value, gradient = self.at(x)
        for _ in range(NEWTON_STEPS):
            if float(np.abs(gradient / self._mass).max()) <= TOL * spread:
                break
            direction = -self.factor(x).solve(gradient.ravel()).reshape(x.shape)
            slope, step = float(np.vdot(gradient, direction)), 1.0
            for _ in range(HALVINGS):
                trial = x + step * direction
                new, new_gradient = self.at(trial)
                if new <= value + ARMIJO * step * slope + 1e-15 * abs(value):
                    break
                step /= 2
            else:
                break
            x, value, gradient = trial, new, new_gradient
        return x

    def model(self, x: FloatArray) -> ValueModel:
        """Return the second-order model of v_mu, from the minimiser x."""
        blocks = self.blocks
        length, z = self.norm.at(blocks.differences(x), self.mu)
        mass = np.repeat(blocks.masses, blocks.d)
        weighted = sp.diags_array(mass) @ blocks.data_rates
        slope = -(weighted.T @ (x - self.data).ravel()) + blocks.radii_rates.T @ length
        spread_radii = sp.kron(blocks.radii_rates, np.ones((blocks.d, 1)))
        flow = self._difference.T @ (sp.diags_array(z.ravel()) @ spread_radii)
        rates = (flow - weighted).toarray()
        curvature = (blocks.data_rates.T @ weighted).toarray()
        curvature -= rates.T @ self.factor(x).solve(rates)
        curvature = (curvature + curvature.T) / 2
        value, eps = self.at(x)[0], self.eps
        constant = value - float(slope @ eps) + 0.5 * float(eps @ curvature @ eps)
        return ValueModel(x, constant, slope - curvature @ eps, curvature)
