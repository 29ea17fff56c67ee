"""`bilad reproduce`: the parts are run one after another, and each is written before the next."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from bilad.scripts.command import noted_interrupts
from bilad.scripts.display import progress_bar, show
from bilad.scripts.reproduce.extensions import next_checks, open_questions
from bilad.scripts.reproduce.figures import indices, jumps, optima, robustness
from bilad.scripts.reproduce.part import Bench, Part, Section, Table, Text
from bilad.scripts.reproduce.report import FILE, Record, read_record, surroundings, write_report
from bilad.scripts.reproduce.table1 import table1
from bilad.scripts.reproduce.theory import deviations, examples, theorems

# In the order in which they are run and reported.
IN_ORDER = (
    theorems.PART,
    examples.PART,
    deviations.PART,
    robustness.PART,
    jumps.PART,
    optima.PART,
    *indices.PARTS,
    table1.PART,
    next_checks.PART,
    open_questions.PART,
)
PARTS: dict[str, Part] = {part.name: part for part in IN_ORDER}


def reproduce(
    parts: Sequence[Part],
    folder: Path,
    console: Console,
    *,
    seed: int = 0,
    quick: bool = False,
    resume: bool = False,
) -> Path:
    """Run the parts, and write rows, pictures and a report of all parts that the folder contains.

    Parameters
    ----------
    parts : sequence of Part
    folder : Path
    console : Console
    seed : int, default 0
    quick : bool, default False
        Whether to use the small sizes of the parts.
    resume : bool, default False
        Whether to keep parts that were computed with the same sizes, seed, code and data.

    Returns
    -------
    Path
        The path of the report.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with threadpool_limits(1), progress_bar(console) as progress:
            whole = progress.add_task("reproduce", total=len(parts))
            for part in parts:
                sizes = part.quick if quick else part.full
                old = read_record(folder / part.name) if resume else None
                if old is not None and old.is_made_with(asdict(sizes), seed):
                    console.print(f"{part.name}: kept, made {old.began}", highlight=False)
                else:
                    record = _run(part, quick, seed, folder / part.name, progress)
                    say(record.title, record.section, console)
                    console.print(f"{part.name}: {record.seconds:.1f} s", highlight=False)
                write_report(folder, records(folder))
                progress.advance(whole)
    finally:  # a part that was interrupted is no longer in the report
        page = write_report(folder, records(folder))
    return page


def records(folder: Path) -> list[Record]:
    """Return the records in a folder, in the order of the parts."""
    found = (read_record(folder / name) for name in PARTS)
    return [record for record in found if record is not None]


def _run(part: Part, quick: bool, seed: int, folder: Path, progress: Progress) -> Record:
    """Run one part; its old record is removed first, because its rows are overwritten."""
    sizes = part.quick if quick else part.full
    task = progress.add_task(part.name, total=None)

    def advance(text: str, done: int, total: int | None) -> None:
        progress.update(task, description=f"{part.name}: {text}", completed=done, total=total)

    (folder / FILE).unlink(missing_ok=True)
    began, clock = datetime.now(UTC), time.perf_counter()
    with noted_interrupts() as interrupts:
        section = part.run(Bench(folder, seed, advance), sizes)
        interrupts.check()
    record = Record(
        part=part.name,
        title=part.title,
        sizes=asdict(sizes),
        quick=quick,
        seed=seed,
        surroundings=surroundings(),
        began=began.isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
        section=section,
    )
    record.write(folder)
    progress.remove_task(task)
    return record


def say(title: str, section: Section, console: Console) -> None:
    """Print the texts, tables and claims of a section."""
    console.rule(title, style="dim")
    for block in section.blocks:
        if isinstance(block, Text):
            console.print(block.text, highlight=False, markup=False)
        elif isinstance(block, Table):
            show(console, block.title, [dict(row) for row in block.cells], block.caption)
    for claim in section.claims:
        console.print(
            f"{claim.where}: {claim.claim} Our measurement: {claim.measured} -> {claim.verdict}",
            highlight=False,
            markup=False,
        )
