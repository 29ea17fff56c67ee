"""`python -m bilad.scripts.faults`: inject faults into the commands as a user runs them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bilad.scripts.command import FailedError, command
from bilad.scripts.display import console, show
from bilad.scripts.faults.faults import FAULTS, Bench, Verdict
from bilad.scripts.files import check_folder, write_text
from bilad.scripts.options import SEED, option


@command
def faults(
    rounds: Annotated[int, option("Times that each fault is injected.", min=1)] = 1,
    seed: Annotated[int, SEED] = 0,
    out: Annotated[Path, option("Folder of what did not survive.", "--output")] = Path(
        "results/faults"
    ),
) -> None:
    """Inject faults into the commands, and count what survives.

    A command survives if it ends with a result or one clear line, a documented exit code, no
    traceback, no half-written file, and if no finished run is lost. The exit code is 1 if one
    does not.
    """
    check_folder(out)
    bench, rows, failures = Bench(seed, rounds), [], 0
    for fault in FAULTS:
        found = []
        for one in fault(bench):
            found.append(one)
            if one.problems or one.lost:
                failures += 1
                _tell(fault.__name__, one, out / f"{failures}.txt")
        rows.append(_row((fault.__doc__ or "").rstrip("."), found))
        print(*(f"{name}: {value}" for name, value in rows[-1].items()), sep=", ", file=sys.stderr)
    show(console(), "Faults", rows)
    if failures:
        raise FailedError(f"{failures} faults were not survived")


def _row(fault: str, found: list[Verdict]) -> dict[str, object]:
    return {
        "fault": fault,
        "injected": len(found),
        "survived": sum(not one.problems for one in found),
        "runs lost": sum(one.lost for one in found),
    }


def _tell(fault: str, one: Verdict, path: Path) -> None:
    """Print what went wrong, and write all that the command printed."""
    line = f"{fault}, {one.command}, {one.detail}: {'; '.join(one.problems)}, {one.lost} runs lost"
    write_text(path, f"{line}\n{one.ended.out}\n{one.ended.err}")
    Console(stderr=True).print(f"{line} ({path})", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(faults)
