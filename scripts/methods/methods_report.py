"""What the comparison of methods shows of its rows: tables, their CSV files, pictures."""

from __future__ import annotations

from collections.abc import Sequence

from bilad.scripts.methods.method_rows import MethodRow
from bilad.scripts.methods.method_scores import Score, scores
from bilad.scripts.methods.methods_pictures import draw_family
from bilad.scripts.methods.methods_tables import by_column, each_problem, left_out, summary
from bilad.scripts.run_log import Output, write_table
from bilad.scripts.tables import grouped, show

SUMMARY_CAPTION = (
    "U / best: over the best known of all runs; for BL2, the least known ||eps|| over ||eps||. "
    "Medians of solves and seconds;\nto 95 %: inf for those that do not get there. overhead: time "
    "outside lower-level solves over time within. undecided: solves\nwith labels not proved. time "
    "up: runs that spent their seconds before their solves; too large: for a reformulation."
)


def report(rows: Sequence[MethodRow], output: Output) -> None:
    """Print and write the tables, and draw the pictures, of each family in turn."""
    for family, own in grouped(scores(rows), lambda s: s.instance.family):
        _tables(family, own, output)
        draw_family(family, own, output.folder)


def _tables(family: str, own: Sequence[Score], output: Output) -> None:
    tables = {
        "summary": (f"{family}: methods in short", summary(own), SUMMARY_CAPTION),
        "by_column": (f"{family}: mean of U / best", by_column(own), left_out(own)),
    }
    problems = each_problem(own)
    if family == "table1":
        title = "table1: our settings, beside the optimum over the ray; the best of the seeds"
        tables["problems"] = (title, problems, "")
    for title, cells, caption in tables.values():
        show(output.console, title, cells, caption)
    for name, (_, cells, _) in {**tables, "problems": ("", problems, "")}.items():
        write_table(output.folder / f"{family}_{name}.csv", list(cells[0]) if cells else [], cells)
