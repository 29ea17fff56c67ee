"""Compiled loops over the second-order cones of the edges.

Edge e joins lows[e] and highs[e]. With u = x_i - x_j, both s = (t, u) and l = (r, -z) lie in the
cone Q = {(a, b): ||b|| <= a}, and det (a, b) = a^2 - ||b||^2 is positive in its interior. The
Nesterov-Todd scaling of the pair is sqrt(kappa) times the symmetric matrix T of a point w with
det w = 1 that maps (1, 0) to w (Vandenberghe, The CVXOPT linear and quadratic cone program solvers,
2010, section 5):

    kappa = sqrt(det s / det l),   kappa T l = T^-1 s,   det (T l) = det l.

The linearised complementarity of an edge is dl = -T^-2 ds / kappa - rho, from which t is
eliminated:

    dz = H (dx_i - dx_j) - (rho_1 + 2 w_0 / (2 w_0^2 - 1) rho_0 w_1),
    H = (I - 2 / (2 w_0^2 - 1) w_1 w_1') / kappa.

`features` is the tuple (0, .., d-1), whose length the compiler knows. The arrays of the edges are

    kappa, dets, W, scaled, rho    shapes (m,), (m, 2), (m, d+1), (m, d+1), (m, d+1):

kappa, det s and det l, w, T l, and rho.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.clustering.kernel import Indices, fast_kernel

# det s and det l, relative to t^2 and r^2, are taken to be at least this: rounding may put a heavy
# edge on the boundary while other edges are far from it.
LEAST_DISTANCE = 1e-15


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
    kappa: FloatArray,
    dets: FloatArray,
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
        i, j, r = lows[e], highs[e], radii[e]
        uu = zz = uz = 0.0
        for k in range(d):
            u, z = X[i, k] - X[j, k], Z[e, k]
            uu += u * u
            zz += z * z
            uz += u * z
        length, product = np.sqrt(uu), t[e] * r - uz
        products += product
        gaps += r * length - uz
        primal += r * length
        first = max((t[e] - length) * (t[e] + length), LEAST_DISTANCE * t[e] * t[e])
        second = max(r * r - zz, LEAST_DISTANCE * r * r)
        if not (first > 0.0 and second > 0.0):
            return False, 0.0, 0.0, 0.0, 0.0
        inverse = 1.0 / np.sqrt(first * second)
        ratio, inverse = first * inverse, second * inverse
        c = 0.5 / np.sqrt(0.5 * (first + product * ratio))
        w0 = c * (t[e] + ratio * r)
        wz = 0.0
        for k in range(d):
            W[e, k + 1] = c * (X[i, k] - X[j, k] + ratio * Z[e, k])
            wz += W[e, k + 1] * Z[e, k]
        kappa[e], dets[e, 0], dets[e, 1], W[e, 0] = ratio, first, second, w0
        scaled[e, 0] = w0 * r - wz
        rho[e, 0] = -r
        share = r - wz / (1.0 + w0)
        q = 2.0 / (2.0 * w0 * w0 - 1.0)
        for k in range(d):
            w, z = W[e, k + 1], Z[e, k]
            scaled[e, k + 1] = w * share - z
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
def to_boundary(a: float, b: float, c: float) -> float:
    """Return 1 / x for the least positive root x of a x^2 + 2 b x + c, c > 0; 0 if there is none.

    It is the step to the boundary of the cone, where b >= 0 if it leads along the cone.
    """
    discriminant = b * b - a * c
    return (np.sqrt(discriminant) - b) / c if discriminant > 0.0 else 0.0


@fast_kernel
def step(
    features: tuple[int, ...],
    lows: Indices,
    highs: Indices,
    X: FloatArray,
    t: FloatArray,
    Z: FloatArray,
    kappa: FloatArray,
    dets: FloatArray,
    W: FloatArray,
    rho: FloatArray,
    dX: FloatArray,
    dt: FloatArray,
    dZ: FloatArray,
) -> float:
    """Write the steps of t and Z for a step of X; return 1 / (the largest step in the cones)."""
    d = len(features)
    inverse = 0.0
    for e in range(len(lows)):
        i, j, w0, rho0 = lows[e], highs[e], W[e, 0], rho[e, 0]
        wv = uv = vv = 0.0
        for k in range(d):
            v = dX[i, k] - dX[j, k]
            wv += W[e, k + 1] * v
            uv += (X[i, k] - X[j, k]) * v
            vv += v * v
        q = 1.0 / (2.0 * w0 * w0 - 1.0)
        grow = q * (rho0 * kappa[e] + 2.0 * w0 * wv)
        share = 1.0 / kappa[e]
        along = 2.0 * q * (w0 * rho0 + wv * share)
        dd = zd = 0.0
        for k in range(d):
            dz = (dX[i, k] - dX[j, k]) * share - rho[e, k + 1] - along * W[e, k + 1]
            dZ[e, k] = dz
            dd += dz * dz
            zd += Z[e, k] * dz
        dt[e] = grow
        primal = to_boundary(grow * grow - vv, t[e] * grow - uv, dets[e, 0])
        dual = to_boundary(-dd, -zd, dets[e, 1])
        inverse = max(inverse, primal, dual)
    return inverse


@fast_kernel
def correct(
    features: tuple[int, ...],
    lows: Indices,
    highs: Indices,
    kappa: FloatArray,
    dets: FloatArray,
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
    for i in range(len(residual)):
        for k in range(d):
            forces[i, k] = -share * residual[i, k]
    for e in range(len(lows)):
        i, j, w0, l0, inverse = lows[e], highs[e], W[e, 0], scaled[e, 0], 1.0 / kappa[e]
        wv = ll = la = aa = 0.0
        for k in range(d):
            wv += W[e, k + 1] * (dX[i, k] - dX[j, k])
        f, a0 = wv / (1.0 + w0) - dt[e], w0 * dt[e] - wv
        for k in range(d):
            a, lk = dX[i, k] - dX[j, k] + W[e, k + 1] * f, scaled[e, k + 1]
            ll += lk * lk
            la += lk * a
            aa += a * a
            # The second component of c = centre (1, 0) - kappa l o l + a o l + a o a / kappa.
            rho[e, k + 1] = a0 * lk + (l0 + 2.0 * inverse * a0) * a - 2.0 * kappa[e] * l0 * lk
        c0 = centre - kappa[e] * (l0 * l0 + ll) + a0 * l0 + la + inverse * (a0 * a0 + aa)
        lc = wl = wc = 0.0
        for k in range(d):
            lc += scaled[e, k + 1] * rho[e, k + 1]
            wl += W[e, k + 1] * scaled[e, k + 1]
            wc += W[e, k + 1] * rho[e, k + 1]
        x0, shrink = (l0 * c0 - lc) / dets[e, 1], 1.0 / l0
        wx = (wc - x0 * wl) * shrink
        f = wx / (1.0 + w0) - x0
        rho0 = (w0 * x0 - wx) * inverse
        rho[e, 0] = rho0
        g = 2.0 * w0 / (2.0 * w0 * w0 - 1.0)
        for k in range(d):
            x = (rho[e, k + 1] - x0 * scaled[e, k + 1]) * shrink
            value = (x + W[e, k + 1] * f) * inverse
            rho[e, k + 1] = value
            force = value + g * W[e, k + 1] * rho0
            forces[i, k] += force
            forces[j, k] -= force
