"""Instances of all checks in turn, each examined in a process that may die or be ended."""

from __future__ import annotations

import itertools
import json
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bilad.models.validation import ArgumentError, one_of, whole_number
from bilad.scripts.experiments.versions import versions
from bilad.scripts.experiments.worker import DiedError, OverrunError, Worker
from bilad.scripts.files import write_text
from bilad.scripts.soak import attacks, followers, learning, lower_level
from bilad.scripts.soak.check import Check, Instance, Verdict

CHECKS = {
    "lower level": Check(lower_level.draw, lower_level.examine),
    "formulations": Check(attacks.draw_clustering, attacks.examine_formulations),
    "certificates": Check(attacks.draw_problem_of_any_model, attacks.examine_certificates),
    "followers": Check(followers.draw, followers.examine),
    "learning models": Check(learning.draw, learning.examine),
}
FORMAT = "bilad soak 1"
LIMIT = 300.0  # seconds after which the examination of an instance is ended
FRAMES = 3  # of the traceback of an error, the last ones


@dataclass(frozen=True)
class Task:
    """An instance to examine: drawn from its seed and index, or read from a file."""

    check: str  # a key of `CHECKS`
    seed: int
    index: int
    instance: Instance | None = None


@dataclass(frozen=True)
class Finding:
    """What the examination of an instance found."""

    task: Task  # with its instance, unless it could not be drawn
    verdict: Verdict
    seconds: float
    death: str = ""  # how the process died

    @property
    def is_failure(self) -> bool:
        """Whether there is a mismatch, or the process died."""
        return bool(self.verdict.mismatches or self.death)

    @property
    def cells(self) -> dict[str, object]:
        """Its line in the table, whose lines are added up."""
        return {
            "check": self.task.check,
            "instances": 1,
            "mismatches": int(bool(self.verdict.mismatches)),
            "unknowns": int(bool(self.verdict.unknowns)),
            "deaths": int(bool(self.death)),
            "seconds": self.seconds,
        }

    def save(self, folder: Path) -> Path:
        """Write the instance and what was found as a JSON file, which `read_task` reads."""
        task = self.task
        path = folder / f"{task.check.replace(' ', '-')}-{task.seed}-{task.index}.json"
        content = {"format": FORMAT, **asdict(self), "versions": versions()}
        write_text(path, json.dumps(content, indent=1) + "\n")
        return path


def read_task(path: Path) -> Task:
    """Return the instance that `Finding.save` wrote.

    Raises
    ------
    ArgumentError
        If the file is something else.
    OSError
        If it cannot be read.
    """
    expected = f"a file of the format {FORMAT!r}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ArgumentError("replay", f"the format {content['format']!r:.80}", expected)
        task = Task(**content["task"])
        one_of(task.check, "check", CHECKS)
        if not isinstance(task.instance, dict | None):
            raise ArgumentError("instance", type(task.instance).__name__, "an object")
        for number in (task.seed, task.index):
            whole_number(number, "seed or index", least=0)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        given = f"{path} ({type(error).__name__}: {error})"
        raise ArgumentError("replay", given, expected) from None
    return task


def tasks(seed: int, seconds: float, most: int | None) -> Iterator[Task]:
    """Yield instances of the checks in turn, until the time is over or there are enough."""
    end = time.monotonic() + seconds
    for index, check in zip(itertools.count(), itertools.cycle(CHECKS)):
        if index == most or time.monotonic() >= end:
            return
        yield Task(check, seed, index)


def findings(given: Iterable[Task], workers: int) -> Iterator[Finding]:
    """Yield what is found, in any order; so many processes examine instances at a time."""
    left, processes = iter(given), [Worker() for _ in range(workers)]
    threads = ThreadPoolExecutor(workers)  # each waits for a process
    try:
        running = {
            threads.submit(_ask, worker, task): worker
            for worker, task in zip(processes, left, strict=False)
        }
        while running:
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                worker = running.pop(done)
                yield done.result()
                for task in itertools.islice(left, 1):
                    running[threads.submit(_ask, worker, task)] = worker
    finally:
        for worker in processes:
            worker.close()
        threads.shutdown()


def table_of(found: Iterable[Finding]) -> pd.DataFrame:
    """Return the numbers of instances, mismatches, unknowns and deaths of each check."""
    table = pd.DataFrame([one.cells for one in found])
    return table.groupby("check", sort=False).sum().reset_index()


def _ask(worker: Worker, task: Task) -> Finding:
    began = time.monotonic()
    try:
        return worker.call(partial(examined, task), LIMIT)
    except OverrunError:
        verdict, death = Verdict(unknowns=[f"ended after {LIMIT:g} s"]), ""
    except DiedError as error:
        verdict, death = Verdict(), str(error)
    return Finding(task, verdict, time.monotonic() - began, death)


def examined(task: Task) -> Finding:
    """Draw an instance if it is not given, and examine it; an exception is a mismatch."""
    began, check = time.monotonic(), CHECKS[task.check]
    try:
        with threadpool_limits(1):
            drawn = task.instance
            if drawn is None:
                drawn = check.draw(np.random.default_rng([task.seed, task.index]))
                task = replace(task, instance=drawn)
            verdict = check.examine(drawn)
    except Exception as error:  # that is what is looked for
        lines = traceback.format_exception(error, limit=-FRAMES)
        verdict = Verdict([f"error: {''.join(lines)}"])
    return Finding(task, verdict, time.monotonic() - began)
