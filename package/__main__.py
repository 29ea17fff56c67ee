"""The command `bilad`, which is also `python -m bilad`."""

import io
import signal
import sys


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback, also while it is imported.

    A command records Ctrl-C itself while it works (`scripts/command.py`). Before and after, when
    modules are imported and Python shuts down, the action of the system ends the process: there
    an exception could be caught by anybody, or be shown with a traceback.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of columns need not fit its encoding
        sys.stdout.reconfigure(errors="backslashreplace")
    _run()


def _run() -> None:
    """Run the command line; if it cannot be imported, run `doctor`, or say that it helps."""
    try:
        from bilad.scripts.cli import main as run
    except MemoryError:
        sys.exit("error not enough memory")
    except Exception as error:  # a package that is broken can raise anything
        if sys.argv[1:2] != ["doctor"]:
            sys.exit(f"error {type(error).__name__}: {error}; `bilad doctor` says what is missing")
        del sys.argv[1]
        _run_doctor()
    else:
        run()


def _run_doctor() -> None:
    """Run `doctor` alone; what it needs itself can be broken, too."""
    try:
        import typer

        from bilad.scripts.commands.doctor import doctor

        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command()(doctor)
        alone()
    except Exception as error:
        sys.exit(f"error doctor: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
