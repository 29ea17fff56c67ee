"""Compiled loops over the edges, in which the lower-level solver spends most of its time.

Edge e joins tails[e] and heads[e] and has capacity radii[e] and penalty sigma[e]. Its dual variable
lies in the q-ball of radius radii[e], q in {1, 2, inf}. X, data and forces have shape (n, d); Y, Z
and U have shape (m, d). The functions write their results to arrays that are passed as arguments.

The generalised Jacobian of the projection of an edge is stored as diag(a_e) - v_e v_e'.
"""

from __future__ import annotations

import numpy as np

from bilad.models.validation import FloatArray, IntArray
from bilad.solvers.clustering.kernel import kernel


@kernel
def project(y: FloatArray, radius: float, q: float, z: FloatArray) -> bool:
    """Write the projection of the vector y on the q-ball to z; return whether y is outside."""
    d = len(y)
    if q == np.inf or d == 1:
        outside = False
        for k in range(d):
            z[k] = min(max(y[k], -radius), radius)
            outside = outside or z[k] != y[k]
        return outside
    if q == 2.0:
        square = 0.0
        for k in range(d):
            square += y[k] * y[k]
        outside = square > radius * radius
        scale = radius / np.sqrt(square) if outside else 1.0
        for k in range(d):
            z[k] = scale * y[k]
        return outside
    return project_on_cross_polytope(y, radius, z)


@kernel
def project_on_cross_polytope(y: FloatArray, radius: float, z: FloatArray) -> bool:
    """Project y on the l1 ball by soft thresholding (Michelot 1986); return whether y is outside.

    Thresholds are stored relative to the largest entry, which avoids cancellation if y is far
    outside.
    """
    d = len(y)
    total = peak = 0.0
    for k in range(d):
        total += abs(y[k])
        peak = max(peak, abs(y[k]))
    if total <= radius:
        z[:] = y
        return False
    active, level = d + 1, -np.inf
    while True:
        total, count = 0.0, 0
        for k in range(d):
            if abs(y[k]) - peak > level:
                total += abs(y[k]) - peak
                count += 1
        if count >= active or count == 0:
            break
        active, level = count, (total - radius) / count
    for k in range(d):
        z[k] = np.sign(y[k]) * max(abs(y[k]) - peak - level, 0.0)
    return True


@kernel
def adjoint(tails: IntArray, heads: IntArray, Z: FloatArray, forces: FloatArray) -> None:
    """Add B'Z to the forces."""
    for e in range(len(tails)):
        for k in range(Z.shape[1]):
            forces[tails[e], k] += Z[e, k]
            forces[heads[e], k] -= Z[e, k]


@kernel
def fenchel_young(
    tails: IntArray, heads: IntArray, radii: FloatArray, q: float, X: FloatArray, Z: FloatArray
) -> tuple[float, float, float]:
    """Return sum_e r_e ||u_e||_p, sum_e (r_e ||u_e||_p - <z_e, u_e>) and ||Z - Pi(Z + BX)||^2."""
    d = X.shape[1]
    y, z = np.empty(d), np.empty(d)
    fusion = gap = residual = 0.0
    for e in range(len(tails)):
        inner = norm = 0.0
        for k in range(d):
            u = X[tails[e], k] - X[heads[e], k]
            inner += Z[e, k] * u
            y[k] = Z[e, k] + u
            if q == 2.0:
                norm += u * u
            elif q == np.inf:
                norm += abs(u)
            else:
                norm = max(norm, abs(u))
        norm = np.sqrt(norm) if q == 2.0 else norm
        project(y, radii[e], q, z)
        for k in range(d):
            residual += (Z[e, k] - z[k]) ** 2
        fusion += radii[e] * norm
        gap += max(radii[e] * norm - inner, 0.0)
    return fusion, gap, residual


@kernel
def admm_pass(
    tails: IntArray,
    heads: IntArray,
    radii: FloatArray,
    sigma: FloatArray,
    q: float,
    relaxation: float,
    data: FloatArray,
    X: FloatArray,
    Z: FloatArray,
    U: FloatArray,
    forces: FloatArray,
) -> None:
    """Update Z and U by one step of ADMM, and write data + B'(sigma U - Z) to the forces.

    With u = relaxation BX + (1 - relaxation) U and y = z + sigma u: z = Pi(y), U = (y - z) / sigma.
    """
    d = X.shape[1]
    y, z = np.empty(d), np.empty(d)
    forces[:] = data
    for e in range(len(tails)):
        i, j, s = tails[e], heads[e], sigma[e]
        square = 0.0
        for k in range(d):
            u = relaxation * (X[i, k] - X[j, k]) + (1.0 - relaxation) * U[e, k]
            y[k] = Z[e, k] + s * u
            square += y[k] * y[k]
        if q == 2.0:  # inlined, since the call would double the time
            scale = radii[e] / np.sqrt(square) if square > radii[e] * radii[e] else 1.0
            for k in range(d):
                z[k] = scale * y[k]
        else:
            project(y, radii[e], q, z)
        for k in range(d):
            Z[e, k] = z[k]
            U[e, k] = (y[k] - z[k]) / s
            force = y[k] - 2.0 * z[k]
            forces[i, k] += force
            forces[j, k] -= force


@kernel
def moreau_pass(
    tails: IntArray,
    heads: IntArray,
    radii: FloatArray,
    sigma: FloatArray,
    q: float,
    X: FloatArray,
    Z: FloatArray,
    Y: FloatArray,
    P: FloatArray,
    forces: FloatArray,
) -> float:
    """Write y = z + sigma (BX) to Y and Pi(y) to P, and add B'P to the forces.

    Returns sum_e (<Pi(y_e), y_e> - 1/2 ||Pi(y_e)||^2) / sigma_e.
    """
    d = X.shape[1]
    envelope = 0.0
    for e in range(len(tails)):
        i, j, s = tails[e], heads[e], sigma[e]
        for k in range(d):
            Y[e, k] = Z[e, k] + s * (X[i, k] - X[j, k])
        project(Y[e], radii[e], q, P[e])
        total = 0.0
        for k in range(d):
            total += P[e, k] * (Y[e, k] - 0.5 * P[e, k])
            forces[i, k] += P[e, k]
            forces[j, k] -= P[e, k]
        envelope += total / s
    return envelope


@kernel
def jacobian_pass(
    radii: FloatArray,
    sigma: FloatArray,
    q: float,
    Y: FloatArray,
    P: FloatArray,
    a: FloatArray,
    v: FloatArray,
) -> None:
    """Write sigma_e dPi(y_e) = diag(a_e) - v_e v_e'."""
    m, d = Y.shape
    for e in range(m):
        s = sigma[e]
        outside = False
        for k in range(d):
            outside = outside or Y[e, k] != P[e, k]
            a[e, k], v[e, k] = s, 0.0
        if not outside:
            continue
        if q == np.inf or d == 1:
            for k in range(d):
                a[e, k] = s if P[e, k] == Y[e, k] else 0.0
        elif q == 2.0:
            length = np.sqrt((Y[e] * Y[e]).sum())
            scale = s * radii[e] / length
            for k in range(d):
                a[e, k] = scale
                v[e, k] = np.sqrt(scale) * Y[e, k] / length
        else:
            support = 0
            for k in range(d):
                support += P[e, k] != 0.0
            for k in range(d):
                a[e, k] = s if P[e, k] != 0.0 else 0.0
                v[e, k] = np.sqrt(s / support) * np.sign(P[e, k]) if support else 0.0


@kernel
def hessian_times(
    tails: IntArray, heads: IntArray, a: FloatArray, v: FloatArray, D: FloatArray, out: FloatArray
) -> None:
    """Write D + B' (diag(a) - v v') B D."""
    d = D.shape[1]
    out[:] = D
    for e in range(len(tails)):
        i, j = tails[e], heads[e]
        inner = 0.0
        for k in range(d):
            inner += v[e, k] * (D[i, k] - D[j, k])
        for k in range(d):
            flow = a[e, k] * (D[i, k] - D[j, k]) - v[e, k] * inner
            out[i, k] += flow
            out[j, k] -= flow
