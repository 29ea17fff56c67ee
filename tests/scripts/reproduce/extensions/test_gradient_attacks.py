"""Bilevel solvers and gradient attacks: the results of each method agree with the rows."""

from dataclasses import replace

import numpy as np
import pytest

from bilad.scripts.experiments.run import carry_out
from bilad.scripts.reproduce.extensions import gradient_attacks
from bilad.scripts.reproduce.extensions.gradient_attacks import gradient_blocks
from bilad.solvers import attack


@pytest.fixture(scope="module")
def rows():
    return [carry_out(run) for run in planned()]


def planned():
    methods = ("exact", "hypergradient", "fgsm", "random")
    return gradient_attacks.planned([("line 8", 1)], [0], 20, 5.0, methods)


def test_the_exact_method_has_the_best_of_both_questions(rows):
    standing = {own.method: own for own in gradient_attacks.standings(rows)}
    exact = standing["exact"]
    assert exact.mean == exact.length == 1
    problem = planned()[0].problem
    again = attack(problem, "direct", step=problem.budget / 200)
    assert again.deviation == next(r.own for r in rows if r.method == "exact")


def test_no_method_beats_the_exact_one(rows):
    for own in gradient_attacks.standings(rows):
        assert own.mean <= 1
        assert own.length <= 1 + 1e-6


def test_targets_are_counted_apart(rows):
    found = [replace(row, own=np.inf) if row.level == 0.95 else row for row in rows]
    found += [replace(row, base="pgd") for row in rows]  # so that all have an attack
    failing = {own.method: own for own in gradient_attacks.standings(found)}["exact"]
    assert (failing.success, failing.hard, failing.length) == (1, 0, 0.5)


def test_the_comparison_turns_with_the_standings(rows):
    standings = gradient_attacks.standings(rows)
    solver = next(own for own in standings if own.method == "hypergradient")
    rival = next(own for own in standings if own.method == "fgsm")
    ahead = [replace(solver, mean=0.9, length=0.9), replace(rival, mean=0.5, length=0.5)]
    assert "the better is hypergradient" in gradient_attacks.compared(ahead)
    behind = [replace(solver, mean=0.5, length=0.5), replace(rival, mean=0.9, length=0.9)]
    assert "the better is fgsm" in gradient_attacks.compared(behind)
    level = [replace(solver, mean=0.9, length=0.9), replace(rival, mean=0.9, length=0.9)]
    assert "are equally good" in gradient_attacks.compared(level)
    nearly = [level[0], replace(rival, mean=0.905, length=0.9)]
    assert "are equally good" in gradient_attacks.compared(nearly)


def test_those_that_take_fewer_problems_are_not_compared(rows):
    standings = gradient_attacks.standings(rows)
    special = [
        replace(own, problems=own.problems - 1) if own.method == "exact" else own
        for own in standings
    ]
    assert "exact" not in gradient_attacks.compared(special)


def test_every_method_is_in_the_table(rows):
    table, text = gradient_blocks(rows, 20, 5.0)
    assert len(table.cells) == 4
    assert text.text
