"""`python -m bilad` is the command `bilad`."""

from bilad.scripts.cli import main

if __name__ == "__main__":
    main()
