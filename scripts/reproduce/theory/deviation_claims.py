"""What the paper says of deviation functions, judged by the counterexamples found."""

from __future__ import annotations

from collections.abc import Sequence

from bilad.scripts.reproduce.section import Claim
from bilad.scripts.reproduce.theory.identity_checks import IdentityRow
from bilad.scripts.reproduce.theory.property_checks import PropertyRow
from bilad.scripts.reproduce.theory.spill_paths import PathRow
from bilad.scripts.reproduce.verdict import agrees_if
from bilad.solvers.deviation_properties import ALONG, IN_NORM, NONNEGATIVE, ZERO


def deviation_claims(rows: Sequence[PropertyRow], paths: Sequence[PathRow]) -> list[Claim]:
    """Judge the claims of sections 5, 6.2 and 6.4."""
    return [_spills(paths), _signs(rows), _delta(rows), _rand(rows), _nmi(rows)]


def closed_form_claim(found: Sequence[IdentityRow]) -> Claim:
    """Judge whether 1 - RI has no closed form where delta has one."""
    tried, wrong = sum(row.tried for row in found), sum(row.wrong for row in found)
    return Claim(
        "Summary of the paper, design tradeoffs",
        "delta has explicit formulas, 1 - RI has no closed form.",
        f"1 - RI is delta / (n (n - 1)) on {tried - wrong} of {tried} partitions, so Theorems 3 to "
        "5 are formulas of both",
        agrees_if(wrong > 0),
    )


def failing(rows: Sequence[PropertyRow], deviation: str, wanted: str) -> list[str]:
    """Return the problems with a counterexample.

    Parameters
    ----------
    rows : sequence of PropertyRow
    deviation, wanted : str
        The function and the property.
    """
    return [row.problem for row in _of(rows, deviation, wanted) if not row.holds]


def _of(rows: Sequence[PropertyRow], deviation: str, wanted: str) -> list[PropertyRow]:
    return [row for row in rows if row.deviation == deviation and row.property == wanted]


def _spills(paths: Sequence[PathRow]) -> Claim:
    own = [row for row in paths if row.deviation == "delta" and row.clusters == 2]
    within = sum(row.falls_in_range for row in own)
    beyond = sum(row.falls for row in own)
    return Claim(
        "Section 5, Theorem 3 (ii)",
        "For s <= min(n_1, ceil(n / 2)) delta is nondecreasing in s; beyond, it need not be.",
        f"Falls within the range on {within} of {len(own)} random spills, beyond on "
        f"{beyond - within}.",
        agrees_if(len(own) > 0 and within == 0 and beyond > 0),
    )


def _signs(rows: Sequence[PropertyRow]) -> Claim:
    own = [row for name in (ZERO, NONNEGATIVE) for row in _of(rows, "delta", name)]
    wrong = sum(not row.holds for row in own)
    return Claim(
        "Section 5, proof of Theorem 3",
        "delta is 0 at eps = 0 and nowhere negative.",
        f"{wrong} counterexamples on {len({row.problem for row in own})} problems.",
        agrees_if(len(own) > 0 and wrong == 0),
    )


def _delta(rows: Sequence[PropertyRow]) -> Claim:
    return Claim(
        "Section 6.2",
        "delta is nondecreasing in ||eps||, along the perturbation of the experiments.",
        _falls(rows, "delta"),
        agrees_if(not failing(rows, "delta", ALONG)),
    )


def _rand(rows: Sequence[PropertyRow]) -> Claim:
    same = all(
        failing(rows, "rand", name) == failing(rows, "delta", name) for name in (ALONG, IN_NORM)
    )
    where = "the same problems as delta" if same else "other problems than delta"
    properties = (ZERO, NONNEGATIVE, ALONG)
    return Claim(
        "Section 6.4, equation (4)",
        "1 - RI satisfies the properties of a deviation function.",
        f"{_falls(rows, 'rand')} It fails on {where}: it is delta / (n (n - 1)).",
        agrees_if(not any(failing(rows, "rand", name) for name in properties)),
    )


def _nmi(rows: Sequence[PropertyRow]) -> Claim:
    return Claim(
        "Section 6.4",
        "NMI does not preserve monotonicity.",
        f"1 - NMI: {_falls(rows, 'nmi')}",
        agrees_if(bool(failing(rows, "nmi", ALONG))),
    )


def _falls(rows: Sequence[PropertyRow], deviation: str) -> str:
    """Return where it falls along a ray, and the first counterexample."""
    own = _of(rows, deviation, ALONG)
    wrong = [row for row in own if not row.holds]
    names = f" ({'; '.join(row.problem for row in wrong)})" if wrong else ""
    text = f"Falls along a ray on {len(wrong)} of {len(own)} problems{names}."
    if wrong:
        first = wrong[0]
        text += (
            f" On {first.problem}: {first.value:.6g} at eps = {first.eps}, {first.other_value:.6g} "
            f"at eps = {first.other_eps}."
        )
    return text
