"""Fingerprints of a result: written, pasted and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.engine.release.fingerprint import Fingerprint, explain, parse, take
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[3]


def taken() -> Fingerprint:
    """The fingerprint of the reference on this machine."""
    return take(THIS, ROOT / "reference")


def test_a_fingerprint_survives_being_pasted() -> None:
    """Other words, quotes and a terminal's line breaks around it do not matter."""
    mine = taken()
    text = f'Total 5 / 65\n\nFingerprint: {mine}"\n'.replace(" torch", "\n  torch")
    assert parse(text) == mine
    assert parse("no fingerprint at all = 3") is None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "checks={checks}",
            "checks=000000000000",
            "Gradescope uses another version",
        ),
        ("seed={seed}", "seed=7", "The seeds differ"),
        ("gan.py={gan}", "gan.py=00000000", "gan.py differs: the submitted file is not the"),
        ("gan.py={gan}", "gan.py=missing", "gan.py was not in your submission"),
        ("torch={torch}", "torch=1.0", "Versions differ: torch"),
        ("", "", "The fingerprints are the same"),
    ],
)
def test_every_difference_is_explained(old: str, new: str, reason: str) -> None:
    """Each gives one reason with advice."""
    mine = taken()
    values = {
        "checks": mine.checks,
        "seed": mine.seed,
        "gan": mine.files["gan.py"],
        "torch": mine.versions["torch"],
    }
    pasted = parse(str(mine).replace(old.format(**values), new))
    assert pasted is not None
    (explanation,) = explain(mine, pasted)
    assert reason in explanation


def test_a_file_that_is_missing_here_is_named(tmp_path: Path) -> None:
    """An empty folder can be compared."""
    here = take(THIS, tmp_path)
    assert any("gan.py is not in this folder" in line for line in explain(here, taken()))
