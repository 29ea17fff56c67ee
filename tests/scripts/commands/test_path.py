"""`bilad path`: its files, its suggestions, and the command that it names."""

import json
import shlex

import pandas as pd
import pytest

OWN = "--label", "kind", "--neighbours", "4"
# The two clouds are two components of the graph.
pytestmark = pytest.mark.filterwarnings("default::bilad.models.DisconnectedGraphWarning")


def test_the_command_that_is_named_gives_the_partition(bilad, flowers, tmp_path):
    result = bilad("path", flowers, *OWN, "--neighbours", 6, "--columns", "height,1")
    assert result.exit_code == 0, result.output
    folder = tmp_path / "results" / "path" / "flowers"
    suggestions = pd.read_csv(folder / "suggestions.csv")
    assert len(pd.read_csv(folder / "path.csv")) == 50
    assert (suggestions.lifetime.diff().dropna() <= 0).all()
    assert json.loads((folder / "path.json").read_text())["result"]["status"] == "complete"
    assert all((folder / name).exists() for name in ("clusters.svg", "path.svg"))
    words = shlex.split(result.stderr.splitlines()[-1].removeprefix("Next: bilad "))
    assert words[:3] == ["cluster", str(flowers), "--gamma"]
    found = json.loads(bilad(*words, "--json").stdout)["result"]
    assert len(set(found["labels"])) == suggestions.clusters[0]


def test_a_number_of_clusters_and_own_gammas(bilad, flowers):
    result = bilad("path", flowers, *OWN, "--gammas", "0.01,0.1, 1", "--clusters", 2, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["result"]
    assert [level["gamma"] for level in found["path"]] == [0.01, 0.1, 1]
    assert found["suggestions"][0]["n_clusters"] == 2
    told = json.loads(result.stdout)
    assert "gamma" not in told["options"]
    assert "gamma" not in told["subject"]
    lines = [line for line in result.stderr.splitlines() if line.startswith("path ")]
    assert len(lines) == 3


def test_a_warning_is_one_line(bilad, flowers):
    result = bilad("path", flowers, *OWN, "--gammas", "1")
    warned = [line for line in result.stderr.splitlines() if line.startswith("warning")]
    assert len(warned) == 1
    assert "the graph has 2 components" in warned[0]
    quiet = bilad("path", flowers, *OWN, "--gammas", "1", "--quiet", "--force")
    assert quiet.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ("--phi", "1e300"),
            "error DATA: got no edge of positive weight",
            marks=pytest.mark.filterwarnings("default:the largest weight"),
        ),
        (("--gamma", "1"), "error no such option: --gamma; did you mean '--gammas'?"),
    ],
)
def test_wrong_options(bilad, flowers, tmp_path, arguments, said):
    result = bilad("path", flowers, *OWN, *arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith(said)
    assert not (tmp_path / "results").exists()


def test_ctrl_c_keeps_the_gammas_that_are_solved(bilad, flowers, tmp_path, monkeypatch):
    """The interrupt arrives after two gammas."""
    import bilad.solvers.clustering.path as module

    solved, solve = [], module.solve_lower

    def counted(*arguments):
        if len(solved) == 2:
            raise KeyboardInterrupt
        solved.append(None)
        return solve(*arguments)

    monkeypatch.setattr(module, "solve_lower", counted)
    result = bilad("path", flowers, *OWN, "--gammas", "0.1,0.2,0.3,0.4")
    assert result.exit_code == 130
    assert result.stderr.endswith("interrupted\n")
    table = pd.read_csv(tmp_path / "results" / "path" / "flowers" / "path.csv")
    assert table.gamma.tolist() == [0.1, 0.2]
