"""Part `fig4`: Figure 4, the interval with unchanged partition and the first changes (section 6.1).

Theorem 2 and calmness are checked along the same ray, and SSNAL is compared with the exact method.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from matplotlib.figure import Figure

from bilad.models import deviation, recovery_interval
from bilad.models.deviation import contingency
from bilad.models.validation import IntArray
from bilad.scripts.certificates.ray_steps import moved_points
from bilad.scripts.reproduce.figures.ray import (
    Ray,
    delta,
    draw_value,
    figure_part,
    n_changed_matched,
    name_eps,
    shade_interval,
)
from bilad.scripts.reproduce.part import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    Bench,
    Claim,
    Section,
    Table,
    Text,
    agrees_if,
)
from bilad.scripts.settings import Setting
from bilad.solvers import certify
from bilad.solvers.certificates.calmness import GLOBAL_MODULUS, empirical_modulus
from bilad.solvers.clustering.cluster import solve_lower
from bilad.solvers.clustering.ssnal.ssnal import solve_ssnal

WHERE = "Section 6.1, Figure 4"
SPLIT = 1e-9  # shorter intervals of eps arise from rounding of gamma and are not counted
PAPER_MOVED, PAPER_DELTA = 6, 1128  # the first jump in the paper
SUMMARY = "Summary of the paper"
ROUNDING = 1e-9
TOL, TIGHT = 1e-10, 1e-12
MARGIN = 0.1  # of the picture around the interval, relative to its length
SOLVES = 9  # number of eps at which SSNAL is compared with the exact method
BREAKS = (
    "The file curve.csv has a row for each open interval with constant partition and for each "
    "break between two of them. At a break the partition can differ from both sides; claims are "
    "judged on intervals and breaks alike, and the pictures show such a break as a dot. gamma and "
    "the shift are doubles, which are taken as exact rational numbers; changes that would coincide "
    "for gamma = 1/10 can therefore differ in the last digit."
)


@dataclass(frozen=True)
class FirstChange:
    """The change of the partition closest to eps = 0 on one side; delta = 2 (torn + joined)."""

    side: str  # "eps < 0" or "eps > 0"
    eps: float
    exact: str  # eps as a fraction
    points: str  # the points that leave most of their cluster or join another, counted from 1
    moved: int  # s, the number of changed labels after the best renaming of clusters
    clusters: int  # beyond the change
    delta: int
    torn: int  # pairs that are separated
    joined: int  # pairs that are joined
    by_theorem_3: int  # 2 s (n - s), the value of delta for two clusters before and after


@dataclass(frozen=True)
class Comparison:
    """The solutions of SSNAL and of the exact method at one eps."""

    eps: float
    difference: float  # ||X_ssnal - X_exact||_F
    proved: float  # sqrt(2 g) + sqrt(2 h) with the duality gaps g and h, a bound on the difference
    same_labels: bool
    status: str  # of SSNAL
    newton_steps: int  # to the tolerance 1e-12, after ADMM has reduced the gap to about 1e-6
    seconds: float  # of SSNAL to the tolerance 1e-10, without a warm start

    @property
    def within(self) -> bool:
        """Whether SSNAL converged and the difference is within its bound."""
        return self.status == "optimal" and self.difference <= self.proved


def figure4(bench: Bench, ray: Ray) -> Section:
    """Determine the first changes, compare the solvers, and return the report."""
    setting = ray.setting
    changes = bench.collect("first_changes", first_changes(ray), FirstChange, 2)
    certificate = certify(setting.max_deviation())
    solved = bench.collect("ssnal", comparisons(setting, SOLVES), Comparison, SOLVES)
    caption = (
        "N_chg (labels matched) and delta near eps = 0. Shaded: the interval on which the "
        "partition is that at eps = 0; darker: the part that `certify` proves for |eps|."
    )
    picture = bench.picture("figure4", caption, lambda figure: draw(figure, ray, certificate.lower))
    table = Table(
        "The first change on either side",
        [{k: v for k, v in asdict(change).items() if k != "exact"} for change in changes],
        "points: those that leave most of their cluster or join another, counted from 1; moved: s, "
        "their number after the best renaming of clusters. torn, joined: pairs of points; delta = "
        "2 (torn + joined). by_theorem_3: 2 s (n - s), the value of delta for two clusters before "
        "and after.",
    )
    claims = [
        *ssnal_claims(solved),
        *robustness_claims(ray.interval, certificate.lower, changes, setting.points),
        *theory_claims(ray, solved),
    ]
    return Section([Text(f"Our setting: {setting.describe()}. {BREAKS}"), picture, table], claims)


def draw(figure: Figure, ray: Ray, certified: float) -> None:
    """Draw N_chg and delta near 0; no |eps| < `certified` changes the partition."""
    low, high = ray.interval
    rim = MARGIN * (high - low)
    window = max(low - rim, ray.path.low), min(high + rim, ray.path.high)
    upper, lower = figure.subplots(2, 1, sharex=True)
    style = {"color": BLUE, "linewidth": 1.6}
    draw_value(upper, ray, n_changed_matched, "N_chg", **style)
    draw_value(lower, ray, delta, "delta", **(style | {"color": ORANGE}))
    seen = [s for s in ray.sites if s.high > window[0] and s.low < window[1]]
    tops = max(s.n_changed_matched for s in seen), max(s.delta for s in seen)
    for axes, top, name in ((upper, tops[0], "N_chg [points]"), (lower, tops[1], "delta [pairs]")):
        shade_interval(axes, low, high, "partition of eps = 0", GREEN)
        shade_interval(axes, -certified, certified, "certified for |eps|", GREY)
        axes.set(xlim=window, ylim=(-0.06 * max(top, 1), 1.12 * max(top, 1)), ylabel=name)
    name_eps(lower, ray)
    lines = [*upper.get_legend_handles_labels()[0], lower.get_lines()[0]]
    figure.legend(handles=lines, loc="outside upper center", ncols=4)


def first_changes(ray: Ray) -> Iterator[FirstChange]:
    """Yield the first change on either side, apart from intervals that arise from rounding."""
    before = ray.baseline
    for sign, side in ((-1, "eps < 0"), (1, "eps > 0")):
        changed = [site for site in ray.outwards(sign) if not site.same]
        beyond = [site for site in changed if site.high - site.low > SPLIT]
        if beyond:
            exact = beyond[0].exact_low if sign > 0 else beyond[0].exact_high
            eps = beyond[0].low if sign > 0 else beyond[0].high
            middle = (beyond[0].low + beyond[0].high) / 2
            yield change_of(before, ray.path.labels_at(middle), side, eps, exact)


def change_of(before: IntArray, after: IntArray, side: str, eps: float, exact: str) -> FirstChange:
    """Return the change from one partition to another."""
    table = contingency(before, after)
    both = _pairs(table.ravel())
    moved = int(deviation(before, after, "changed-matched"))
    return FirstChange(
        side=side,
        eps=eps,
        exact=exact,
        points=", ".join(map(str, moved_points(before, after))),
        moved=moved,
        clusters=int(after.max()) + 1,
        delta=int(deviation(before, after, "delta")),
        torn=_pairs(table.sum(axis=1)) - both,
        joined=_pairs(table.sum(axis=0)) - both,
        by_theorem_3=theorem_3(len(before), moved),
    )


def theorem_3(n: int, s: int) -> int:
    """Return delta if s of n points change between two clusters: 2 s (n - s)."""
    return 2 * s * (n - s)


def _pairs(sizes: IntArray) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def robustness_claims(
    interval: tuple[float, float], certified: float, changes: Sequence[FirstChange], n: int
) -> list[Claim]:
    """Return the claims of section 6.1.

    Parameters
    ----------
    interval : tuple of float
        The interval of eps on which the partition is that at eps = 0.
    certified : float
        No |eps| < `certified` changes the partition.
    changes : sequence of FirstChange
    n : int
        Number of points.
    """
    jumps = [f"{c.side}: N_chg 0 to {c.moved}, delta {c.delta}, at {c.eps:.4g}" for c in changes]
    return [
        Claim(
            WHERE,
            "For eps around 0 the clustering is unchanged: N_chg = 0.",
            f"unchanged for eps in ({interval[0]:.6g}, {interval[1]:.6g}), exactly; certified for "
            f"|eps| < {certified:.6g}",
            agrees_if(interval[0] < 0 < interval[1] and certified > 0),
        ),
        Claim(
            WHERE,
            f"At the end of the interval N_chg jumps from 0 to {PAPER_MOVED}, delta to "
            f"{PAPER_DELTA}.",
            f"in our setting: {'; '.join(jumps)}. The paper's parameters are lost",
            "cannot be compared",
        ),
        *form_claims(changes, n),
        Claim(
            WHERE,
            "Attacks exist on the other side of 0 as well.",
            f"the partition changes within the budget on {len(changes)} of 2 sides",
            agrees_if(len(changes) == 2),
        ),
    ]


def form_claims(changes: Sequence[FirstChange], n: int) -> list[Claim]:
    """Return whether the first jumps, the paper's and ours, have the form of Theorem 3."""
    forms = [
        f"{c.side}: delta {c.delta}, 2 s (n - s) = {c.by_theorem_3}, {c.clusters} clusters then"
        for c in changes
    ]
    return [
        Claim(
            f"{WHERE}, and Theorem 3",
            f"The paper's first jump is that of {PAPER_MOVED} of {n} points between two clusters.",
            f"2 s (n - s) = {theorem_3(n, PAPER_MOVED)} for s = {PAPER_MOVED}, n = {n}; the paper "
            f"has {PAPER_DELTA}. (This compares the paper's own numbers.)",
            agrees_if(theorem_3(n, PAPER_MOVED) == PAPER_DELTA),
        ),
        Claim(
            f"{WHERE}, and Theorem 3",
            "At the first jump points move from one cluster to the other, and there are two "
            "clusters before and after.",
            f"in our setting: {'; '.join(forms) or 'no jump'}",
            agrees_if(bool(changes) and all(c.delta == c.by_theorem_3 for c in changes)),
        ),
    ]


def theory_claims(ray: Ray, solved: Sequence[Comparison]) -> list[Claim]:
    """Return the claims on calmness, on Theorem 2, and on SSNAL outside of its conditions."""
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
        f"the largest quotient for {len(places)} eps is {seen.modulus:.3g}; for convex clustering "
        f"L = {GLOBAL_MODULUS:g} is proved for every eps. Labels can change nevertheless",
        agrees_if(seen.modulus <= GLOBAL_MODULUS * (1 + ROUNDING)),
    )


def guaranteed(ray: Ray, eps: float) -> bool:
    """Return whether Theorem 2 guarantees the partition of eps = 0 at an eps."""
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
        f"= {found.gamma:g}; Theorem 2 guarantees the partition for {covered} of {len(inside)} eps "
        f"in the unchanged interval ({low:.4g}, {high:.4g})",
        agrees_if(covered == len(inside)),
    )


def _outside(ray: Ray, solved: Sequence[Comparison]) -> Claim:
    own = [row for row in solved if not guaranteed(ray, row.eps)]
    failed = sum(row.status != "optimal" for row in own)
    where = f"{SUMMARY}, failure signatures"
    claim = "SSNAL fails if gamma is outside [gamma_min, gamma_max)."
    if not own:
        found = "gamma is inside for every eps that was solved"
        return Claim(where, claim, found, "cannot be compared")
    found = f"it fails for {failed} of {len(own)} eps for which gamma is outside"
    return Claim(where, claim, found, agrees_if(failed == len(own)))


def comparisons(setting: Setting, count: int) -> Iterator[Comparison]:
    """Yield the solutions of both solvers for equidistant eps within the budget."""
    model, shift = setting.model(), setting.shift()
    solve_lower(model, "ssnal", tol=TOL)  # compiles
    for eps in np.linspace(-setting.budget, setting.budget, count).tolist():
        moved = shift.apply(model, eps)
        exact, found = solve_lower(moved, "exact"), solve_lower(moved, "ssnal", tol=TOL)
        yield Comparison(
            eps=eps,
            difference=float(np.linalg.norm(found.X - exact.X)),
            proved=found.distance_bound + exact.distance_bound,
            same_labels=bool((found.labels == exact.labels).all()),
            status=found.status,
            newton_steps=solve_ssnal(moved, TIGHT).newton_steps,
            seconds=found.seconds,
        )


def ssnal_claims(rows: Sequence[Comparison]) -> list[Claim]:
    """Return the claims on SSNAL from the beginning of section 6."""
    where = "Section 6, SSNAL"
    worst = max(row.difference for row in rows)
    agreeing = sum(row.same_labels for row in rows)
    steps = [row.newton_steps for row in rows]
    return [
        Claim(
            where,
            "SSNAL converges to the unique solution of the lower level.",
            f"for {len(rows)} eps, ||X_ssnal - X_exact||_F <= {worst:.1e}; by the duality gaps it "
            f"is at most {max(row.proved for row in rows):.1e}; labels are equal for {agreeing}",
            agrees_if(all(row.within for row in rows)),
        ),
        Claim(
            where,
            "Its Newton steps converge superlinearly, often quadratically.",
            f"a rate is a limit, and our implementation is another one: {min(steps)} to "
            f"{max(steps)} Newton steps from a gap near 1e-6 to {TIGHT:g}",
            "cannot be compared",
        ),
        Claim(
            where,
            "Each lower-level problem is solved efficiently.",
            f"at most {max(row.seconds for row in rows):.2g} s each without a warm start, on "
            "another machine than the paper's",
            "cannot be compared",
        ),
    ]


PART = figure_part("fig4", "Figure 4: robustness", figure4)
