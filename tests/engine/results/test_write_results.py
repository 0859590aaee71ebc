"""results.json is written completely or not at all, whatever is at its path."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path

import pytest

from autograder.engine.results.gradescope import write_results


def test_written_results_are_read_back(tmp_path: Path) -> None:
    """The parent folder is made, the file is UTF-8 JSON, and nothing else is left there."""
    path = tmp_path / "new" / "folder" / "results.json"
    made = {"output": "σ ≈ 0"}
    write_results(path, made)
    assert json.loads(path.read_text(encoding="utf-8")) == made
    assert "σ ≈ 0" in path.read_text(encoding="utf-8")
    assert os.listdir(path.parent) == ["results.json"]


def test_everyone_can_read_the_file(tmp_path: Path) -> None:
    """Whatever the umask, the platform's own user can read the results."""
    before = os.umask(0o077)
    try:
        write_results(tmp_path / "results.json", {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "results.json").stat().st_mode) == 0o644


def test_a_lone_surrogate_cannot_break_the_write(tmp_path: Path) -> None:
    """Text that UTF-8 cannot encode is written as JSON's own escape."""
    write_results(tmp_path / "results.json", {"output": "a\ud800b"})
    assert b"a\\ud800b" in (tmp_path / "results.json").read_bytes()
    assert json.loads((tmp_path / "results.json").read_text())["output"] == "a\ud800b"


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1, 2}])
def test_values_outside_json_are_refused_and_the_old_file_stays(
    tmp_path: Path, value: object
) -> None:
    """A NaN would make the whole file invalid, so it never gets there."""
    path = tmp_path / "results.json"
    write_results(path, {"old": True})
    with pytest.raises(ValueError, match="the results cannot be written as JSON"):
        write_results(path, {"score": value})
    assert json.loads(path.read_text()) == {"old": True}
    assert os.listdir(tmp_path) == ["results.json"]


def test_a_symlink_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """A submission that links results.json to another file cannot have us write there."""
    target = tmp_path / "target"
    target.write_text("precious")
    path = tmp_path / "results.json"
    path.symlink_to(target)
    write_results(path, {"new": True})
    assert not path.is_symlink()
    assert json.loads(path.read_text()) == {"new": True}
    assert target.read_text() == "precious"


def test_a_dangling_symlink_is_replaced(tmp_path: Path) -> None:
    """A link to nowhere makes no file elsewhere."""
    path = tmp_path / "results.json"
    path.symlink_to(tmp_path / "nowhere")
    write_results(path, {"new": True})
    assert os.listdir(tmp_path) == ["results.json"]
    assert not path.is_symlink()


def test_a_link_to_a_folder_is_replaced_and_the_folder_stays(tmp_path: Path) -> None:
    """Only a folder itself is moved aside, not what a link points at."""
    (tmp_path / "folder").mkdir()
    path = tmp_path / "results.json"
    path.symlink_to(tmp_path / "folder")
    write_results(path, {"new": True})
    assert sorted(os.listdir(tmp_path)) == ["folder", "results.json"]
    assert not path.is_symlink()


def test_a_fifo_is_replaced_without_waiting(tmp_path: Path) -> None:
    """Opening a fifo would wait for a reader for ever."""
    path = tmp_path / "results.json"
    os.mkfifo(path)
    write_results(path, {"new": True})
    assert json.loads(path.read_text()) == {"new": True}


def test_a_folder_is_moved_aside_with_all_that_is_in_it(tmp_path: Path) -> None:
    """A folder in the file's place neither prevents the results nor loses anything."""
    path = tmp_path / "results.json"
    path.mkdir()
    (path / "kept").write_text("kept")
    write_results(path, {"new": True})
    assert json.loads(path.read_text()) == {"new": True}
    [aside] = tmp_path.glob("results.json.moved-aside-*")
    assert (aside / "kept").read_text() == "kept"


def test_a_hard_link_elsewhere_keeps_its_content(tmp_path: Path) -> None:
    """The file is replaced, not written through."""
    path, other = tmp_path / "results.json", tmp_path / "other"
    other.write_text("precious")
    path.hardlink_to(other)
    write_results(path, {"new": True})
    assert other.read_text() == "precious"


def test_a_failed_write_names_file_and_cause_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk gives a clear error, no half file and no litter."""
    path = tmp_path / "results.json"
    write_results(path, {"old": True})

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"could not be written to '.*results\.json' \(No space left"):
        write_results(path, {"new": True})
    assert json.loads(path.read_text()) == {"old": True}
    assert os.listdir(tmp_path) == ["results.json"]


def test_a_parent_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    """A path that cannot exist is named, with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"\(File exists\): make room .* or name another file"):
        write_results(tmp_path / "file" / "results.json", {})
