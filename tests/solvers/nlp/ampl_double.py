"""A stand-in for the `ipopt` executable: AMPL's protocol outside, CasADi's IPOPT inside.

It is written to a temporary folder as `ipopt` (see conftest.py). What it assumes of the real
one, from AmplTNLP.cpp and IpIpoptApplication.cpp of IPOPT 3.14, and seen with an executable:

- `ipopt --version` prints "Ipopt 3.14.19 (...), ASL(...)" and ends with code 0;
- `ipopt stub.nl -AMPL option_file_name=FILE` reads one "name value" a line from FILE, prints
  "Number of Iterations....: N" and "EXIT: words", and writes stub.sol;
- an option that is refused ends it with code 155, a message that names it, and no .sol;
- minimising: duals -lambda, ipopt_zL_out z_L, ipopt_zU_out -z_U; maximising, where IPOPT
  minimises -f: lambda, -z_L, z_U. Suffixes leave out zeros.
"""

import pathlib
import sys

WORDS = {
    "Solve_Succeeded": ("Optimal Solution Found.", 0),
    "Infeasible_Problem_Detected": ("Converged to a point of local infeasibility.", 200),
    "Diverging_Iterates": ("Iterates diverging; problem might be unbounded.", 300),
    "Maximum_Iterations_Exceeded": ("Maximum Number of Iterations Exceeded.", 400),
    "Maximum_WallTime_Exceeded": ("Maximum wallclock time exceeded.", 402),
    "Invalid_Number_Detected": ("Invalid number in NLP function or derivative detected.", 502),
}


def read_options(arguments):
    """Options of the file named on the command line, numbers as numbers."""
    path = next(a.partition("=")[2] for a in arguments if a.startswith("option_file_name="))
    options = {}
    for line in pathlib.Path(path).read_text().splitlines():
        name, value = line.split(maxsplit=1)
        try:
            options[name] = float(value) if set(value) & set(".e") else int(value)
        except ValueError:
            options[name] = value.strip('"')
    return options


def run(stub, options):
    """Solve with CasADi; the solution and the statistics."""
    import casadi as ca  # which `--version` needs not wait for

    nl = ca.NlpBuilder()
    nl.import_nl(stub, {})
    g = ca.vertcat(*nl.g) if nl.g else ca.MX(0, 1)
    settings = {f"ipopt.{name}": value for name, value in options.items()} | {
        "ipopt.print_level": 0,
        "ipopt.option_file_name": "",
        "print_time": False,
        "show_eval_warnings": False,
    }
    problem = {"x": ca.vertcat(*nl.x), "f": nl.f, "g": g}
    try:
        solver = ca.nlpsol("double", "ipopt", problem, settings)
    except RuntimeError as error:
        name = str(error).split()[-1]
        print(f'Exception of type: OPTION_INVALID\n Read Option: "{name}". It is not valid.')
        sys.exit(155)
    found = solver(x0=nl.x_init, lbx=nl.x_lb, ubx=nl.x_ub, lbg=nl.g_lb, ubg=nl.g_ub)
    return found, solver.stats()


def suffix(name, values):
    """One real suffix of the variables, zeros left out."""
    entries = [f"{j} {value!r}" for j, value in enumerate(values) if value]
    return [f"suffix 4 {len(entries)} {len(name) + 1} 0 0", name, *entries]


def write_sol(stub, found, words, code):
    """The answer, in the signs that AmplTNLP writes."""
    maximise = any(line.startswith("O0 1") for line in pathlib.Path(stub).read_text().splitlines())
    sign = 1.0 if maximise else -1.0
    x, lam_g, lam_x = (found[k].full().ravel() for k in ("x", "lam_g", "lam_x"))
    n, m = len(x), len(lam_g)
    lines = ["", f"Ipopt 3.14.19: {words}", "", "Options", 3, 1, 1, 0, m, m, n, n]
    lines += [float(sign * value) for value in lam_g] + x.tolist() + [f"objno 0 {code}"]
    lines += suffix("ipopt_zU_out", [float(sign * max(value, 0.0)) for value in lam_x])
    lines += suffix("ipopt_zL_out", [float(sign * min(value, 0.0)) for value in lam_x])
    pathlib.Path(stub).with_suffix(".sol").write_text("\n".join(map(str, lines)) + "\n")


if __name__ == "__main__":
    if "--version" in sys.argv:
        print("Ipopt 3.14.19 (double), ASL(20190605)\n")
        sys.exit(0)
    assert sys.argv[2] == "-AMPL"
    solution, statistics = run(sys.argv[1], read_options(sys.argv))
    said, number = WORDS[statistics["return_status"]]
    print(f"\nNumber of Iterations....: {statistics['iter_count']}\n\nEXIT: {said}")
    write_sol(sys.argv[1], solution, said, number)
