"""`bilad reproduce`: the parts are run one after another, and the report is written after each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from threadpoolctl import threadpool_limits

from bilad.scripts.command import noted_interrupts
from bilad.scripts.display import progress_bar, show
from bilad.scripts.experiments.page import Chapter, Table, Text, write_page
from bilad.scripts.experiments.report import shown_versions
from bilad.scripts.experiments.versions import versions
from bilad.scripts.reproduce import figures, table1
from bilad.scripts.reproduce.section import Bench, Part, Section
from bilad.scripts.reproduce.theory import (
    deviations,
    examples,
    losses,
    theorems,
    three_clusters,
)

# In the order in which they are run and reported.
IN_ORDER = (
    theorems.PART,
    examples.PART,
    deviations.PART,
    *figures.PARTS,
    table1.PART,
    three_clusters.PART,
    losses.PART,
)
PARTS: dict[str, Part] = {part.name: part for part in IN_ORDER}
TITLE = "Bilevel models for adversarial learning: reproduction"
INTRODUCTION = (
    "Bilevel Models for Adversarial Learning and A Case Study (arXiv 2510.25121) in our settings. "
    "Its gamma, weights and perturbed points are partly lost, so none of its numbers is claimed to "
    "be reproduced. All deviations are recomputed from accurate lower-level solutions. delta is "
    "the number of ordered pairs of points that are in one cluster in exactly one of the "
    "partitions at eps and at 0; N_chg is the number of points whose label changes, with the "
    "clusters numbered by first appearance, or matched by the best renaming; RI is the Rand index, "
    "NMI the normalised mutual information."
)
LEGEND = (
    "Each verdict is computed from the measurements of this run in our settings, and is no "
    "statement about the paper's own experiments. 'cannot be compared' means that the claim "
    "depends on lost parameters, on other software, or on the machine. 'Beyond' and 'Next check' "
    "mark questions that the paper does not study itself; 'Summary' marks claims of a summary of "
    "it."
)
CLAIMS = "claims"
Finished = tuple[Part, Section]


def reproduce(
    parts: Sequence[Part],
    folder: Path,
    console: Console,
    messages: Console,
    *,
    seed: int = 0,
    quick: bool = False,
) -> Path:
    """Run the parts, and write tables, pictures and a report of all parts that are finished.

    Parameters
    ----------
    parts : sequence of Part
    folder : Path
        It gets a folder for each part.
    console : Console
        For the results.
    messages : Console
        For the progress: a bar on a terminal, otherwise a line for each finished part.
    seed : int, default 0
    quick : bool, default False
        Whether to use small sizes.

    Returns
    -------
    Path
        The path of the report.
    """
    finished: list[Finished] = []
    with threadpool_limits(1), progress_bar(messages) as progress:
        whole = progress.add_task("reproduce", total=len(parts))
        for part in parts:
            section = _run(part, folder / part.name, seed, quick, progress)
            say(part.title, section, console)
            finished.append((part, section))
            page = write_report(folder, finished)
            progress.advance(whole)
            if not messages.is_terminal:
                line = f"reproduce {len(finished)}/{len(parts)}: {part.name}"
                messages.print(line, highlight=False, markup=False)
    return page


def _run(part: Part, folder: Path, seed: int, quick: bool, progress: Progress) -> Section:
    """Run one part and write its tables."""
    folder.mkdir(parents=True, exist_ok=True)
    task = progress.add_task(part.name, total=None)
    with noted_interrupts() as interrupts:

        def advance(text: str, done: int, total: int | None) -> None:
            interrupts.check()
            progress.update(task, description=f"{part.name}: {text}", completed=done, total=total)

        began = time.perf_counter()
        section = part.run(Bench(folder, seed, quick, advance))
        interrupts.check()
    progress.remove_task(task)
    for block in section.blocks:
        if isinstance(block, Table):
            block.write(folder)
    command = f"bilad reproduce {part.name}{' --quick' if quick else ''} --seed {seed}"
    made = f"Computed in {time.perf_counter() - began:.1f} s by `{command}`."
    return Section([*section.blocks, Text(made)], section.claims)


def write_report(folder: Path, finished: Sequence[Finished]) -> Path:
    """Write `report.html` with the claims and the sections of these parts, and `claims.csv`."""
    chapters = [Chapter(part.title, section.blocks) for part, section in finished]
    claims = [
        {"part": part.name, **asdict(claim)}
        for part, section in finished
        for claim in section.claims
    ]
    if claims:
        table = Table(CLAIMS, "Claims and measurements", claims)
        table.write(folder)
        chapters.insert(0, Chapter("The paper's claims", [Text(LEGEND), table]))
    chapters.append(Chapter("Software", [Text(shown_versions(versions()))]))
    return write_page(folder, TITLE, INTRODUCTION, chapters)


def say(title: str, section: Section, console: Console) -> None:
    """Print the texts, tables and claims of a section."""
    console.rule(title, style="dim")
    for block in section.blocks:
        if isinstance(block, Text):
            console.print(block.text, highlight=False, markup=False)
        elif isinstance(block, Table):
            show(console, block.title, block.rows, block.caption)
    for claim in section.claims:
        console.print(
            f"{claim.where}: {claim.claim} Our measurement: {claim.measured} -> {claim.verdict}",
            highlight=False,
            markup=False,
        )
