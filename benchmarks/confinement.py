"""What the confinement of workers costs: `.venv/bin/python -m benchmarks.confinement --rounds 6`.

Grades the reference with all layers that this machine has and with none, in turn, so that a machine
whose speed drifts does not decide, and prints the ratio pair by pair. Without layers a worker is a
plain fork: no user of its own, no Landlock, no seccomp, no rlimits. That can be had by this
benchmark alone, which starts a zygote of its own making.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from autograder.engine.grading.supervisor import Request, grade
from autograder.engine.sandbox import confine, launch, zygote
from autograder.engine.sandbox import isolated as boot
from tests.this_homework import REFERENCE, THIS

_MODULE = "benchmarks.confinement"


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time and of CPU time of one grading."""

    wall_s: float
    cpu_s: float


def bare_zygote(argv: list[str]) -> int:
    """Run the zygote with workers that nothing confines."""
    nothing = confine.Layers(own_user=False, files=False, calls=False, log="confine: nothing")
    confine.Layers.probe = staticmethod(lambda: nothing)  # type: ignore[method-assign]
    confine.confine_self = lambda *_: None
    return zygote.main(argv)


def measure(*, confined: bool) -> Cost:
    """Grade the reference once; all processes of the grading are counted."""
    homework = THIS

    def command(python: str, module: str) -> list[str]:
        return boot.command(python, module if confined else _MODULE)

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="confinement-") as folder,
        mock.patch.object(launch, "command", command),
    ):
        report = grade(
            Request(
                submission=REFERENCE,
                results=Path(folder) / "results.json",
                homework=homework,
            )
        )
    wall_s = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if any(entry.share < 1 for entry in report.entries.values()):
        raise SystemExit(f"the reference lost points:\n{report.log[-2000:]}")
    if confined == ("confine: nothing" in report.log):
        raise SystemExit(f"the layers are not as asked for:\n{report.log}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall_s, cpu_s)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6, metavar="N")
    options = parser.parse_args()
    pairs = []
    measure(confined=True)  # fills the caches
    for n in range(options.rounds):
        # A B, B A, ...: who comes second finds a warmer machine.
        order = (True, False) if n % 2 == 0 else (False, True)
        costs = {confined: measure(confined=confined) for confined in order}
        pairs.append((costs[True], costs[False]))
    for name, ratios, values in (
        ("wall", [a.wall_s / b.wall_s for a, b in pairs], [a.wall_s for a, _ in pairs]),
        ("CPU", [a.cpu_s / b.cpu_s for a, b in pairs], [a.cpu_s for a, _ in pairs]),
    ):
        print(
            f"{name:5} {statistics.median(values):5.2f} s confined; confined / bare: median "
            f"{statistics.median(ratios):.3f} (least {min(ratios):.3f}, most {max(ratios):.3f}, "
            f"{len(pairs)} pairs)"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--control-fd"]:
        sys.exit(bare_zygote(sys.argv[1:]))
    main()
