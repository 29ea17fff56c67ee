"""`python -m bilad.scripts.soak`: methods check one another on random instances."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import joblib
import typer
from rich.console import Console

from bilad.scripts.command import FailedError, command
from bilad.scripts.display import console, show
from bilad.scripts.files import check_folder
from bilad.scripts.options import SEED, option
from bilad.scripts.soak.soak import Finding, findings, read_task, table_of, tasks

COMMAND = "python -m bilad.scripts.soak --replay"


@command
def soak(
    minutes: Annotated[float, option("Minutes after which no instance is begun.", min=0)] = 30.0,
    instances: Annotated[int | None, option("Largest number of instances.", min=1)] = None,
    seed: Annotated[int, SEED] = 0,
    workers: Annotated[int, option("Processes.", min=1)] = joblib.cpu_count(),
    out: Annotated[Path, option("Folder of the instances that fail.", "--output")] = Path(
        "results/soak"
    ),
    replay: Annotated[Path | None, option("Only the instance of this file.")] = None,
) -> None:
    """Compare methods on random instances until the time is over.

    Instances with a mismatch, or of which a process dies, are saved. The exit code is 1 if there is
    one.
    """
    check_folder(out)
    given = tasks(seed, 60 * minutes, instances) if replay is None else iter([read_task(replay)])
    found: list[Finding] = []
    with suppress(KeyboardInterrupt):  # the table has what is known then
        for one in findings(given, workers if replay is None else 1):
            found.append(one)
            if one.is_failure or one.task.instance is None:
                _tell(one, one.save(out) if replay is None else replay)
    if found:
        show(console(), "Random instances", table_of(found))
    failures = sum(one.is_failure for one in found)
    if failures:
        raise FailedError(f"{failures} of {len(found)} instances failed")


def _tell(one: Finding, path: Path) -> None:
    """Print what was found, and how the instance is examined again."""
    texts = [*one.verdict.mismatches, *one.verdict.unknowns, one.death and f"died {one.death}"]
    lines = "\n  ".join(filter(None, texts))
    line = f"{one.task.check}: {COMMAND} {path}\n  {lines}"
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(soak)
