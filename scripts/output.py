"""What a command prints and writes.

The result is printed on stdout: as tables for the terminal, or as JSON, CSV or LaTeX. Messages and
progress go to stderr. The files of a command are named before its work, so that no result is
overwritten and no work is lost because a file cannot be written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bilad.models.representation import json_form
from bilad.models.validation import ArgumentError
from bilad.scripts.display import console, progress_bar, show
from bilad.scripts.experiments.page import Table
from bilad.scripts.files import check_folder, save_figure, write_text
from bilad.scripts.options import OutputOptions

RESULTS = Path("results")
FORMS = ("json", "csv", "latex")


class Output:
    """The output of one command.

    Parameters
    ----------
    options : OutputOptions
    command : str
    name : str, optional
        Of what the command works on, as the name of its folder.
    files : sequence of str
        The names of all files that the command may write, relative to its folder.

    Attributes
    ----------
    folder : Path
    messages : Console
        For stderr.

    Raises
    ------
    ArgumentError
        If a file exists and may not be replaced, the folder is a file, or two forms are asked for.
    OSError
        If the folder cannot be written to.
    """

    def __init__(
        self, options: OutputOptions, command: str, name: str = "", files: Sequence[str] = ()
    ) -> None:
        self.options, self.messages = options, console(stderr=True)
        self.messages.quiet = options.quiet
        asked = [form for form in FORMS if getattr(options, form)]
        if len(asked) > 1:
            raise ArgumentError(asked[1], f"--{asked[0]} too", "at most one of the two")
        self.form = asked[0] if asked else "table"
        self.folder = folder_of(options, command, name)
        self.files = files
        check_folder(self.folder)
        taken = [file for file in files if (self.folder / file).exists()]
        if taken and not options.force:
            given = f"{self.folder}, in which {', '.join(taken)} exist{'s' * (len(taken) == 1)}"
            raise ArgumentError("out", given, "another folder, or --force to replace files")

    def say(self, text: str) -> None:
        """Print a message on stderr."""
        self.messages.print(text, markup=False, highlight=False, soft_wrap=True)

    @property
    def has_bar(self) -> bool:
        """Whether progress is shown by a bar, because stderr is a terminal."""
        return self.messages.is_terminal and not self.options.quiet

    @contextmanager
    def progress(self, task: str, total: int) -> Iterator[Callable[[int, str], None]]:
        """Yield a function of the number of finished steps, and a line about the last one.

        A terminal shows a bar, and other streams the lines.
        """
        if not self.has_bar:
            yield lambda done, line: self.say(f"{task} {done}/{total}: {line}")
            return
        with progress_bar(self.messages) as bar:
            number = bar.add_task(task, total=total)
            yield lambda done, line: bar.update(number, completed=done)

    def result(self, record: Mapping[str, Any], *tables: Table, summary: str = "") -> None:
        """Print the result on stdout: the record as JSON, or the tables.

        Parameters
        ----------
        record : mapping
            All that is known, ready for JSON.
        *tables : Table
        summary : str, optional
            A line that follows the tables on a terminal.
        """
        if self.form == "json":
            typer.echo(as_json(record))
        elif self.form != "table":
            texts = [one.csv() if self.form == "csv" else one.latex() for one in tables]
            typer.echo("\n".join(texts), nl=False)
        else:
            stdout = console()
            for one in tables:
                if len(one.frame):
                    show(stdout, one.title, one.frame, one.caption)
            if summary:
                stdout.print(summary, markup=False, highlight=False, soft_wrap=True)

    def write(self, file: str, text: str) -> None:
        """Write one of the files."""
        write_text(self.folder / file, text)

    def write_json(self, file: str, record: Mapping[str, Any]) -> None:
        """Write one of the files as JSON."""
        self.write(file, as_json(record) + "\n")

    def draw(self, file: str, plot: Callable[[Axes], object]) -> None:
        """Draw one of the files; `plot` draws on axes."""
        figure = Figure(layout="constrained")
        plot(figure.subplots())
        save_figure(figure, self.folder / file)

    def written(self, *remarks: str) -> None:
        """Say which files were written, and what can be done next."""
        names = [file for file in self.files if (self.folder / file).exists()]
        self.say(f"Written: {', '.join(names)} in {self.folder}")
        for remark in remarks:
            self.say(remark)


def folder_of(options: OutputOptions, command: str, name: str = "") -> Path:
    """Return the folder of the files of a command."""
    return RESULTS / command / name if options.out is None else options.out


def as_json(record: Mapping[str, Any]) -> str:
    """Return a record as JSON; numbers that are not finite become null."""
    return json.dumps(json_form(record), indent=2, allow_nan=False)
