"""Settings of all tests: Hypothesis profiles, threads, signals and pairwise parametrisation."""

import itertools
import os
import signal

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

import bilad.solvers  # noqa: F401  (BLAS must be loaded to be limited)

# Programs of the gallery show their figures; this backend draws nothing and waits for nobody.
os.environ["MPLBACKEND"] = "template"
# Tests in several processes are told a width of the terminal, which wraps what commands print.
os.environ.pop("COLUMNS", None)

# The same examples on every machine; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile(
    "suite", deadline=None, max_examples=30, derandomize=True, database=None, print_blob=True
)
settings.register_profile("explore", deadline=None, max_examples=1000, database=None)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The matrices are small: two BLAS threads on a busy machine cost fifty times one."""
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def ctrl_c_interrupts():
    """Ctrl-C, which some tests send, raises KeyboardInterrupt.

    A shell that starts the tests in the background, and the start of the program, change that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def covering(factors):
    """Rows of a covering array of strength two: every two values of two factors meet in a row.

    Greedy, and the same on every machine: of all rows, the one with most pairs still to be met.
    """

    def pairs(row):
        return set(itertools.combinations(enumerate(row), 2))

    factors = list(factors)
    positions = [range(len(values)) for values in factors]
    rows = {row: pairs(row) for row in itertools.product(*positions)}
    missing = set().union(*rows.values())
    while missing:
        best = max(rows, key=lambda row: len(rows[row] & missing))
        missing -= rows[best]
        yield tuple(values[k] for values, k in zip(factors, best, strict=True))


def pytest_generate_tests(metafunc):
    """Read `@pytest.mark.pairwise(a=[...], b=[...])`: some of the cases of a product of factors."""
    for mark in metafunc.definition.iter_markers("pairwise"):
        metafunc.parametrize(list(mark.kwargs), list(covering(map(list, mark.kwargs.values()))))
