"""Compiled loops over the second-order cones of the edges.

Edge e joins lows[e] and highs[e]. With u = x_i - x_j, both s = (t, u) and l = (r, -z) lie in the
cone Q = {(a, b): ||b|| <= a}, and det (a, b) = a^2 - ||b||^2 is positive in its interior. The
Nesterov-Todd scaling of the pair is sqrt(kappa) times the symmetric matrix T of a point w with
det w = 1 that maps (1, 0) to w (Vandenberghe, The CVXOPT linear and quadratic cone program solvers,
2010, section 5):

    kappa = sqrt(det s / det l),   kappa T l = T^-1 s,   det (T l) = det l.

The linearised complementarity of an edge is dl = -T^-2 ds / kappa - rho, from which t is
eliminated:

    dz = H (dx_i - dx_j) - sigma,    sigma = rho_1 + 2 w_0 / (2 w_0^2 - 1) rho_0 w_1,
    H = (I - 2 / (2 w_0^2 - 1) w_1 w_1') / kappa.

`features` is the tuple (0, .., d-1), whose length the compiler knows. The arrays of the edges are
`kappa`, shape (m,); `dets`, shape (2, m), for det s and det l; and of shape (d+1, m), `W` for w,
`scaled` for T l, and `offset` for rho_0 and sigma. Loops with roots and divisions have no indirect
addresses, so that the compiler can vectorise them; `reach`, shape (m,), is their work array.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray
from bilad.solvers.clustering.kernel import Indices, fast_kernel

# det s and det l, relative to t^2 and r^2, are taken to be at least this: rounding may put a heavy
# edge on the boundary while other edges are far from it.
LEAST_DISTANCE = 1e-15


@fast_kernel
def centre(
    features: tuple[int, ...],
    lows: Indices,
    highs: Indices,
    radii: FloatArray,
    mu: float,
    X: FloatArray,
    t: FloatArray,
    Z: FloatArray,
) -> None:
    """Write t and Z with s'l = mu on every edge, where s and l are aligned."""
    d = len(features)
    for e in range(len(lows)):
        i, j, square = lows[e], highs[e], 0.0
        for k in range(d):
            Z[k, e] = X[i, k] - X[j, k]
            square += Z[k, e] * Z[k, e]
        t[e] = square
    for e in range(len(lows)):
        t[e] = (mu + np.sqrt(mu * mu + 4.0 * radii[e] ** 2 * t[e])) / (2.0 * radii[e])
        for k in range(d):
            Z[k, e] *= radii[e] / t[e]


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
    offset: FloatArray,
    H: FloatArray,
    diagonal: FloatArray,
    residual: FloatArray,
    forces: FloatArray,
) -> tuple[bool, float, float, float, float]:
    """Scale every edge, and write the Newton matrix and the right-hand side of the predictor.

    Of the diagonal blocks, the lower triangles are written.

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
    for e in range(len(lows)):
        i, j = lows[e], highs[e]
        for k in range(d):
            W[k + 1, e] = X[i, k] - X[j, k]
    inside = True
    for e in range(len(lows)):
        r = radii[e]
        uu = zz = uz = 0.0
        for k in range(d):
            uu += W[k + 1, e] * W[k + 1, e]
            zz += Z[k, e] * Z[k, e]
            uz += W[k + 1, e] * Z[k, e]
        length, product = np.sqrt(uu), t[e] * r - uz
        products += product
        gaps += r * length - uz
        primal += r * length
        first = max((t[e] - length) * (t[e] + length), LEAST_DISTANCE * t[e] * t[e])
        second = max(r * r - zz, LEAST_DISTANCE * r * r)
        inside &= (first > 0.0) & (second > 0.0)
        ratio = first / np.sqrt(first * second)
        kappa[e], dets[0, e], dets[1, e] = ratio, first, second
        c = 0.5 / np.sqrt(0.5 * (first + product * ratio))
        w0, wz = c * (t[e] + ratio * r), 0.0
        W[0, e] = w0
        for k in range(d):
            W[k + 1, e] = c * (W[k + 1, e] + ratio * Z[k, e])
            wz += W[k + 1, e] * Z[k, e]
        scaled[0, e], offset[0, e] = w0 * r - wz, -r
        share = r - wz / (1.0 + w0)
        q = 2.0 / (2.0 * w0 * w0 - 1.0)
        for k in range(d):
            w = W[k + 1, e]
            scaled[k + 1, e] = w * share - Z[k, e]
            offset[k + 1, e] = Z[k, e] - q * w0 * r * w
    if not inside:
        return False, 0.0, 0.0, 0.0, 0.0
    for i in range(len(X)):
        for k in range(d):
            misfit = X[i, k] - data[i, k]
            primal += 0.5 * masses[i] * misfit * misfit
            residual[i, k] = masses[i] * misfit
            forces[i, k] = 0.0
            for h in range(k):
                diagonal[i, k, h] = 0.0
            diagonal[i, k, k] = masses[i]
    for e in range(len(lows)):
        i, j, inverse = lows[e], highs[e], 1.0 / kappa[e]
        q = 2.0 * inverse / (2.0 * W[0, e] * W[0, e] - 1.0)
        for k in range(d):
            for h in range(d):
                H[e, k, h] = -q * W[k + 1, e] * W[h + 1, e]
            H[e, k, k] += inverse
            residual[i, k] += Z[k, e]
            residual[j, k] -= Z[k, e]
            forces[i, k] += offset[k + 1, e]
            forces[j, k] -= offset[k + 1, e]
            for h in range(k + 1):
                diagonal[i, k, h] += H[e, k, h]
                diagonal[j, k, h] += H[e, k, h]
    stationarity = 0.0
    for i in range(len(X)):
        for k in range(d):
            stationarity += residual[i, k] ** 2 / masses[i]
            forces[i, k] -= residual[i, k]
    return True, stationarity, products, gaps, primal


@fast_kernel
def to_boundary(a: float, b: float, c: float) -> float:
    """Return 1 / x for the least positive root x of a x^2 + 2 b x + c, c > 0; else at most 0.

    The root is the length of the step that reaches the boundary of the cone. Along a direction in
    the cone, a and b are not negative, and the result is not positive: no length reaches it.
    """
    discriminant = b * b - a * c
    return (np.sqrt(max(discriminant, 0.0)) - b) / c if discriminant > 0.0 else 0.0


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
    offset: FloatArray,
    dX: FloatArray,
    dt: FloatArray,
    dZ: FloatArray,
    reach: FloatArray,
) -> float:
    """Write the steps of t and Z for a step of X; return 1 / (the largest step in the cones)."""
    d = len(features)
    for e in range(len(lows)):
        i, j, uv = lows[e], highs[e], 0.0
        for k in range(d):
            dZ[k, e] = dX[i, k] - dX[j, k]
            uv += (X[i, k] - X[j, k]) * dZ[k, e]
        reach[e] = uv
    for e in range(len(lows)):
        w0, share = W[0, e], 1.0 / kappa[e]
        wv = vv = dd = zd = 0.0
        for k in range(d):
            wv += W[k + 1, e] * dZ[k, e]
            vv += dZ[k, e] * dZ[k, e]
        q = 1.0 / (2.0 * w0 * w0 - 1.0)
        grow = q * (offset[0, e] * kappa[e] + 2.0 * w0 * wv)
        for k in range(d):
            dz = share * (dZ[k, e] - 2.0 * q * wv * W[k + 1, e]) - offset[k + 1, e]
            dd += dz * dz
            zd += Z[k, e] * dz
            dZ[k, e] = dz
        dt[e] = grow
        primal = to_boundary(grow * grow - vv, t[e] * grow - reach[e], dets[0, e])
        reach[e] = max(primal, to_boundary(-dd, -zd, dets[1, e]))
    inverse = 0.0
    for e in range(len(lows)):
        inverse = max(inverse, reach[e])
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
    offset: FloatArray,
    forces: FloatArray,
) -> None:
    """Write the offset and the right-hand side of the corrector, for the predictor's dX and dt.

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
        i, j = lows[e], highs[e]
        for k in range(d):
            offset[k + 1, e] = dX[i, k] - dX[j, k]
    for e in range(len(lows)):
        w0, l0, ratio, inverse = W[0, e], scaled[0, e], kappa[e], 1.0 / kappa[e]
        wv = ll = la = aa = lc = wl = wc = 0.0
        for k in range(d):
            wv += W[k + 1, e] * offset[k + 1, e]
        f, a0 = wv / (1.0 + w0) - dt[e], w0 * dt[e] - wv
        for k in range(d):
            w, lk = W[k + 1, e], scaled[k + 1, e]
            a = offset[k + 1, e] + w * f
            ll += lk * lk
            la += lk * a
            aa += a * a
            # The second component of c = centre (1, 0) - kappa l o l + a o l + a o a / kappa.
            c = a0 * lk + (l0 + 2.0 * inverse * a0) * a - 2.0 * ratio * l0 * lk
            lc += lk * c
            wl += w * lk
            wc += w * c
            offset[k + 1, e] = c
        c0 = centre - ratio * (l0 * l0 + ll) + a0 * l0 + la + inverse * (a0 * a0 + aa)
        x0, shrink = (l0 * c0 - lc) / dets[1, e], 1.0 / l0
        wx = (wc - x0 * wl) * shrink
        rho0 = (w0 * x0 - wx) * inverse
        along = (wx / (1.0 + w0) - x0) * inverse + 2.0 * w0 / (2.0 * w0 * w0 - 1.0) * rho0
        offset[0, e] = rho0
        for k in range(d):
            x = (offset[k + 1, e] - x0 * scaled[k + 1, e]) * shrink
            offset[k + 1, e] = x * inverse + W[k + 1, e] * along
    for e in range(len(lows)):
        i, j = lows[e], highs[e]
        for k in range(d):
            forces[i, k] += offset[k + 1, e]
            forces[j, k] -= offset[k + 1, e]
