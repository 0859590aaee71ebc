"""What a whole class costs: `.venv/bin/python -m benchmarks.classroom` (takes half an hour).

Grades classes of several sizes with `python -m autograder class`, and some of the same submissions
in a plain loop over ./run_autograder, in one run on one machine. A class is a mix from the
catalogue: of thirty, eighteen are wrong, nine right, and three hostile (a loop without end, an exit
at import, a fork bomb). Printed are wall and CPU seconds a submission and the greatest sum of PSS
over all processes (shared memory counts once; needs Linux).

With several sizes, a last line has the CPU time of a further submission: of the largest class less
the smallest, in imports of torch. `--sizes 2,32` has all kinds once between. The imports run beside
the classes, a few a minute, since the speed of a machine changes meanwhile.

`--head SIZES` measures everything around the gradings instead: the gradings themselves are a
stand-in that answers at once, so that thousands of submissions show what the one process costs
that reads the export, keeps the results and writes the pages.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from autograder.engine.catalogue.cases import all_cases
from benchmarks.timing import IMPORT_TORCH, timed
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[1]
# Reading PSS takes 11 ms for each process that holds torch, and there are a dozen: it would take
# processor time from what is measured, were it done often.
_SAMPLE_S = 5.0
_IMPORT_EVERY_S = 12.0
_GAN = "codebase/gan.py"
_D_LOSS = "    # BEGIN SOLUTION 2.2 loss_nonsaturating_d\n"
_HOSTILE = {
    "hang": (_D_LOSS, f"{_D_LOSS}    while True:\n        pass\n"),
    "crash": ("import torch\n", "import os\nos._exit(0)\nimport torch\n"),
    "fork": (_D_LOSS, f"{_D_LOSS}    import os\n    while True:\n        os.fork()\n"),
}
_WITHOUT_TRAINING = ("1.1.*", "1.2.*", "1.3.[!4]*", "[245].*")


@dataclass(frozen=True)
class Cost:
    """What a command cost: seconds of wall time and CPU, and bytes at the peak."""

    wall_s: float
    cpu_s: float
    peak_pss_bytes: int
    peak_head_bytes: int


def mix(count: int) -> Iterator[Mapping[str, str]]:
    """Yield the files of so many submissions; every thirty hold the same kinds."""
    cases = list(all_cases(THIS))
    wrong = [case.files for case in cases if case.kind == "wrong"]
    right = [case.files for case in cases if case.kind == "right"]
    hostile = [_spoilt(right[0], *edit) for edit in _HOSTILE.values()]
    for i in range(count):
        block, place = divmod(i, 30)
        if place % 10 == 9:
            yield hostile[place // 10]
        elif place % 3 == 0:
            yield right[(block * 11 + place // 3 * 7) % len(right)]
        else:
            yield wrong[(block * 18 + place * 13) % len(wrong)]


def _spoilt(files: Mapping[str, str], old: str, new: str) -> Mapping[str, str]:
    if old not in files[_GAN]:
        raise SystemExit(f"the reference's {_GAN} holds no {old!r} any more")
    return {**files, _GAN: files[_GAN].replace(old, new, 1)}


def write_class(root: Path, count: int) -> list[Path]:
    """Write a class as a folder of folders; return them."""
    folders = []
    for i, files in enumerate(mix(count)):
        folder = root / f"submission_{i:06d}"
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        folders.append(folder)
    return folders


def measure(command: Sequence[str | Path]) -> tuple[Cost, list[float]]:
    """Run a command to its end; return its cost, and the CPU seconds of imports beside it."""
    imports: list[float] = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = head = 0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SAMPLE_S)
            break
        all_of_it, own = _memory(process.pid)
        peak, head = max(peak, all_of_it), max(head, own)
        if time.monotonic() - started > _IMPORT_EVERY_S * (len(imports) + 1):
            imports.append(timed(IMPORT_TORCH).cpu_s)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}")
    wall_s = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall_s, cpu_s - sum(imports), peak, head), imports


def _memory(pid: int) -> tuple[int, int]:
    """Return the bytes of a process with all that it started, and its own."""
    total = own = 0
    try:
        root = psutil.Process(pid)
        own = root.memory_info().rss
        for process in (root, *root.children(recursive=True)):
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue  # it ended while we looked
    except psutil.Error:
        pass
    return total, own


def _print(name: str, count: int, cost: Cost) -> None:
    print(
        f"{name:28} {count:6} submissions {cost.wall_s:8.0f} s; each {cost.wall_s / count:6.2f} s "
        f"wall, {cost.cpu_s / count:6.2f} s CPU; peak {cost.peak_pss_bytes / 2**20:5.0f} MiB, of "
        f"which {cost.peak_head_bytes / 2**20:4.0f} MiB in the process that hands out",
        flush=True,
    )


def real(options: argparse.Namespace) -> None:
    """Grade classes, and some submissions in a loop."""
    patterns = _WITHOUT_TRAINING if options.skip_training else ()
    only = [word for pattern in patterns for word in ("--only", pattern)]
    imports: list[float] = []
    costs: dict[int, Cost] = {}
    with tempfile.TemporaryDirectory(prefix="classroom-") as name:
        place = Path(name)
        place.chmod(0o755)
        for count in options.sizes:
            export, out = place / f"class-{count}", place / f"out-{count}"
            folders = write_class(export, count)
            if options.loop and count == options.sizes[0]:
                _loop(folders[: options.loop], place)
            start: list[str | Path] = [
                sys.executable,
                "-m",
                "autograder",
                "class",
                export,
                "--out",
                out,
            ]
            costs[count], beside = measure([*start, "--jobs", str(options.jobs), *only])
            imports += beside
            _print(f"class, {options.jobs} jobs", count, costs[count])
            for path in (export, out):
                shutil.rmtree(path)

    few, many = min(costs), max(costs)
    if many > few and imports:
        each = (costs[many].cpu_s - costs[few].cpu_s) / (many - few)
        import_s = statistics.mean(imports)
        print(
            f"each submission beyond the first {few}: {each:.2f} s CPU, "
            f"{each / import_s:.2f} imports of torch ({import_s:.2f} s CPU, {min(imports):.2f} to "
            f"{max(imports):.2f})"
        )


def _loop(folders: Sequence[Path], place: Path) -> None:
    costs = [
        measure([ROOT / "run_autograder", folder, "--results", place / "results.json"])[0]
        for folder in folders
    ]
    total = Cost(
        sum(cost.wall_s for cost in costs),
        sum(cost.cpu_s for cost in costs),
        max(cost.peak_pss_bytes for cost in costs),
        max(cost.peak_head_bytes for cost in costs),
    )
    _print("a loop over run_autograder", len(folders), total)


def head(options: argparse.Namespace) -> None:
    """Measure what is around the gradings; each size in a process of its own."""
    for count in options.head:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.classroom", "--one-head", str(count)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        got = json.loads(done.stdout)
        print(
            f"{count:6} submissions, simulated: {got['grade_ms']:.1f} ms CPU each to hand out and "
            f"keep, {got['again_ms']:.1f} to find that nothing is due, {got['views_ms']:.1f} for "
            f"the pages; peak {got['peak_mib']:.0f} MiB; {got['out_bytes']:,.0f} bytes each out, "
            f"{got['back_bytes']:,.0f} back, {got['disk_bytes']:,.0f} on the disk; index.html "
            f"{got['page_bytes'] / 1e6:.1f} MB; {got['rate']:.0f} a second",
            flush=True,
        )


def _one_head(count: int) -> dict[str, Any]:
    """Hand out, keep, look again, write pages, with the stand-in for the gradings."""
    from autograder.engine.batch.page import About, write_views
    from autograder.engine.batch.payload import pack
    from autograder.engine.batch.pool import local_crew
    from autograder.engine.batch.store import Store
    from tests.engine.batch.made_class import PARTS, WORTH, make_export
    from tests.engine.batch.made_class.work import class_of, grade_with

    with tempfile.TemporaryDirectory(prefix="classroom-") as name:
        place = Path(name)
        real_ones = write_class(place / "few", 30)
        export = make_export(place / "class", real_ones, count)

        def grade(class_of_some: Path, out: Path) -> int:
            with local_crew(2) as crew:
                return sum(1 for _ in grade_with(crew, class_of_some, out))

        grade(class_of(place / "warm", "a"), place / "warm-out")  # imports what it imports
        started = time.monotonic()
        marks = [time.process_time()]
        assert grade(export, place / "out") == count
        rate = count / (time.monotonic() - started)
        marks.append(time.process_time())
        assert grade(export, place / "out") == 0
        marks.append(time.process_time())
        store = Store(place / "out")
        write_views(store, About("Simulated", PARTS, WORTH, {}))
        marks.append(time.process_time())
        # Of this process alone: the gradings are processes of their own.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        record = next((place / "out" / "results").glob("*/*.json"))
        wanted = ("codebase/flow_network.py", _GAN)
        sent = [len(pack(folder, wanted)) for folder in real_ones]
        disk = sum(path.stat().st_size for path in (place / "out").rglob("*") if path.is_file())
        steps = [1000 * (b - a) / count for a, b in itertools.pairwise(marks)]
        return {
            **dict(zip(("grade_ms", "again_ms", "views_ms"), steps, strict=True)),
            "peak_mib": peak,
            "rate": rate,
            "out_bytes": sum(sent) / len(sent),
            "back_bytes": record.stat().st_size,
            "disk_bytes": disk / count,
            "page_bytes": (place / "out" / "index.html").stat().st_size,
        }


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=_numbers, default=[30, 300], metavar="N,N")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--loop", type=int, default=30, help="submissions of the plain loop")
    parser.add_argument("--skip-training", action="store_true", help="all checks but 1.3.4")
    parser.add_argument("--head", type=_numbers, metavar="N,N", help="simulate the gradings")
    parser.add_argument("--one-head", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one_head:
        print(json.dumps(_one_head(options.one_head)))
    elif options.head:
        head(options)
    else:
        real(options)


if __name__ == "__main__":
    main()
