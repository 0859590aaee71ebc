"""Options of the three drivers, and errors that take one clear line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import torch


class DriverError(Exception):
    """An error that the user can fix. The message is one line and says what to do."""

    exit_status = 2


class TrainingDiverged(DriverError):
    """The loss became NaN or infinite."""

    exit_status = 1


class _OneLineParser(argparse.ArgumentParser):
    """A parser whose errors take one line, without the usage text before them."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def make_parser(description: str, *, epochs: int) -> argparse.ArgumentParser:
    """Return a parser with the options that all drivers have.

    Args:
        description: one line on what the driver does.
        epochs: the default number of epochs.
    """
    parser = _OneLineParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--epochs", type=_positive, default=epochs, help="passes over the training set"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers")
    parser.add_argument(
        "--device", default="auto", help="cpu, cuda, ...; auto takes a GPU where there is one"
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path("data"),
        help="folder of the Fashion-MNIST files, downloaded into it if they are nowhere on this "
        "machine (Moons is generated and needs none)",
    )
    parser.add_argument(
        "--out-dir", type=Path, default=Path(), help="folder under which figures are written"
    )
    parser.add_argument(
        "--max-steps",
        type=_positive,
        help="stop every epoch after this many steps, for a quick try",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the checkpoint of an earlier run, as if it had never stopped",
    )
    return parser


def run_driver(main: Callable[[Sequence[str] | None], None]) -> NoReturn:
    """Run a driver's main function and exit, turning a `DriverError` into one line."""
    try:
        main(None)
    except DriverError as error:
        sys.stderr.write(f"{Path(sys.argv[0]).name}: error: {error}\n")
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nStopped by the keyboard. All files written so far are kept; --resume continues from "
            "the last checkpoint.\n"
        )
        sys.exit(130)
    sys.exit(0)


def start_run(options: argparse.Namespace, folder_name: str) -> tuple[torch.device, Path]:
    """Seed torch and return the device to train on and the folder for the figures, tried out.

    Raises:
        DriverError: the device cannot be used, or the folder not written to.
    """
    device = _choose_device(options.device)
    folder = _make_folder(options.out_dir, folder_name)
    torch.manual_seed(options.seed)
    return device, folder


def _choose_device(name: str) -> torch.device:
    """Return the device that `--device` names, tried out.

    Raises:
        DriverError: torch does not know the device or cannot use it here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    # torch raises AssertionError where it was built without CUDA.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise DriverError(f"--device {name} cannot be used here ({reason}); try cpu") from error
    return device


def _make_folder(out_dir: Path, name: str) -> Path:
    """Create the folder `name` for figures under `out_dir` and return it.

    Raises:
        DriverError: the folder cannot be created or written to.
    """
    folder = out_dir / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".can-be-written"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DriverError(
            f"cannot write figures to {folder} ({error.strerror}); choose another --out-dir"
        ) from error
    return folder


def _positive(text: str) -> int:
    """Convert an option's text to an integer of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return number
