"""The faults: each function injects one into commands, and yields whether they survive."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from bilad.scripts.faults.process import (
    COMMANDS,
    INPUTS,
    STORE,
    Ended,
    arguments_of,
    end,
    half_written,
    reported,
    start,
    stored,
    undisturbed,
)

RUNS = 8  # of the specification
WRITERS = tuple(one for one in COMMANDS if one not in ("sweep", "methods", "doctor"))
MEMORY = (0.3, 1.0, 1.5, 2.0, 3.0)  # GB of address space
# Root may write everywhere, unless it gives up that capability, for which it needs `setpriv`.
ORDINARY = [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override"]
UNWRITABLE = ("points.csv/out", "locked/out")[: 1 if ORDINARY and not which("setpriv") else 2]
VERSION = '#!/bin/sh\n[ "$1" = --version ] && echo "Ipopt 3.14.19" && exit 0\n'
IPOPT = {
    "missing": "",
    "cannot be started": "#!/no/such/interpreter\n",
    "killed": f"{VERSION}kill -9 $$\n",
    "hangs": f"{VERSION}exec sleep 100\n",
    "prints garbage": f'{VERSION}head -c 100000 /dev/urandom | tee "${{1%.nl}}.sol"\n',
}


@dataclass(frozen=True)
class Verdict:
    """What became of a command into which a fault was injected.

    Attributes
    ----------
    command : str
    detail : str
        Of the fault, such as its moment.
    ended : Ended
    problems : list of str
        Why the command did not survive.
    lost : int
        Finished runs of a sweep that are lost.
    """

    command: str
    detail: str
    ended: Ended
    problems: list[str]
    lost: int = 0


class Bench:
    """Folders with fresh copies of the inputs, random numbers, and the commands that are tried."""

    def __init__(self, seed: int, rounds: int = 1, commands: tuple[str, ...] = tuple(COMMANDS)):
        self.rng, self.rounds, self.commands = random.Random(seed), rounds, commands
        self._seconds: dict[str, float] = {}
        self._finished: bytes | None = None

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Yield a folder with fresh inputs, which is removed at the end of the block."""
        with tempfile.TemporaryDirectory() as name:
            for file, text in INPUTS.items():
                Path(name, file).write_text(text)
            if self._finished is not None:
                Path(name, "finished.sqlite").write_bytes(self._finished)
            yield Path(name)

    def seconds(self, command: str) -> float:
        """Return how long a command takes; it is carried out once before, to compile.

        The store of the sweep is an input of the report.
        """
        if command == "report":
            self.seconds("sweep")
        if command not in self._seconds:
            with self.folder() as folder:
                self._seconds[command] = undisturbed(command, folder)
                if command == "sweep":
                    self._finished = (folder / STORE).read_bytes()
        return self._seconds[command]


def judged(command: str, detail: str, ended: Ended, folder: Path) -> Verdict:
    """Return whether a command survived, and for a sweep, whether no finished run is lost."""
    problems = ended.problems() + half_written(folder / "out")
    if command != "sweep":
        return Verdict(command, detail, ended, problems)
    before = stored(folder / STORE)
    lost = max(0, reported(ended) - len(before))
    again = end(start([*arguments_of(command), "--resume"], folder))
    after = stored(folder / STORE)
    lost += sum(after.get(key) != row for key, row in before.items())
    if again.code or len(after) != RUNS:
        problems.append(f"resumed: exit code {again.code}, {len(after)} rows")
    return Verdict(command, detail, ended, problems, lost)


def _signalled(bench: Bench, number: signal.Signals) -> Iterator[Verdict]:
    for command in bench.commands * bench.rounds:
        moment = bench.rng.uniform(0.0, bench.seconds(command))
        with bench.folder() as folder:
            process = start(arguments_of(command), folder)
            time.sleep(moment)
            process.send_signal(number)
            ended = end(process)
            # Else Python itself was starting, and shows a traceback before any line of ours.
            if "Traceback" not in ended.err or ", in main\n" in ended.err:
                yield judged(command, f"after {moment:.2f} s", ended, folder)


def interrupt(bench: Bench) -> Iterator[Verdict]:
    """Ctrl-C."""
    yield from _signalled(bench, signal.SIGINT)


def termination(bench: Bench) -> Iterator[Verdict]:
    """SIGTERM."""
    yield from _signalled(bench, signal.SIGTERM)


def full_disk(bench: Bench) -> Iterator[Verdict]:
    """No file can have more than some bytes."""
    for command in bench.commands * bench.rounds:
        bench.seconds(command)
        most = bench.rng.choice((0, 100, 1000, 5000, 30000))
        with bench.folder() as folder:
            ended = end(start(arguments_of(command), folder, {resource.RLIMIT_FSIZE: most}))
            yield judged(command, f"{most} bytes", ended, folder)


def full_output(bench: Bench) -> Iterator[Verdict]:
    """Nothing can be printed, as on a full disk."""
    for command in bench.commands:
        bench.seconds(command)
        with bench.folder() as folder, Path("/dev/full").open("w") as full:
            yield judged(
                command, "", end(start(arguments_of(command), folder, stdout=full)), folder
            )


def unwritable_folder(bench: Bench) -> Iterator[Verdict]:
    """The folder of the results is below a file, or is read-only."""
    for command in bench.commands:
        if command not in WRITERS:
            continue
        bench.seconds(command)
        with bench.folder() as folder:
            (folder / "locked").mkdir(mode=0o555)
            for out in UNWRITABLE:
                given = [word if word != "out" else out for word in arguments_of(command)]
                yield judged(command, out, end(start(given, folder, prefix=ORDINARY)), folder)


def _damage(rng: random.Random) -> dict[str, Callable[[bytes], bytes]]:
    """Return ways in which the content of a file can be damaged."""

    def changed(content: bytes) -> bytes:
        made = bytearray(content)
        for _ in range(10):
            made[rng.randrange(len(made))] = rng.randrange(256)
        return bytes(made)

    return {
        "truncated": lambda content: content[: rng.randrange(len(content))],
        "bytes changed": changed,
        "NUL bytes": lambda content: content[:40] + bytes(20) + content[60:],
        "another encoding": lambda content: content.decode("latin-1").encode("utf-16"),
        "a huge line": lambda content: content + b"9" * 2_000_000,
        "empty": lambda content: b"",
        "another database": _other_database,
    }


def _other_database(content: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        base = sqlite3.connect(Path(name, "other"))
        base.execute("CREATE TABLE runs (key)")
        base.close()
        return Path(name, "other").read_bytes()


def corrupt_file(bench: Bench) -> Iterator[Verdict]:
    """A table, a specification or a store is damaged."""
    files = {"cluster": "points.csv", "sweep": "runs.toml", "report": "finished.sqlite"}
    for command, file in files.items():
        bench.seconds(command)
        for kind, damage in list(_damage(bench.rng).items()) * bench.rounds:
            with bench.folder() as folder:
                path = folder / file
                content = damage(path.read_bytes())
                path.write_bytes(content)
                ended = end(start(arguments_of(command), folder))
                problems = ended.problems() + half_written(folder / "out")
                if path.read_bytes() != content:
                    problems.append(f"{file} was changed")
                yield Verdict(command, f"{file}: {kind}", ended, problems)


def _workers(parent: int) -> list[int]:
    """Return the processes that another one has started."""
    with suppress(OSError):
        tasks = Path(f"/proc/{parent}/task").iterdir()
        return [int(one) for task in tasks for one in (task / "children").read_text().split()]
    return []


def _worker(bench: Bench, number: signal.Signals) -> Iterator[Verdict]:
    for _ in range(bench.rounds):
        moment = bench.rng.uniform(0.0, bench.seconds("sweep"))
        with bench.folder() as folder:
            process = start(arguments_of("sweep"), folder)
            while not (workers := _workers(process.pid)) and process.poll() is None:
                time.sleep(0.01)
            time.sleep(moment / 2)
            for worker in workers[:1]:
                with suppress(ProcessLookupError):
                    os.kill(worker, number)
            yield judged("sweep", f"{number.name} after {moment:.2f} s", end(process), folder)


def killed_worker(bench: Bench) -> Iterator[Verdict]:
    """A worker of a sweep is killed."""
    yield from _worker(bench, signal.SIGKILL)


def hanging_worker(bench: Bench) -> Iterator[Verdict]:
    """A worker of a sweep hangs."""
    yield from _worker(bench, signal.SIGSTOP)


def memory_limit(bench: Bench) -> Iterator[Verdict]:
    """The address space is limited."""
    for command in bench.commands * bench.rounds:
        bench.seconds(command)
        size = bench.rng.choice(MEMORY)
        with bench.folder() as folder:
            limit = {resource.RLIMIT_AS: int(size * 2**30)}
            ended = end(start(arguments_of(command), folder, limit))
            yield judged(command, f"{size} GB", ended, folder)


def broken_ipopt(bench: Bench) -> Iterator[Verdict]:
    """The executable of IPOPT is missing, is killed, hangs or prints garbage."""
    for kind, text in IPOPT.items():
        for command in ("compare", "bilevel"):
            with bench.folder() as folder:
                if text:
                    (folder / "ipopt").write_text(text)
                    (folder / "ipopt").chmod(0o755)
                path = os.pathsep.join([str(folder), "/usr/bin", "/bin"])
                given = arguments_of(command) + (["--seconds", "5"] * (command == "bilevel"))
                yield judged(command, kind, end(start(given, folder, path=path)), folder)


FAULTS: tuple[Callable[[Bench], Iterator[Verdict]], ...] = (
    corrupt_file, killed_worker, hanging_worker, broken_ipopt, full_disk, full_output,
    unwritable_folder, memory_limit, interrupt, termination,
)  # fmt: skip
