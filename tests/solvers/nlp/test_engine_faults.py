"""An executable that breaks down in any way ends in EngineError, or in a result with a status."""

import time
from pathlib import Path
from types import SimpleNamespace

import pyomo.environ as pyo
import pytest

from bilad.solvers.nlp import EngineError, IpoptSession, NlpStatus, find_engine
from bilad.solvers.nlp.executable_engine import ExecutableProgram

VERSION = '#!/bin/sh\n[ "$1" = --version ] && echo "Ipopt 3.14.19" && exit 0\n'
HEAD = "Ipopt 3.14.19: Optimal Solution Found.\n\nOptions\n3\n1\n1\n0\n"
WHOLE = HEAD + "1\n1\n1\n1\n0.5\n2.0\nobjno 0 0\n"
SUFFIX = "suffix 4 1 13 0 0\nipopt_zU_out\n{} 0.0\n"
LONG = 200_000


def model():
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=1.0)
    m.row = pyo.Constraint(expr=m.x**2 <= 9)
    m.cost = pyo.Objective(expr=(m.x - 2) ** 2)
    return m


@pytest.fixture
def answering(put_on_path, tmp_path):
    """Put an `ipopt` on PATH that runs this shell text, and writes these bytes as its .sol file."""

    def put(shell="", sol=None):
        answer = tmp_path / "answer"
        if sol is not None:
            answer.write_bytes(sol if isinstance(sol, bytes) else sol.encode())
            shell += f'\n/bin/cp {answer} "${{1%.nl}}.sol"\n'
        put_on_path(VERSION + shell)

    return put


BROKEN_FILES = {
    "empty": "",
    "garbage": "x\n",
    "binary": bytes(range(256)) * 50,
    "only the message": WHOLE[:40],
    "cut in the counts": WHOLE[:60],
    "cut in the values": WHOLE[: WHOLE.index("2.0")],
    "text for a number": WHOLE.replace("2.0", "two"),
    "text for a count": WHOLE.replace("Options\n3", "Options\nthree"),
    "too few values": WHOLE.replace("1\n1\n0.5\n2.0", "1\n0\n0.5"),
    "too few duals": WHOLE.replace("\n1\n1\n1\n1\n0.5", "\n1\n0\n1\n1"),
    "countless values": WHOLE.replace("1\n1\n0.5", "1\n999999999999\n0.5"),
    "suffix of no variable": WHOLE + SUFFIX.format(7),
    "suffix of a negative variable": WHOLE + SUFFIX.format(-1),
    "suffix cut short": WHOLE + SUFFIX[:20],
    "suffix without numbers": WHOLE + "suffix x y\n",
}


@pytest.mark.parametrize("kind", BROKEN_FILES)
def test_answer_that_cannot_be_read(kind, answering):
    answering(sol=BROKEN_FILES[kind])
    m = model()
    with pytest.raises(EngineError, match=r"ipopt"):
        IpoptSession(m, engine="executable").solve()
    assert m.x.value == 1.0


def test_whole_answer_is_read(answering):
    answering(sol=WHOLE + SUFFIX.format(0))
    m = model()
    result = IpoptSession(m, engine="executable").solve()
    assert (result.status, result.objective, m.x.value) == (NlpStatus.OPTIMAL, 0.0, 2.0)
    assert result.duals[m.row] == 0.5


@pytest.mark.parametrize("values", ["nan", "inf", "-1e400"])
def test_point_that_is_not_finite(values, answering):
    answering(sol=WHOLE.replace("2.0", values))
    m = model()
    result = IpoptSession(m, engine="executable").solve()
    assert (result.status, result.objective) == (NlpStatus.INVALID_NUMBER, None)
    assert m.x.value == 1.0


DEATHS = {
    "killed": "kill -9 $$",
    "silent": "exit 0",
    "says optimal, writes nothing": "echo 'EXIT: Optimal Solution Found.'",
    "refuses what we did not ask for": "echo 'OPTION_INVALID Option: nonsense'; exit 155",
    "writes a folder": '/bin/mkdir "${1%.nl}.sol"',
    "goes away": '/bin/rm "$0"',
}


@pytest.mark.parametrize("kind", DEATHS)
def test_executable_that_dies(kind, answering):
    answering(DEATHS[kind])
    session = IpoptSession(model(), engine="executable")
    for _ in range(2):
        with pytest.raises(EngineError):
            session.solve()


def test_exit_without_a_point(answering):
    answering("echo 'EXIT: Not enough memory.'")
    result = IpoptSession(model(), engine="executable").solve()
    assert (result.status, result.objective) == (NlpStatus.INSUFFICIENT_MEMORY, None)


CHATTER = f"/usr/bin/head -c {LONG} /dev/zero | /usr/bin/tr '\\000' '\\{{}}'\n"
CHARACTERS = pytest.mark.parametrize("character", ["170", "033", "000", "377"])


@CHARACTERS
def test_much_output_of_a_solve_is_cut(character, answering):
    answering(f"printf 'EXIT: '\n{CHATTER.format(character)}")
    result = IpoptSession(model(), engine="executable").solve()
    assert result.status is NlpStatus.UNKNOWN
    assert len(result.message) < 1000
    assert result.message.isprintable()


@CHARACTERS
@pytest.mark.parametrize("code", [0, 3])
def test_much_output_instead_of_a_version_is_cut(character, code, put_on_path):
    put_on_path(f"#!/bin/sh\n{CHATTER.format(character)}exit {code}")
    with pytest.raises(EngineError) as raised:
        find_engine("executable")
    with pytest.warns(RuntimeWarning) as warned:
        assert find_engine().name == "IPOPT in CasADi"
    for text in (str(raised.value), str(warned[0].message)):
        assert len(text) < 1000
        assert text.isprintable()


def test_casadi_that_breaks_down(monkeypatch):
    session = IpoptSession(model(), engine="casadi")

    def broken(**_):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(session._program, "_solver", broken)
    with pytest.raises(EngineError, match="IPOPT in CasADi: out of luck"):
        session.solve()


def test_file_cut_anywhere(tmp_path):
    """The longest beginning that is a whole file lacks the last end of line only."""
    path = tmp_path / "model.sol"
    model_of_one = SimpleNamespace(variables=[None], constraints=[None])
    program = ExecutableProgram("ipopt", "3.14.19", model_of_one, {})
    for length in range(len(WHOLE) - 1):
        path.write_text(WHOLE[:length])
        with pytest.raises(EngineError, match=r"ipopt: invalid \.sol file"):
            program._answer("", path)
    path.write_text(WHOLE[:-1])
    assert program._answer("", path).status is NlpStatus.OPTIMAL


def test_a_child_that_is_left_behind_is_ended(answering, tmp_path):
    answering(f"/bin/sleep 60 & echo $! > {tmp_path}/child; /bin/sleep 60")
    result = IpoptSession(model(), engine="executable").solve(time_limit=0.5)
    assert result.status is NlpStatus.TIME_LIMIT
    assert result.seconds < 20
    child = int((tmp_path / "child").read_text())
    # The signal is sent before `solve` returns; the system delivers it a little later.
    deadline = time.monotonic() + 10
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(child)


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
