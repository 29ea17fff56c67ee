"""The record of each part in its folder, and one self-contained HTML page of all records."""

from __future__ import annotations

import base64
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, PackageLoader, select_autoescape

from bilad.scripts.display import grouped
from bilad.scripts.experiments.versions import versions
from bilad.scripts.reproduce.part import Claim, Section, Verdict
from bilad.scripts.run_store import columns_of, write_table, write_text
from bilad.scripts.settings import readable_settings

FILE = "part.json"
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
PAGE, CLAIMS = "report.html", "claims.csv"
INTRODUCTION = (
    "This page reproduces Bilevel Models for Adversarial Learning and A Case Study (arXiv "
    "2510.25121): its theorems, examples, figures and Table 1 in our settings, and its open "
    "questions. The paper's gamma, weights and perturbed points are partly lost with its formulas, "
    "so none of its numbers is claimed to be reproduced. All deviations are recomputed from "
    "accurate lower-level solutions. delta is the number of ordered pairs of points that are in "
    "one cluster in exactly one of the partitions at eps and at 0. N_chg is the number of points "
    "whose label changes, with the clusters numbered by first appearance ('as numbered') or after "
    "the renaming with the fewest changes ('matched'). RI is the Rand index, NMI the normalised "
    "mutual information. (BL1) maximises a deviation U for ||eps|| <= a; (BL2) minimises ||eps|| "
    "for U >= delta_0."
)
LEGEND = (
    "Each verdict is computed from the measurements of this run in our settings. 'agrees' and "
    "'differs' mean that the claim holds in them, or that it does not; neither is a statement "
    "about the paper's own experiments. 'cannot be compared' means that the claim depends on lost "
    "parameters, on other software, or on the machine. Times are wall-clock times of one run on "
    "this machine. 'Beyond' and 'Next check' mark questions that the paper does not study itself; "
    "'Summary' marks claims that are taken from a summary of the paper."
)


@dataclass(frozen=True)
class Surroundings:
    """The machine, the code and the data that results can depend on, besides the sizes."""

    python: str
    system: str
    cores: int
    datasets: Sequence[str]  # the data sets that can be read
    versions: Mapping[str, str]
    code: str  # the first digits of the SHA-256 hash of the package's files


@cache
def surroundings() -> Surroundings:
    """Return the surroundings of this process."""
    made = dict(versions())
    return Surroundings(
        made.pop("python"),
        f"{platform.system()} {platform.machine()}",
        os.cpu_count() or 1,
        list(readable_settings()),
        code=made.pop("code"),
        versions=made,
    )


@dataclass(frozen=True)
class Record:
    """The result of a part, and all that it depends on."""

    part: str
    title: str
    sizes: Mapping[str, Any]  # the sizes of the experiments
    quick: bool  # whether they are the sizes for `--quick`
    seed: int
    surroundings: Surroundings
    began: str  # UTC, ISO 8601
    seconds: float  # wall-clock time
    section: Section

    @property
    def command(self) -> str:
        """The command that runs the part again."""
        return f"bilad reproduce {self.part}{' --quick' if self.quick else ''} --seed {self.seed}"

    def is_made_with(self, sizes: Mapping[str, Any], seed: int) -> bool:
        """Return whether another run with these sizes and this seed would be the same."""
        asked = json.dumps([sizes, seed, asdict(surroundings())], sort_keys=True)
        own = [self.sizes, self.seed, asdict(self.surroundings)]
        return json.dumps(own, sort_keys=True) == asked

    def write(self, folder: Path) -> None:
        """Write the record to the folder of the part."""
        values = {**asdict(self), "section": self.section.as_json}
        write_text(folder / FILE, json.dumps(values, indent=1) + "\n")


def read_record(folder: Path) -> Record | None:
    """Return the record in the folder of a part; None if there is none or it is not readable."""
    try:
        given = json.loads((folder / FILE).read_text())
        made = Surroundings(**given.pop("surroundings"))
        section = Section.of_json(given.pop("section"))
        return Record(**given, surroundings=made, section=section)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_report(folder: Path, records: Sequence[Record]) -> Path:
    """Write `report.html` and `claims.csv`; return the path of the page.

    Parameters
    ----------
    folder : Path
        It contains a folder for each part.
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
    kinds = (
        (verdict, sum(claim.verdict == verdict for _, claim in claims)) for verdict in VERDICTS
    )
    page = environment.get_template("report.html.j2").render(
        introduction=INTRODUCTION,
        legend=LEGEND,
        counts=", ".join(f"{verdict}: {count}" for verdict, count in kinds),
        records=records,
        claims=claims,
        picture=picture,
        made_with=[(own[0].surroundings, own) for _, own in made_with],
    )
    path = folder / PAGE
    write_text(path, page)
    return path
