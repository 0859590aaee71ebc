"""`python -m autograder`, and `python -I autograder/__main__.py`: the instructors' commands."""

import sys
from pathlib import Path

if not __package__:  # run as a file, in isolated mode: nothing of the caller's is on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from autograder.cli import main


def run() -> None:
    """Run the command line: `autograder`, where the package is installed."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
