"""The benchmark of the audit: only an audit that is green has a cost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import audit
from benchmarks.timing import Timed


@pytest.fixture
def printing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let an audit print some lines and end with a status, at the cost of 6 s of CPU."""

    @contextlib.contextmanager
    def group() -> Iterator[Any]:
        yield SimpleNamespace(account=lambda: SimpleNamespace(cpu_s=6.0))

    def prepare(lines: Sequence[str], status: int) -> None:
        def run(*_: object, stdout: Any, **__: object) -> Timed:
            stdout.write("\n".join(lines).encode())
            stdout.flush()
            return Timed(status, 9.0, 0.0)

        monkeypatch.setattr(audit, "limited", group)
        monkeypatch.setattr(audit, "timed", run)

    return prepare


def test_the_cost_of_a_case_is_that_of_the_whole_audit(printing: Any) -> None:
    """Divided by the cases that it says it graded."""
    printing(["[1/3] a: ok", "[2/3] b: ok", "[3/3] c: ok", "3 incorrect"], 0)
    cost = audit.measure(Path(), "*")
    assert (cost.cases, cost.case_s) == (3, 2.0)


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        (["[1/1] a: FAIL (1 s)", "1 failed"], 1, "a: FAIL"),
        (["no case of the catalogue matches"], 2, "no case of the catalogue matches"),
        (["nothing"], 0, "nothing"),
    ],
)
def test_an_audit_that_failed_has_no_cost(
    printing: Any, lines: Sequence[str], status: int, said: str
) -> None:
    """A grader that is wrong may be fast."""
    printing(lines, status)
    with pytest.raises(RuntimeError, match=said):
        audit.measure(Path(), "*")
