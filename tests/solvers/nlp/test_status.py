"""Every exit has a name: by the tables, and by problems that end that way."""

import math

import pyomo.environ as pyo
import pytest

from bilad.solvers.nlp import IpoptSession, NlpStatus
from bilad.solvers.nlp.casadi_engine import CasadiProgram


def line(expr, **bounds):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(initialize=1.0, **bounds)
    m.cost = pyo.Objective(expr=expr(m.x))
    return m


def rosenbrock(n=2):
    m = pyo.ConcreteModel()
    m.x = pyo.Var(range(n), initialize=-1.2)
    m.cost = pyo.Objective(
        expr=sum(100 * (m.x[i + 1] - m.x[i] ** 2) ** 2 + (1 - m.x[i]) ** 2 for i in range(n - 1))
    )
    return m


# What each engine says: CasADi IPOPT's name of the return status, the executable a sentence.
WORDS = {
    NlpStatus.OPTIMAL: ["Solve_Succeeded", "Optimal Solution Found."],
    NlpStatus.ACCEPTABLE: ["Solved_To_Acceptable_Level", "Solved To Acceptable Level."],
    NlpStatus.FEASIBLE_POINT: [
        "Feasible_Point_Found",
        "Feasible point for square problem found.",
        "Found feasible point for square problem.",
    ],
    NlpStatus.INFEASIBLE: [
        "Infeasible_Problem_Detected",
        "Converged to a point of local infeasibility. Problem may be infeasible.",
        "Converged to a locally infeasible point. Problem may be infeasible.",
    ],
    NlpStatus.UNBOUNDED: ["Diverging_Iterates", "Iterates diverging; problem might be unbounded."],
    NlpStatus.ITERATION_LIMIT: [
        "Maximum_Iterations_Exceeded",
        "Maximum Number of Iterations Exceeded.",
    ],
    NlpStatus.TIME_LIMIT: [
        "Maximum_CpuTime_Exceeded",
        "Maximum_WallTime_Exceeded",
        "Maximum CPU time exceeded.",
        "Maximum CPU Time Exceeded.",
        "Maximum wallclock time exceeded.",
    ],
    NlpStatus.SMALL_STEP: [
        "Search_Direction_Becomes_Too_Small",
        "Search Direction is becoming Too Small.",
        "Search Direction becomes Too Small.",
    ],
    NlpStatus.USER_STOP: [
        "User_Requested_Stop",
        "Stopping optimization at current point as requested by user.",
    ],
    NlpStatus.RESTORATION_FAILED: [
        "Restoration_Failed",
        "Restoration Failed!",
        "Restoration Phase Failed.",
    ],
    NlpStatus.STEP_ERROR: ["Error_In_Step_Computation", "Error in step computation!"],
    NlpStatus.INVALID_NUMBER: [
        "Invalid_Number_Detected",
        "Invalid number in NLP function or derivative detected.",
    ],
    NlpStatus.TOO_FEW_DEGREES_OF_FREEDOM: [
        "Not_Enough_Degrees_Of_Freedom",
        "Problem has too few degrees of freedom.",
    ],
    NlpStatus.INVALID_PROBLEM: [
        "Invalid_Problem_Definition",
        "Problem has inconsistent variable bounds or constraint sides.",
    ],
    NlpStatus.INVALID_OPTION: [
        "Invalid_Option",
        "Invalid option encountered.",
        "Library loading failure.",
    ],
    NlpStatus.UNRECOVERABLE_EXCEPTION: [
        "Unrecoverable_Exception",
        "Some uncaught Ipopt exception encountered.",
    ],
    NlpStatus.FOREIGN_EXCEPTION: [
        "NonIpopt_Exception_Thrown",
        "Unknown Exception caught in Ipopt",
    ],
    NlpStatus.INSUFFICIENT_MEMORY: [
        "Insufficient_Memory",
        "Not enough memory.",
        "Integer type too small for required memory.",
    ],
    NlpStatus.INTERNAL_ERROR: ["Internal_Error", "INTERNAL ERROR: Unknown SolverReturn value"],
    NlpStatus.UNKNOWN: ["Something_New", "Unknown Error", "unknown", ""],
}


@pytest.mark.parametrize("status", NlpStatus)
def test_words_of_the_engines(status):
    for words in WORDS[status]:
        assert NlpStatus.of(words) is status
        assert NlpStatus.of(f" {words.rstrip('.')}\n") is status


def test_infeasible(engine):
    m = line(lambda x: x, bounds=(-5, 5))
    m.row = pyo.Constraint(expr=m.x**2 <= -1)
    result = IpoptSession(m, engine=engine).solve()
    assert result.status is NlpStatus.INFEASIBLE, result.message
    assert result.objective == pytest.approx(pyo.value(m.cost))


@pytest.mark.parametrize("expr", [lambda x: x, lambda x: -(x**2)], ids=["linear", "concave"])
def test_unbounded(engine, expr):
    options = {"diverging_iterates_tol": 1e6}
    result = IpoptSession(line(expr), options, engine).solve()
    assert result.status is NlpStatus.UNBOUNDED, result.message
    assert result.objective < -1e6


def test_iteration_limit(engine):
    result = IpoptSession(rosenbrock(), {"max_iter": 3}, engine).solve()
    assert result.status is NlpStatus.ITERATION_LIMIT, result.message
    assert result.iterations == 3
    assert math.isfinite(result.objective)


def test_time_limit(engine, monkeypatch):
    # A busy machine may need long to start the executable, which must not be killed before.
    monkeypatch.setattr("bilad.solvers.nlp.executable_engine.GRACE_SECONDS", 60.0)
    m = rosenbrock(200)
    result = IpoptSession(m, engine=engine).solve(time_limit=1e-4)
    assert result.status is NlpStatus.TIME_LIMIT, result.message
    assert result.objective is not None
    assert result.seconds < 10


def test_time_limit_is_of_one_solve_only():
    m = rosenbrock(30)
    session = IpoptSession(m, engine="casadi")
    assert session.solve(time_limit=1e-6).status is NlpStatus.TIME_LIMIT
    assert session.solve().status is NlpStatus.OPTIMAL
    assert session.solve(time_limit=60.0).status is NlpStatus.OPTIMAL


def test_ipopts_own_time_limit(engine):
    result = IpoptSession(rosenbrock(200), {"max_wall_time": 1e-6}, engine).solve()
    assert result.status is NlpStatus.TIME_LIMIT, result.message


def test_nan_at_the_start_leaves_the_model_alone(engine, capfd):
    m = line(lambda x: pyo.log(x - 5) + x**2)
    result = IpoptSession(m, engine=engine).solve()
    assert result.status is NlpStatus.INVALID_NUMBER, result.message
    assert result.objective is None
    assert m.x.value == 1.0
    assert not result.duals
    assert not result.reduced_costs
    assert capfd.readouterr() == ("", "")


def test_too_few_degrees_of_freedom():
    m = line(lambda x: x)
    m.row = pyo.Constraint(range(3), rule=lambda m, i: m.x == i)
    program = IpoptSession(m, engine="casadi")
    result = program.solve()
    assert result.status is NlpStatus.TOO_FEW_DEGREES_OF_FREEDOM, result.message
    assert result.objective is None


def test_user_stop_that_we_did_not_ask_for(monkeypatch):
    session = IpoptSession(rosenbrock(), engine="casadi")
    program = session._program
    assert isinstance(program, CasadiProgram)
    monkeypatch.setattr(program._stop, "eval", lambda _: [1])
    assert session.solve().status is NlpStatus.USER_STOP
