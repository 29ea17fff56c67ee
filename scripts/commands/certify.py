"""`bilad certify`: how much a data set must be perturbed to change its outcome, with proofs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from threadpoolctl import threadpool_limits

from bilad.models import ArgumentError
from bilad.models.validation import FloatArray
from bilad.scripts.certificates.robustness_summary import make_summary
from bilad.scripts.certificates.summary_report import draw_summary, summary_table
from bilad.scripts.command import FailedError, command, noted_interrupts
from bilad.scripts.experiments.page import Table
from bilad.scripts.files import whole
from bilad.scripts.options import (
    PROBLEM,
    SEED,
    DataOptions,
    ModelOptions,
    OutputOptions,
    PerturbationOptions,
    option,
)
from bilad.scripts.output import Output
from bilad.scripts.settings import subject_of
from bilad.scripts.subject import Subject
from bilad.solvers import Certificate
from bilad.solvers import certify as prove

RECORD, PICTURES, ATTACK = "summary.json", ("summary.png", "summary.svg"), "counterexample.json"
CAPTION = (
    "No eps of norm below `lower` is an attack, which is proved; one of norm `upper` was found, "
    "unless it is inf. status: for the budget, or the limit of (BL2). exact: whether `lower` is "
    "the infimum itself."
)


@command
def certify(
    data: Annotated[str, PROBLEM],
    points: DataOptions,
    model: ModelOptions,
    perturbation: PerturbationOptions,
    output: OutputOptions,
    ray: Annotated[
        Path | None,
        option("Text file with the direction of the ray; by default that of the attack."),
    ] = None,
    seconds: Annotated[float, option("Time limit of each search in seconds.", min=0.1)] = 10.0,
    seed: Annotated[int, SEED] = 0,
) -> None:
    """Compute how much data must be perturbed to change the outcome, with proofs.

    For convex clustering it is a summary of (BL1), (BL2), a ray, and recovery; for other learning
    models the certified radius.
    """
    subject = subject_of(data, points, model, perturbation)
    if subject.kind == "clustering":
        _summarise(subject, output, ray, seconds, seed)
    elif ray is not None:
        raise ArgumentError("ray", ray, f"no such option with --model {subject.kind}")
    else:
        _radius(subject, output, seconds, seed)


def _summarise(
    subject: Subject, options: OutputOptions, ray: Path | None, seconds: float, seed: int
) -> None:
    """Write the robustness summary of a clustering."""
    direction = None if ray is None else _direction(ray, subject.bl1.perturbation.dim)
    out = Output(options, "certify", subject.name, (RECORD, *PICTURES, ATTACK))
    out.say(subject.describe(perturbed=True))
    with threadpool_limits(1):
        summary = make_summary(subject, direction, seconds, seed)
    record = subject.record("certify", summary.values)
    out.write_json(RECORD, record)
    draw_summary(summary, [out.folder / name for name in PICTURES])
    counterexample = out.folder / ATTACK
    counterexample.unlink(missing_ok=True)  # it may belong to an earlier summary
    if summary.certificate.attack is not None:
        with whole(counterexample) as fresh:
            summary.certificate.write(fresh)
    out.result(record, summary_table(summary))
    out.written()
    if summary.certificate.attack is not None:
        out.say(f"To check the counterexample:\n{_check(counterexample)}")


def _radius(subject: Subject, options: OutputOptions, seconds: float, seed: int) -> None:
    """Write the certified radius of a linear model."""
    problem = subject.problem
    out = Output(options, "certify", subject.name, (RECORD,))
    out.say(subject.describe(perturbed=True))
    with noted_interrupts() as interrupts:
        proof = prove(problem, seed=seed, time_limit=seconds)
    record = subject.record("certify", proof.to_dict())
    out.write_json(RECORD, record)
    question = "any change of a prediction" if problem.sense == "max" else "the target"
    out.result(record, Table("radius", f"Radius of {question}", [_row(proof)], CAPTION))
    out.written()
    interrupts.check()
    if proof.termination.startswith("error"):
        raise FailedError(proof.termination.removeprefix("error: "))


def _row(proof: Certificate) -> dict[str, Any]:
    names = ("status", "lower", "upper", "exact", "method", "termination", "seconds")
    return {name: getattr(proof, name) for name in names}


def _check(path: Path) -> str:
    """Return the shell command that checks a counterexample."""
    file = json.dumps(str(path))
    program = f"from bilad.solvers import check_counterexample as c; print(c({file}))"
    return f"python -c {shlex.quote(program)}"


def _direction(path: Path, k: int) -> FloatArray:
    try:
        with path.open() as file:
            found = np.loadtxt(file, ndmin=1).ravel()
    except ValueError:
        found = np.array([np.nan])
    if not np.isfinite(found).all() or len(found) != k or not found.any():
        raise ArgumentError("ray", str(path), f"a text file of {k} numbers, not all zero")
    return found
