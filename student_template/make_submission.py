"""Packs your homework into submission.zip, as make_submission.sh does, on any system.

Run it anywhere: it packs the folder in which it lies or, if there is no codebase/ in that one, the
current folder.
"""

import os
import re
import sys
import tempfile
import zipfile
from pathlib import Path

PYTHON_FILES = ("codebase/flow_network.py", "codebase/gan.py")
FLOW_FIGURE = "maf/samples_epoch50.png"
STUB = re.compile(r'^\s*raise NotImplementedError\("(.*) is not implemented yet"\)', re.MULTILINE)


def fail(message: str) -> None:
    """Say what is wrong in one line, and end."""
    sys.exit(f"make_submission.py: {message}")


def last_figure(folder: Path) -> "Path | None":
    """Return the generated images of one folder with the highest step."""
    steps = {
        int(path.stem.removeprefix("fake_")): path
        for path in sorted(folder.glob("fake_*.png"))
        if re.fullmatch(r"[0-9]+", path.stem.removeprefix("fake_"))
    }
    return steps[max(steps)] if steps else None


def files_to_pack(folder: Path) -> "list[str]":
    """Return what belongs into the zip, as paths below the folder."""
    for name in PYTHON_FILES:
        if not (folder / name).is_file():
            fail(f"{folder / name} is missing; nothing was packed")
    files = list(PYTHON_FILES)
    if (folder / FLOW_FIGURE).is_file():
        files.append(FLOW_FIGURE)
    else:
        print(f"Note: {FLOW_FIGURE} is not there; 'python run_flow.py' makes it.")
    for out in sorted(folder.glob("out_*")):
        figure = last_figure(out) if out.is_dir() else None
        if figure is not None:
            files.append(figure.relative_to(folder).as_posix())
    return files


def main() -> None:
    """Pack."""
    folder = Path(__file__).resolve().parent
    if not (folder / "codebase").is_dir():
        here, folder = folder, Path.cwd()
        if not (folder / "codebase").is_dir():
            fail(
                f"neither {here} nor {folder} holds a folder codebase/; "
                "run it in your homework's folder"
            )
    files = files_to_pack(folder)
    for name in PYTHON_FILES:
        text = (folder / name).read_text(encoding="utf-8", errors="replace")
        for part in STUB.findall(text):
            print(f"Warning: {name}: {part} is not implemented yet", file=sys.stderr)
    # Packed beside its place and then moved: a failure leaves no half-written archive.
    with tempfile.TemporaryDirectory(prefix=".submission.", dir=folder) as partial:
        packed = Path(partial) / "submission.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for name in files:
                archive.write(folder / name, name)
        os.replace(packed, folder / "submission.zip")
    print(f"Packed into {folder / 'submission.zip'}:")
    for name in files:
        print(f"  {name}")


if __name__ == "__main__":
    main()
