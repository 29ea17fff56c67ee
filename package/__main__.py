"""The command `bilad`, which is also `python -m bilad`."""

import io
import sys

INTERRUPTED = 130  # exit code of a command that Ctrl-C ends


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback, also while it is imported."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of columns need not fit its encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _run() -> None:
    """Run the command line; if it cannot be imported, run `doctor`, or say that it helps."""
    try:
        from bilad.scripts.cli import main as run
    except Exception as error:  # a package that is broken can raise anything
        if sys.argv[1:2] != ["doctor"]:
            sys.exit(f"error {type(error).__name__}: {error}; `bilad doctor` says what is missing")
        del sys.argv[1]
        import typer

        from bilad.scripts.commands.doctor import doctor

        typer.run(doctor)
    else:
        run()


if __name__ == "__main__":
    main()
