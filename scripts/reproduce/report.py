"""One self-contained HTML page of all parts in a folder; its pictures are in the page itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from jinja2 import Environment, PackageLoader, select_autoescape

from bilad.scripts.reproduce.record import Record
from bilad.scripts.reproduce.section import Claim, Verdict
from bilad.scripts.run_log import columns_of, write_table, write_text
from bilad.scripts.tables import grouped

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
PAGE, CLAIMS = "report.html", "claims.csv"
INTRODUCTION = (
    "Bilevel Models for Adversarial Learning and A Case Study (arXiv 2510.25121): its theorems, "
    "examples, figures and Table 1 in our settings, and its open questions. The paper's gamma, "
    "weights and perturbed points are partly lost with its formulas: none of its rows is claimed "
    "to be reproduced. Deviations are counted from the lower level's own solution, solved again."
)
LEGEND = (
    "Each verdict is computed from what this run measured, in our settings. agrees, differs: the "
    "claim holds in them, or it does not; neither says that the paper's own run was otherwise. "
    "cannot be compared: the claim hangs on parameters that are lost, on another code, or on the "
    "machine. Where seconds decide, they are those of one run on this machine. 'Beyond' and "
    "'Next check': the same question asked of what the paper does not run. 'Summary': not the "
    "paper's own words, those of a summary of it."
)


def write_report(folder: Path, records: Sequence[Record]) -> Path:
    """Write `report.html` and `claims.csv`; return the page.

    Parameters
    ----------
    folder : Path
        With a folder for each part in it.
    records : sequence of Record
        In the order of the page.
    """
    claims = [(record, claim) for record in records for claim in record.section.claims]
    rows = ({"part": record.part, **asdict(claim)} for record, claim in claims)
    write_table(folder / CLAIMS, ["part", *columns_of(Claim)], rows)
    environment = Environment(
        loader=PackageLoader("bilad.scripts.reproduce", ""),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def picture(part: str, name: str) -> str:
        data = (folder / part / f"{name}.svg").read_bytes()
        return f"data:image/svg+xml;base64,{base64.b64encode(data).decode()}"

    made_with = grouped(records, lambda record: repr(record.surroundings))
    page = environment.get_template("report.html.j2").render(
        introduction=INTRODUCTION,
        legend=LEGEND,
        counts=_counts([claim for _, claim in claims]),
        records=records,
        claims=claims,
        picture=picture,
        made_with=[(own[0].surroundings, own) for _, own in made_with],
    )
    path = folder / PAGE
    write_text(path, page)
    return path


def _counts(claims: Sequence[Claim]) -> str:
    """Return how many rows there are of each verdict."""
    kinds = ((verdict, sum(claim.verdict == verdict for claim in claims)) for verdict in VERDICTS)
    return ", ".join(f"{verdict}: {count}" for verdict, count in kinds)
