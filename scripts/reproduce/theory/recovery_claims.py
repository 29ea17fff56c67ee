"""Theorem 2, its corollary and Examples 3 and 4, judged on every eps of every instance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from bilad.scripts.reproduce.section import Claim
from bilad.scripts.reproduce.theory.recovery_cells import Cell
from bilad.scripts.reproduce.verdict import agrees_if

Holds = Callable[[Cell], bool]


def recovery_claims(found: Sequence[Cell]) -> list[Claim]:
    """Judge what section 3 says of perturbations and recovery.

    Parameters
    ----------
    found : sequence of Cell
        Of all instances.
    """
    return [
        _unperturbed(found),
        _theorem(found),
        _corollary(
            found, "Theorem 2, corollary (without gamma)", "(C1') or (C2') fails", _holds_c2
        ),
        _corollary(
            found,
            "Theorem 2, corollary (with gamma)",
            "(C1') or (C2') fails or gamma leaves [gamma_min(eps), gamma_max(eps))",
            _guaranteed,
        ),
        _likely(found),
        _example(found, "Example 3", "Where (C1') and (C2') hold, the partition stays.", True),
        _example(found, "Example 4", "Where (C2') fails, the partition can change.", False),
    ]


def changed_share(found: Sequence[Cell], holds: Holds) -> float:
    """Return the share of the length of eps of a kind on which the partition is changed."""
    own = [cell for cell in found if holds(cell)]
    length = sum((cell.length for cell in own), Fraction(0))
    changed = sum((cell.length for cell in own if not cell.unchanged), Fraction(0))
    return float(changed / length) if length else float("nan")


def _holds_c2(cell: Cell) -> bool:
    return cell.holds_c2


def _guaranteed(cell: Cell) -> bool:
    return cell.guaranteed


def _unperturbed(found: Sequence[Cell]) -> Claim:
    own = [cell for cell in found if cell.low <= 0 <= cell.high and cell.guaranteed]
    instances = {cell.instance for cell in own}
    wrong = {cell.instance for cell in own if not cell.unchanged}
    return Claim(
        "Theorem 1",
        "If (C1) and (C2) hold and gamma is in [gamma_min, gamma_max), the partition is returned.",
        f"Another is returned on {len(wrong)} of {len(instances)} instances on a line where this "
        "holds, exact. (In the plane and with unequal weights: open question 1.)",
        agrees_if(len(own) > 0 and not wrong),
    )


def _theorem(found: Sequence[Cell]) -> Claim:
    own = [cell for cell in found if cell.guaranteed]
    wrong = sum(not cell.unchanged for cell in own)
    return Claim(
        "Theorem 2",
        "If (C1') and (C2') hold and gamma is in [gamma_min(eps), gamma_max(eps)), the partition "
        "is unchanged.",
        f"Changed in {wrong} of {len(own)} intervals and single eps where this holds, "
        f"{_instances(found)}, exact.",
        agrees_if(len(own) > 0 and wrong == 0),
    )


def _corollary(found: Sequence[Cell], where: str, condition: str, holds: Holds) -> Claim:
    changed = [cell for cell in found if not cell.unchanged]
    against = [cell for cell in changed if holds(cell)]
    example = ""
    if against:
        widest = max(against, key=lambda cell: (-cell.instance, cell.length))
        example = (
            f" On instance {widest.instance}, eps = {float(widest.middle):.4g}: gamma_min = "
            f"{float(widest.gamma_min):.4g} < gamma_max = {float(widest.gamma_max):.4g}; gamma is "
            "not between them."
        )
    return Claim(
        where,
        f"If the partition changes at eps, then {condition}. (Its wording is lost; our reading of "
        "its proof.)",
        f"Not so in {len(against)} of {len(changed)} intervals and single eps where it changes "
        f"({_instances(found)}, gamma fixed).{example}",
        agrees_if(len(changed) > 0 and not against),
    )


def _likely(found: Sequence[Cell]) -> Claim:
    share = changed_share(found, lambda cell: not cell.holds_c2)
    other = changed_share(found, lambda cell: not cell.guaranteed)
    return Claim(
        "Section 3, before Example 4",
        "If (C1') or (C2') fails, it is very likely that the partition changes.",
        f"Changed on {share:.1%} of the eps (by length) where (C2') fails, on {other:.1%} of those "
        f"where Theorem 2 does not apply; {_instances(found)}. The share depends on how far eps "
        "goes, here as far as the clusters are apart, and the paper gives no number.",
        "cannot be compared",
    )


def _example(found: Sequence[Cell], where: str, claim: str, unchanged: bool) -> Claim:
    own = [
        cell
        for cell in found
        if cell.length and cell.guaranteed == unchanged and cell.holds_c2 == unchanged
    ]
    instances = {cell.instance for cell in own if cell.unchanged == unchanged}
    word = "holds and the partition stays" if unchanged else "fails and the partition changes"
    return Claim(
        where,
        f"{claim} (The pattern, in our numbers.)",
        f"There are eps where the condition {word} in {len(instances)} of "
        f"{len({cell.instance for cell in found})} instances.",
        agrees_if(len(instances) > 0),
    )


def _instances(found: Sequence[Cell]) -> str:
    return f"{len({cell.instance for cell in found})} instances"
