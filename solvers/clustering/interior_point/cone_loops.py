"""Compiled loops over the second-order cones of the edges.

Edge e joins lows[e] and highs[e]. With u = x_i - x_j, both s = (t, u) and l = (r, -z) lie in the
cone Q = {(a, b): ||b|| <= a}. The Nesterov-Todd scaling of the pair is eta times the reflection
matrix of a point w, w_0^2 - ||w_1||^2 = 1, and `scaled` is the scaled point W l = W^-1 s
(Vandenberghe, The CVXOPT linear and quadratic cone program solvers, 2010, section 5). The
linearised complementarity of an edge is dl = -W^-2 ds - rho, from which t is eliminated:

    dz = H (dx_i - dx_j) - (rho_1 + 2 w_0 / (2 w_0^2 - 1) rho_0 w_1),
    H = (I - 2 / (2 w_0^2 - 1) w_1 w_1') / eta^2.

`features` is the tuple (0, .., d-1), whose length the compiler knows.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.clustering.kernel import Indices, fast_kernel

# The squared distance from the boundary of the cone, relative to the length, is taken to be at
# least this: rounding may put a heavy edge on the boundary while other edges are far from it.
LEAST_DISTANCE = 1e-15
FAR = 1e30  # a step to the boundary that is not met


@fast_kernel
def scale(
    features: tuple[int, ...],
    lows: Indices,
    highs: Indices,
    radii: FloatArray,
    masses: FloatArray,
    data: FloatArray,
    X: FloatArray,
    t: FloatArray,
    Z: FloatArray,
    eta: FloatArray,
    W: FloatArray,
    scaled: FloatArray,
    rho: FloatArray,
    H: FloatArray,
    diagonal: FloatArray,
    residual: FloatArray,
    forces: FloatArray,
) -> tuple[bool, float, float, float, float]:
    """Scale every edge, and write the Newton matrix and the right-hand side of the predictor.

    Returns
    -------
    ok : bool
        Whether every s and l is in the interior of the cone.
    stationarity : float
        ||M^-1/2 (M (X - A) + B'Z)||^2.
    products : float
        sum_e s_e' l_e.
    gaps : float
        sum_e (r_e ||u_e|| - z_e' u_e).
    primal : float
        The objective at X.
    """
    d = len(features)
    products = gaps = primal = 0.0
    for i in range(len(X)):
        for k in range(d):
            misfit = X[i, k] - data[i, k]
            primal += 0.5 * masses[i] * misfit * misfit
            residual[i, k] = masses[i] * misfit
            forces[i, k] = 0.0
            for h in range(d):
                diagonal[i, k, h] = 0.0
            diagonal[i, k, k] = masses[i]
    for e in range(len(lows)):
        i, j = lows[e], highs[e]
        uu = zz = uz = 0.0
        for k in range(d):
            u, z = X[i, k] - X[j, k], Z[e, k]
            uu += u * u
            zz += z * z
            uz += u * z
        length, flow, r = np.sqrt(uu), np.sqrt(zz), radii[e]
        products += t[e] * r - uz
        gaps += r * length - uz
        primal += r * length
        first = max((t[e] - length) * (t[e] + length), LEAST_DISTANCE * t[e] * t[e])
        second = max((r - flow) * (r + flow), LEAST_DISTANCE * r * r)
        if not (first > 0.0 and second > 0.0):
            return False, 0.0, 0.0, 0.0, 0.0
        slack, dual = 1.0 / np.sqrt(first), 1.0 / np.sqrt(second)
        c = 0.5 / np.sqrt(0.5 * (1.0 + (t[e] * r - uz) * slack * dual))
        w0 = c * (t[e] * slack + r * dual)
        wz = 0.0
        for k in range(d):
            W[e, k + 1] = c * ((X[i, k] - X[j, k]) * slack + Z[e, k] * dual)
            wz += W[e, k + 1] * Z[e, k]
        W[e, 0] = w0
        eta[e] = np.sqrt(dual / slack)
        scaled[e, 0] = eta[e] * (w0 * r - wz)
        rho[e, 0] = -r
        share = r - wz / (1.0 + w0)
        inverse = slack / dual
        q = 2.0 / (2.0 * w0 * w0 - 1.0)
        for k in range(d):
            w, z = W[e, k + 1], Z[e, k]
            scaled[e, k + 1] = eta[e] * (w * share - z)
            rho[e, k + 1] = z
            residual[i, k] += z
            residual[j, k] -= z
            force = z - q * w0 * r * w
            forces[i, k] += force
            forces[j, k] -= force
            for h in range(d):
                value = -inverse * q * w * W[e, h + 1]
                if h == k:
                    value += inverse
                H[e, k, h] = value
                diagonal[i, k, h] += value
                diagonal[j, k, h] += value
    stationarity = 0.0
    for i in range(len(X)):
        for k in range(d):
            stationarity += residual[i, k] ** 2 / masses[i]
            forces[i, k] -= residual[i, k]
    return True, stationarity, products, gaps, primal


@fast_kernel
def to_boundary(a: float, b: float, c: float, growing: bool) -> float:
    """Return the least positive root of a x^2 + 2 b x + c, c > 0: the step out of the cone."""
    if growing and a >= 0.0:
        return FAR
    discriminant = b * b - a * c
    if discriminant < 0.0:
        return FAR
    root = np.sqrt(discriminant)
    if a < 0.0 or b < 0.0:
        return c / (root - b) if root > b else FAR
    return FAR


@fast_kernel
def step(
    features: tuple[int, ...],
    lows: Indices,
    highs: Indices,
    radii: FloatArray,
    X: FloatArray,
    t: FloatArray,
    Z: FloatArray,
    eta: FloatArray,
    W: FloatArray,
    rho: FloatArray,
    H: FloatArray,
    dX: FloatArray,
    dt: FloatArray,
    dZ: FloatArray,
) -> float:
    """Write the steps of t and Z for a step of X; return the largest step inside the cones."""
    d = len(features)
    largest = FAR
    for e in range(len(lows)):
        i, j = lows[e], highs[e]
        w0, wv = W[e, 0], 0.0
        for k in range(d):
            wv += W[e, k + 1] * (dX[i, k] - dX[j, k])
        g = 2.0 * w0 / (2.0 * w0 * w0 - 1.0)
        dt[e] = rho[e, 0] * eta[e] * eta[e] / (2.0 * w0 * w0 - 1.0) + g * wv
        uu = vv = uv = zz = dd = zd = 0.0
        for k in range(d):
            dz = -rho[e, k + 1] - g * rho[e, 0] * W[e, k + 1]
            for h in range(d):
                dz += H[e, k, h] * (dX[i, h] - dX[j, h])
            dZ[e, k] = dz
            u, v, z = X[i, k] - X[j, k], dX[i, k] - dX[j, k], Z[e, k]
            uu += u * u
            vv += v * v
            uv += u * v
            zz += z * z
            dd += dz * dz
            zd += z * dz
        length, flow = np.sqrt(uu), np.sqrt(zz)
        primal = to_boundary(
            dt[e] * dt[e] - vv,
            t[e] * dt[e] - uv,
            (t[e] - length) * (t[e] + length),
            dt[e] >= 0.0,
        )
        dual = to_boundary(-dd, -zd, (radii[e] - flow) * (radii[e] + flow), True)
        largest = min(largest, primal, dual)
    return largest


@fast_kernel
def correct(
    features: tuple[int, ...],
    lows: Indices,
    highs: Indices,
    eta: FloatArray,
    W: FloatArray,
    scaled: FloatArray,
    dX: FloatArray,
    dt: FloatArray,
    centre: float,
    share: float,
    residual: FloatArray,
    rho: FloatArray,
    forces: FloatArray,
) -> None:
    """Write rho and the right-hand side of the corrector, for the predictor's dX and dt.

    Parameters
    ----------
    centre : float
        The product of s and l that is aimed at, sigma mu.
    share : float
        1 - sigma, the share of the residual that the step removes.
    """
    d = len(features)
    a = np.empty(d)
    b = np.empty(d)
    for i in range(len(residual)):
        for k in range(d):
            forces[i, k] = -share * residual[i, k]
    for e in range(len(lows)):
        i, j = lows[e], highs[e]
        w0, l0, inverse = W[e, 0], scaled[e, 0], 1.0 / eta[e]
        wv = ll = la = aa = 0.0
        for k in range(d):
            wv += W[e, k + 1] * (dX[i, k] - dX[j, k])
        f = wv / (1.0 + w0) - dt[e]
        a0 = (w0 * dt[e] - wv) * inverse
        for k in range(d):
            a[k] = (dX[i, k] - dX[j, k] + W[e, k + 1] * f) * inverse
            ll += scaled[e, k + 1] ** 2
            la += scaled[e, k + 1] * a[k]
            aa += a[k] * a[k]
        # The target is centre (1, 0) - scaled o scaled - a o b with b = -scaled - a, that is
        # centre (1, 0) - scaled o scaled + a o scaled + a o a.
        c0 = centre - l0 * l0 - ll + a0 * l0 + la + a0 * a0 + aa
        lc = 0.0
        for k in range(d):
            lk = scaled[e, k + 1]
            b[k] = a0 * lk + (l0 + 2.0 * a0) * a[k] - 2.0 * l0 * lk
            lc += lk * b[k]
        norm = np.sqrt(ll)
        x0 = (l0 * c0 - lc) / ((l0 - norm) * (l0 + norm))
        wx = 0.0
        for k in range(d):
            b[k] = (b[k] - x0 * scaled[e, k + 1]) / l0
            wx += W[e, k + 1] * b[k]
        f = wx / (1.0 + w0) - x0
        rho0 = (w0 * x0 - wx) * inverse
        rho[e, 0] = rho0
        g = 2.0 * w0 / (2.0 * w0 * w0 - 1.0)
        for k in range(d):
            value = (b[k] + W[e, k + 1] * f) * inverse
            rho[e, k + 1] = value
            force = value + g * W[e, k + 1] * rho0
            forces[i, k] += force
            forces[j, k] -= force
