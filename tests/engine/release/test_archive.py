"""The writer of zips: the same bytes every time, and never half a file."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from autograder.engine.release.archive import File, write_zip

FILES = {"b": File(b"x" * 1000), "a": File(b"#!", executable=True)}


@pytest.mark.parametrize("compress", [True, False])
def test_bytes_depend_on_names_modes_and_contents_only(tmp_path: Path, compress: bool) -> None:
    """The order of the files makes no difference; missing folders are made."""
    one, other = tmp_path / "new" / "one.zip", tmp_path / "other.zip"
    write_zip(one, FILES, compress=compress)
    write_zip(other, dict(reversed(FILES.items())), compress=compress)
    assert one.read_bytes() == other.read_bytes()
    assert (len(one.read_bytes()) < 1000) == compress
    with zipfile.ZipFile(one) as archive:
        entries = archive.infolist()
        assert {entry.filename: archive.read(entry) for entry in entries} == {
            name: file.data for name, file in FILES.items()
        }
    assert [entry.filename for entry in entries] == ["a", "b"]
    assert [entry.external_attr >> 16 for entry in entries] == [
        stat.S_IFREG | 0o755,
        stat.S_IFREG | 0o644,
    ]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_an_error_leaves_the_earlier_zip_alone(tmp_path: Path) -> None:
    """No partial file stays either."""
    path = tmp_path / "a.zip"
    path.write_bytes(b"earlier")
    with pytest.raises(TypeError):
        write_zip(path, {"x": File(None)})  # type: ignore[arg-type]
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]
