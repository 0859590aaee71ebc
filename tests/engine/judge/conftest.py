"""Fixtures for this folder: a zygote whose workers end a call in every way, and callers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.engine.judge import clock
from autograder.engine.judge.caller import Caller, HangTracker
from autograder.engine.judge.launcher import Launcher
from autograder.engine.sandbox.frames import Frame
from tests.engine.judge.caller_kit import FILE, PATIENCE_S, MakeCaller
from tests.small_homework.fake_zygote import HANG, FakeZygote, raises, returns


@pytest.fixture
def zygote(tmp_path: Path) -> Iterator[FakeZygote]:
    """Workers that end a call in every way."""
    behaviours = {
        "answer": returns(x=1),
        "echo": lambda request: Frame({"values": {"seed": request.header["seed"]}}, request.arrays),
        "raise": raises("ZeroDivisionError", "division by zero"),
        "stub": raises("NotImplementedError"),
        "forge": raises("NotImplementedError", file="codebase/b.py", source="NotImplementedError"),
        "hang": lambda _: HANG,
        "die": lambda _: None,
        "babble": lambda _: b"x" * 100,
    }
    (tmp_path / "codebase").mkdir()
    (tmp_path / FILE).write_text("\n" * 6 + "    raise NotImplementedError\n", encoding="utf-8")
    (tmp_path / "codebase" / "b.py").write_text("1\n2\n3\n4\n5\n6\n7\n", encoding="utf-8")
    with FakeZygote(behaviours, status=-11) as zygote:
        yield zygote


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake workers are threads: whatever they do counts as computed."""
    monkeypatch.setattr(clock, "processor_time_s", lambda _: time.monotonic())
    monkeypatch.setattr(clock, "sleeps", lambda _: False)


@pytest.fixture
def make_caller(zygote: FakeZygote, tmp_path: Path) -> Iterator[MakeCaller]:
    """Callers as the checks get them, closed in the end."""
    made = []
    launcher = Launcher(zygote.control, tmp_path, PATIENCE_S)

    def make(
        hangs: HangTracker | None = None,
        timeout_s: float = PATIENCE_S,
        missing: tuple[str, ...] = (),
        budget_s: float = math.inf,
        part: str = "",
    ) -> Caller:
        hangs = hangs or HangTracker()
        made.append(Caller(launcher, hangs, timeout_s, missing, budget_s, part=part))
        return made[-1]

    yield make
    for caller in made:
        caller.close()
    launcher.close()
