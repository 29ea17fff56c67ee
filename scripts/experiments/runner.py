"""Carries out the runs of an experiment: on this machine, or on the workers of a Dask scheduler."""

from __future__ import annotations

import errno
import logging
import os
import queue
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
from joblib import Parallel, delayed

from bilad.models.validation import ArgumentError, boolean, whole_number
from bilad.scripts.command import noted_interrupts
from bilad.scripts.experiments.run import FAILED, Row, Run, failed
from bilad.scripts.experiments.specification import Experiment, read_specification
from bilad.scripts.experiments.store import Store
from bilad.scripts.experiments.table import table_of
from bilad.scripts.experiments.worker import Worker, carry_out_in_worker
from bilad.solvers.termination import error_termination

CONNECTING = 10.0  # seconds in which a scheduler has to answer
ASKING = 5.0  # seconds between two questions whether there is a worker
PATIENCE = 120.0  # seconds that a sweep waits for the first worker, or for another one
Tell = Callable[[Row, int, int], object]


def run_experiment(
    specification: str | Path | Mapping[str, Any] | Experiment,
    store: str | Path | None = None,
    *,
    resume: bool = True,
    jobs: int = 1,
    scheduler: str | None = None,
    on_row: Tell = lambda row, done, total: None,
) -> pd.DataFrame:
    """Carry out the runs of a specification, and return their results.

    Parameters
    ----------
    specification : path, mapping or Experiment
        As in `read_specification`.
    store : path, optional
        The SQLite file to which each row is written when its run ends; by default none is.
    resume : bool, default True
        Whether runs that the store contains are kept; if False and there are any, it is an error.
    jobs : int, default 1
        Number of runs at a time on this machine.
    scheduler : str, optional
        The address of a Dask scheduler, such as "tcp://host:8786", on whose workers the runs are
        carried out. `jobs` has no effect then.
    on_row : callable(row, done, total), optional
        Called after each new row, with the number of runs that are finished.

    Returns
    -------
    DataFrame
        One row for each run, in the order of the specification. See `table_of`.

    Raises
    ------
    SpecificationError
        With all faults, before any run.
    ArgumentError
        If another argument is wrong.
    OSError
        If the store cannot be written, or the scheduler does not answer or has no worker.
        Finished runs are stored, also after Ctrl-C, which raises KeyboardInterrupt.
    """
    whole_number(jobs, "jobs", least=1)
    boolean(resume, "resume")
    if scheduler is not None:
        check_scheduler(scheduler)
    if isinstance(specification, Experiment):
        experiment = specification
    else:
        experiment = read_specification(specification)
    runs = {run.key: run for run in experiment.runs}
    with closing(Store(None if store is None else Path(store))) as base:
        finished = base.finished(runs)
        if finished and not resume:
            expected = "a store without them, or --resume (resume=True)"
            raise ArgumentError("store", f"{store} with {len(finished)} of the runs", expected)
        missing = [run for key, run in runs.items() if key not in finished]
        # Several processes with one store begin at different runs, and rarely do one twice.
        random.Random(os.getpid()).shuffle(missing)
        done, total = len(finished), len(runs)
        with noted_interrupts() as interrupts, _rows(missing, base, jobs, scheduler) as rows:
            for row in rows:
                interrupts.check()
                base.add(row)
                done += 1
                on_row(row, done, total)
        return table_of(base.rows(list(runs)), experiment.runs)


@contextmanager
def _rows(
    missing: Sequence[Run], base: Store, jobs: int, scheduler: str | None
) -> Iterator[Iterator[Row]]:
    """Yield the rows of the runs that no other process has finished in the meantime."""
    left = (run for run in missing if run.key not in base)
    if scheduler is not None:
        yield _on_dask(list(left), scheduler)
        return
    idle: list[Worker] = []  # as many processes as there are runs at a time
    every: list[Worker] = []

    def carry_out(run: Run) -> Row:
        try:
            worker = idle.pop()  # in one step: another thread may have taken the last one
        except IndexError:
            worker = Worker()
            every.append(worker)
        row = worker.carry_out(run)
        idle.append(worker)
        return row

    try:
        # Threads: each waits for a process of its own, which can be replaced. A killed process of
        # joblib's own pool would break the pool.
        most = max(1, min(jobs, len(missing)))  # threads, each with a process of its own
        yield Parallel(n_jobs=most, backend="threading", return_as="generator_unordered")(
            delayed(carry_out)(run) for run in left
        )
    finally:
        for worker in every:
            worker.close()


def _on_dask(runs: Sequence[Run], address: str) -> Iterator[Row]:
    """Yield the rows of runs that the workers of a scheduler carry out.

    Dask carries out the runs of a lost worker again on another one.
    """
    import distributed

    # A lost scheduler is reported by us, once.
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    futures = {}
    with distributed.Client(address, timeout=CONNECTING, set_as_default=False) as client:

        def submit(run: Run) -> None:
            future = client.submit(carry_out_in_worker, run, pure=False)
            futures[future] = run  # the scheduler may forget it
            future.add_done_callback(ended.put)

        for run in runs:
            submit(run)
        while futures:
            future = _next(ended, client, address)
            run = futures.pop(future)
            try:
                row = future.result()
            except (CancelledError, distributed.comm.CommClosedError):
                check_scheduler(address)
                submit(run)  # the worker was lost between its answer and our reading it
            except distributed.KilledWorker as error:  # Dask gave up, after several lost workers
                yield failed(run, FAILED, error_termination(error))
            except Exception as error:  # such as a worker without this package
                why = f"a worker cannot carry out runs: {error_termination(error)}"
                raise OSError(errno.EIO, why, address) from error
            else:
                yield row


def _next(ended: queue.SimpleQueue[Any], client: Any, address: str) -> Any:
    """Return the next future that has ended.

    Raises
    ------
    OSError
        If the scheduler is lost, or has no worker or does not answer for `PATIENCE` seconds.
    """
    last = time.monotonic()  # when there was a worker
    while True:
        with suppress(queue.Empty):
            return ended.get(timeout=min(ASKING, PATIENCE))
        check_scheduler(address)
        workers, why = {}, "the scheduler has no worker"
        try:
            workers = client.sync(client.scheduler.ncores, callback_timeout=CONNECTING)
        except (OSError, ValueError):  # a time-out, or a connection that was closed
            why = "the scheduler does not answer"
        if workers:
            last = time.monotonic()
        elif time.monotonic() - last > PATIENCE:
            raise OSError(errno.ETIMEDOUT, f"{why} for more than {PATIENCE:g} s", address)


def check_scheduler(address: str) -> None:
    """Check that a scheduler can be reached.

    Raises
    ------
    ArgumentError
        If the package distributed is missing.
    OSError
        If no scheduler answers.
    """
    try:
        import distributed
    except ImportError:
        expected = "the package distributed: pip install 'bilad[distributed]'"
        raise ArgumentError("scheduler", address, expected) from None
    try:
        where = distributed.comm.parse_address(address)[1]
        socket.create_connection(distributed.comm.parse_host_port(where), CONNECTING).close()
    except (OSError, ValueError) as error:
        raise OSError(errno.ECONNREFUSED, f"no scheduler answers: {error}", address) from error
