"""Calmness and Theorem 2 on the ray: what theory says of the robustness that is seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bilad.models import recovery_interval
from bilad.scripts.reproduce.figures.ray_sites import Ray
from bilad.scripts.reproduce.figures.ssnal_check import Comparison
from bilad.scripts.reproduce.section import Claim
from bilad.scripts.reproduce.verdict import agrees_if
from bilad.solvers.certificates.calmness import GLOBAL_MODULUS, empirical_modulus
from bilad.solvers.lower.cluster import solve_lower

SUMMARY = "Summary of the paper"
ROUNDING = 1e-9


def theory_claims(ray: Ray, solved: Sequence[Comparison]) -> list[Claim]:
    """Judge what is said of calmness, of Theorem 2 in the experiments, and of SSNAL.

    Parameters
    ----------
    ray : Ray
    solved : sequence of Comparison
        SSNAL's solutions along it.
    """
    places = [row.eps for row in solved]
    return [_calm(ray, places), _predicted(ray), _outside(ray, solved)]


def _calm(ray: Ray, places: Sequence[float]) -> Claim:
    setting = ray.setting
    seen = empirical_modulus(
        solve_lower(setting.model()), setting.shift(), [[eps] for eps in places]
    )
    return Claim(
        "Section 2.2, Definition 2",
        "Robustness is calmness: the solution moves by at most L ||eps||.",
        f"the largest quotient at {len(places)} eps is {seen.modulus:.3g}; for convex clustering "
        f"L = {GLOBAL_MODULUS:g} is a theorem, for every eps. Labels can change all the same",
        agrees_if(seen.modulus <= GLOBAL_MODULUS * (1 + ROUNDING)),
    )


def guaranteed(ray: Ray, eps: float) -> bool:
    """Say whether Theorem 2 guarantees the partition of eps = 0 at an eps."""
    setting = ray.setting
    moved = setting.shift().apply(setting.model(), eps)
    return recovery_interval(moved, ray.baseline).recovers


def _predicted(ray: Ray) -> Claim:
    found = recovery_interval(ray.setting.model(), ray.baseline)
    low, high = ray.interval
    inside = np.linspace(low, high, 101)[1:-1].tolist()
    covered = sum(guaranteed(ray, eps) for eps in inside)
    return Claim(
        f"{SUMMARY}, experiment 1",
        "The interval of eps with an unchanged clustering is the one that Theorem 2 predicts.",
        f"at eps = 0: gamma_min = {found.gamma_min:.4g}, gamma_max = {found.gamma_max:.4g}, gamma "
        f"= {found.gamma:g}; Theorem 2 guarantees {covered} of {len(inside)} eps spread over the "
        f"unchanged interval ({low:.4g}, {high:.4g})",
        agrees_if(covered == len(inside)),
    )


def _outside(ray: Ray, solved: Sequence[Comparison]) -> Claim:
    own = [row for row in solved if not guaranteed(ray, row.eps)]
    failed = sum(row.status != "optimal" for row in own)
    claim = "SSNAL fails where gamma is outside [gamma_min, gamma_max)."
    if not own:
        found = "gamma is inside at every eps that was solved"
        return Claim(f"{SUMMARY}, failure signatures", claim, found, "cannot be compared")
    return Claim(
        f"{SUMMARY}, failure signatures",
        claim,
        f"it fails at {failed} of {len(own)} eps where gamma is outside",
        agrees_if(failed == len(own)),
    )
