"""Part `table1`: Table 1, the methods on Iris, Seeds and Wine in our settings (section 6.3).

The runs are those of the study `table1`, each method once and without closing, with finite
differences and a local NLP solver in place of the paper's fmincon.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bilad.models import deviation
from bilad.scripts.experiments.fingerprint import fingerprint
from bilad.scripts.experiments.page import Table, Text
from bilad.scripts.experiments.run import RAY
from bilad.scripts.experiments.runner import run_experiment
from bilad.scripts.experiments.specification import read_specification
from bilad.scripts.experiments.studies import study
from bilad.scripts.experiments.table import taken
from bilad.scripts.experiments.versions import versions
from bilad.scripts.reproduce.paper import PAPER
from bilad.scripts.reproduce.ray import Ray, ray_of
from bilad.scripts.reproduce.section import Bench, Claim, Part, Section, agrees_if
from bilad.scripts.settings import readable_settings
from bilad.solvers.upper import REFORMULATIONS

DIRECT = "direct"
FMINCONS: dict[str, dict[str, Any]] = {
    "fmincon, five starts": {"method": "finite-difference", "restarts": 5},
    "fmincon, one start": {"method": "finite-difference", "restarts": 1},
    "fmincon, interior point": {
        "method": "finite-difference", "restarts": 1, "solver": "trust-constr"
    },
}  # fmt: skip
WHERE, BEYOND = "Section 6.3, Table 1", "Beyond section 6.3, other local NLPs"
NEAR = 1e-9  # of an eps: where delta is compared with its value at eps
MAIN = 0.5  # share of the time that counts as the main cost
COLUMNS = [
    "data", "method", "n", "K", "eps", "delta", "N_chg", "matched", "gap", "solves", "seconds",
    "status",
]  # fmt: skip
CAPTION = (
    "eps, delta: the method's own result. K: clusters at eps = 0. N_chg: changed labels, without "
    "renaming clusters; matched: after the best renaming; both by the parametric path. gap: to the "
    "best of all runs, relative. solves: lower-level solves. No eps: no attack was found."
)
QUESTIONS = {
    "BL1": "largest delta within the budget",
    "BL2": "least |eps| that reaches the target",
}


def run(bench: Bench) -> Section:
    """Run every method on every data set that can be read, and return the report."""
    missing: list[str] = []
    names = ("iris", "wine") if bench.quick else ("iris", "seeds", "wine")
    rays = [ray_of(own) for own in readable_settings(names, missing.append).values()]
    given = specification([ray.setting.dataset for ray in rays], bench.seed, bench.quick)
    # Finished runs are kept as long as the code is the same.
    store = bench.folder / f"runs_{versions()['code']}.sqlite"
    table = run_experiment(
        read_specification(given),
        store,
        on_row=lambda row, done, total: bench.advance("runs", done, total),
    )
    rows = rows_of(table, rays)
    shown = rows[COLUMNS].round({"eps": 4, "gap": 4, "seconds": 2})
    tables = [
        Table(name, f"{name}, our settings: {asked}", shown[rows.question == name], CAPTION)
        for name, asked in QUESTIONS.items()
    ]
    limits = given["limits"]
    text = (
        f"Our settings: {'; '.join(ray.setting.describe() for ray in rays)}. Limits of each run: "
        f"{limits['solves']} solves, {limits['seconds']:g} s. In place of fmincon stand forward "
        "differences with SLSQP, and with SciPy's trust-constr, an interior-point method as "
        "fmincon's default. The first start is eps = 0. "
    )
    paper = Table(
        "paper",
        "Table 1 of the paper (BL1), with other parameters",
        PAPER,
        "Quoted. Its gamma, weights, units and perturbed points are lost, so that it cannot be "
        "compared with the rows above.",
    )
    return Section([Text(text + " ".join(missing)), *tables, paper], claims_of(rows))


def specification(datasets: Sequence[str], seed: int, quick: bool) -> dict[str, Any]:
    """Return the study with one run of each method, and variants of finite differences."""
    given = tomllib.loads(study("table1").read_text(encoding="utf-8"))
    omitted = (RAY, "finite-difference", *(REFORMULATIONS if quick else ()))
    changed = {
        "methods": {name: {} for name in given["methods"] if name not in omitted} | FMINCONS,
        "problems": [block for block in given["problems"] if block["data"] in datasets],
        "data": {name: own for name, own in given["data"].items() if name in datasets},
        "seeds": [seed],
        "restarts": False,
        "closing": "none",
    }
    return given | changed | ({"limits": {"solves": 50, "seconds": 2.0}} if quick else {})


def rows_of(table: pd.DataFrame, rays: Sequence[Ray]) -> pd.DataFrame:
    """Return the rows of the methods that apply, with the columns of the paper's table."""
    by = {
        fingerprint(problem): ray
        for ray in rays
        for problem in (ray.setting.max_deviation(), ray.setting.min_perturbation())
    }
    rows = [
        {**run, "method": run["label"], **_of_paper(by[run["fingerprint"]], run["eps"])}
        for run in taken(table).to_dict("records")
    ]
    return pd.DataFrame(rows)


def _of_paper(ray: Ray, eps: Sequence[float]) -> dict[str, Any]:
    place = eps[0] if eps else 0.0
    near = np.clip([place - NEAR, place, place + NEAR], ray.path.low, ray.path.high)
    around = [ray.path.labels_at(float(one)) for one in near]
    before, after = ray.path.labels_at(0.0), around[1]
    return {
        "n": ray.setting.points,
        "K": len(np.unique(before)),
        "eps": place if eps else float("nan"),
        "delta": int(deviation(before, after, "delta")),
        "N_chg": int(deviation(before, after, "changed")),
        "matched": int(deviation(before, after, "changed-matched")),
        "flat": len({labels.tobytes() for labels in around}) == 1,  # delta is constant around eps
    }


def claims_of(rows: pd.DataFrame) -> list[Claim]:
    """Return the claims of section 6.3 on the methods, for (BL1)."""
    bl1 = rows[rows.question == "BL1"]
    return [
        *_paper_claims(bl1[bl1.method == DIRECT].set_index("data")),
        *(_larger_delta(bl1, name, WHERE) for name in FMINCONS),
        *(_larger_delta(bl1, name, BEYOND) for name in REFORMULATIONS),
        *_fmincon_claims(bl1),
    ]


def _paper_claims(direct: pd.DataFrame) -> list[Claim]:
    found = [f"{name}: {own.delta} at {own.eps:.4g}" for name, own in direct.iterrows()]
    paper = PAPER.drop_duplicates("data").set_index("data").loc[direct.index]
    ours, theirs = (own[["n", "K"]].to_numpy().tolist() for own in (direct, paper))
    shares = direct.lower / direct.seconds
    return [
        Claim(
            WHERE,
            "eps, delta, N_chg and seconds of the six rows.",
            f"direct search in our settings, delta at eps: {'; '.join(found)}. The paper's "
            "parameters are lost",
            "cannot be compared",
        ),
        Claim(
            WHERE,
            "n, the number of points, and K, the number of clusters at eps = 0.",
            f"{', '.join(direct.index)}: {ours} against {theirs}",
            agrees_if(ours == theirs),
        ),
        Claim(
            "Section 6.3, complexity",
            "The main cost of direct search is the lower level.",
            ", ".join(f"{name}: {share:.1%} of the time" for name, share in shares.items()),
            agrees_if(all(shares > MAIN)),
        ),
    ]


def _pairs(bl1: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of direct search beside those of a method, on the same data."""
    own = {label: bl1[bl1.method == label].set_index("data") for label in (DIRECT, name)}
    return own[DIRECT].join(own[name].add_suffix("_other"), how="inner")


def _larger_delta(bl1: pd.DataFrame, name: str, where: str) -> Claim:
    pairs = _pairs(bl1, name)
    found = [f"{data}: {one.delta} against {one.delta_other}" for data, one in pairs.iterrows()]
    return Claim(
        where,
        f"On every data set, direct search finds a larger delta than a local NLP ({name}).",
        "; ".join(found) or f"{name} was not run",
        agrees_if(all(pairs.delta > pairs.delta_other)) if found else "cannot be compared",
    )


def _fmincon_claims(bl1: pd.DataFrame) -> list[Claim]:
    pairs = pd.concat([_pairs(bl1, name) for name in FMINCONS])
    dearer = (pairs.seconds > pairs.seconds_other) & (pairs.solves > pairs.solves_other)
    other, flat = sum(pairs.eps != pairs.eps_other), sum(pairs.flat_other)
    return [
        Claim(
            WHERE,
            "Direct search takes more time than fmincon.",
            f"more seconds and more solves in {sum(dearer)} of {len(pairs)} runs of finite "
            "differences",
            agrees_if(all(dearer)),
        ),
        Claim(
            WHERE,
            "fmincon finds another eps than direct search, a stationary point of (BL1).",
            f"another eps in {other} of {len(pairs)} runs of finite differences; delta is constant "
            f"around {flat} of their answers, so that its derivative is zero there, as it is at "
            "every eps without a jump",
            agrees_if(other == flat == len(pairs)),
        ),
    ]


PART = Part("table1", "Table 1: comparison of the methods", run)
