"""Part `size`: the times of the steps, the end of the doubling, and failures."""

import pytest

from bilad.scripts.display import shown
from bilad.scripts.formulations.size import (
    FAMILIES,
    Family,
    measure,
    size_rows,
    size_table,
)
from bilad.solvers.bilevel import continuation


def test_the_pieces_of_a_small_problem_are_timed():
    one = measure(Family(1, 2.0, None), 12, 60.0)
    assert one.status == "converged"
    assert (one.n, one.edges, one.blocks) == (12, 66, 12)
    pieces = one.lower + one.writing + one.opening + one.ipopt
    assert 0 < pieces <= one.total * 1.01
    assert one.building_share == pytest.approx((one.writing + one.opening) / one.total)
    assert one.iterations > 0
    (cells,) = size_table([one])
    assert cells["building"] == f"{one.building_share:.2%}"


def test_a_size_that_is_too_large_ends_the_doubling():
    rows = list(size_rows(FAMILIES[1], 0.02))
    assert rows[-1].status == "time limit"
    assert len(rows) == 1
    assert "nan" not in " ".join(shown(v) for v in size_table(rows)[0].values())


def test_a_size_that_breaks_is_a_row(monkeypatch):
    def broken(*arguments, **options):
        raise MemoryError("too large")

    monkeypatch.setattr(continuation, "IpoptSession", broken)
    (one,) = size_rows(FAMILIES[0], 5.0)
    assert one.status == "error: MemoryError: too large"
