"""The command `bilad`, which is also `python -m bilad`."""

import sys


def main() -> None:
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
