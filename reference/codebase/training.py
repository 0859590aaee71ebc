"""Parts of both trainings: losses that must stay finite, and checkpoints to resume from."""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from codebase.command_line import DriverError, TrainingDiverged

CHECKPOINT = "checkpoint.pt"  # its name in a driver's folder


def finite(loss: Tensor, what: str, when: str) -> float:
    """Return a loss as a number.

    Raises:
        TrainingDiverged: it is NaN or infinite.
    """
    value = loss.item()
    if not math.isfinite(value):
        raise TrainingDiverged(
            f"{what} is {value} in {when}, so training stops; look for an exp, log or division "
            "that can overflow, or try another --seed"
        )
    return value


def save_checkpoint(state: Mapping[str, Any], path: Path) -> None:
    """Write a training's state; the file at `path` is always complete, the old one or the new one.

    Args:
        state: numbers, text, tensors, and lists and dicts of these.
        path: the file to write.

    Raises:
        DriverError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        torch.save(dict(state), partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError on a full disk
        raise DriverError(f"cannot write {path} ({str(error).splitlines()[0]})") from error


def load_checkpoint(path: Path, settings: Mapping[str, object]) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote. Nothing in the file can run code.

    Args:
        path: the file.
        settings: what must be as it was when the file was written, by the option's name; kept
            under "settings".

    Raises:
        DriverError: there is no such file, it is damaged, or a setting has changed.
    """
    if not path.is_file():
        raise DriverError(f"--resume finds no {path} to go on from; leave it out to start afresh")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        kept: dict[str, object] = state["settings"]
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, KeyError, TypeError) as error:
        raise DriverError(
            f"{path} is no checkpoint or a damaged one; leave out --resume to start afresh"
        ) from error
    for name, value in settings.items():
        if kept.get(name) != value:
            raise DriverError(
                f"{path} was made with {name} {kept.get(name)}, not {value}; give the same again, "
                "or leave out --resume to start afresh"
            )
    return state


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of torch's random number generators that a training draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Set torch's random number generators to what `random_state` returned."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
