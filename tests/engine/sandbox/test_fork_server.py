"""A fork server: what is asked of it, who may ask, and that nothing outlives who asked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder.engine.sandbox import fork_server
from autograder.engine.sandbox.fork_server import Fork, ForkServer
from tests.processes import PATIENCE_S, is_gone, wait_until

ROOT = Path(__file__).resolve().parents[3]


def start(inherited: int | None = None) -> ForkServer:
    """A server of the module beside this one, or one of somebody else's."""
    return ForkServer(
        "tests.engine.sandbox.echo_server", (), {"PATH": "/usr/bin:/bin"}, inherited=inherited
    )


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """A server of our own."""
    server = start()
    yield server
    server.close()


@dataclass(frozen=True)
class Told:
    """A fork, and what it says of itself."""

    fork: Fork
    server: int
    pid: int
    daemon: int
    held: frozenset[int]


def ask(server: ForkServer, **request: Any) -> Told:
    """Ask for a fork and read its line."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        fork = server.fork(request, [writing])
        os.close(writing)
        of, pid, daemon, *held = map(int, pipe.readline().split())
    return Told(fork, of, pid, daemon, frozenset(held))


def test_a_fork_is_one_of_the_server_and_its_status_is_told(server: ForkServer) -> None:
    """As `Popen` tells it."""
    first, second = ask(server, status=3), ask(server, stays=True)
    assert first.server == second.server == server.pid
    assert first.fork.pid == first.pid
    assert first.fork.wait(PATIENCE_S) == first.fork.poll() == 3
    assert second.fork.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        second.fork.wait(0.05)
    second.fork.kill()
    assert second.fork.wait(PATIENCE_S) == -signal.SIGKILL
    second.fork.kill()  # once more does no harm


def test_a_fork_holds_nothing_that_belongs_to_another(server: ForkServer) -> None:
    """Else the end of one would not be seen as long as another lives."""
    alone = ask(server, stays=True)
    beside = ask(server, stays=True)
    assert len(alone.held) == len(beside.held) == 5  # the standard ones, the pipe, the listing


def test_closing_ends_all_forks(server: ForkServer) -> None:
    """Nothing goes on for a caller that has gone."""
    told = ask(server, stays=True)
    server.close()
    assert server.pid is None
    assert told.fork.wait(PATIENCE_S) == -signal.SIGKILL
    wait_until(lambda: is_gone(told.pid), "the end of the fork")


def test_a_server_that_died_is_replaced(server: ForkServer) -> None:
    """Its forks count as killed."""
    told = ask(server, stays=True)
    os.kill(told.server, signal.SIGKILL)
    assert told.fork.wait(PATIENCE_S) == -signal.SIGKILL
    assert ask(server).server == server.pid != told.server


_A_SHARER = """
import sys
from tests.engine.sandbox.test_fork_server import ask, start
told = ask(start(int(sys.argv[1])), stays=True, ignores=sys.argv[2] == "ignores")
print(told.server, told.pid, flush=True)
sys.stdin.read()
"""


def share(server: ForkServer, how: str) -> subprocess.Popen[str]:
    """A process that inherits a server and asks it for a fork that stays."""
    return subprocess.Popen(
        [sys.executable, "-c", _A_SHARER, str(server.fileno()), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        pass_fds=(server.fileno(),),
    )


@pytest.mark.parametrize("how", ["obeys", "ignores"])
def test_a_process_that_inherits_a_server_shares_it(server: ForkServer, how: str) -> None:
    """And its fork ends with it, while the server and the forks of others go on."""
    ours = ask(server, stays=True)
    with share(server, how) as sharer:
        assert sharer.stdout is not None
        of, pid = map(int, sharer.stdout.readline().split())
        assert of == server.pid
        assert not is_gone(pid)
        sharer.kill()
    wait_until(lambda: is_gone(pid), "the end of the fork")
    assert ours.fork.poll() is None
    assert ask(server).server == of


def test_who_shares_a_server_that_died_starts_its_own(server: ForkServer) -> None:
    """One grader's work does not end with what it shared."""
    sharer = start(os.dup(server.fileno()))
    try:
        assert sharer.pid is None
        assert ask(sharer).server == server.pid
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert ask(sharer).server == sharer.pid is not None
    finally:
        sharer.close()


def test_what_a_fork_leaves_behind_is_ended(server: ForkServer) -> None:
    """A daemon whose parent ended becomes the server's, which sweeps."""
    told = ask(server, leaves=True)
    assert told.fork.wait(PATIENCE_S) == 0
    wait_until(lambda: is_gone(told.daemon), "the end of the daemon")
    assert ask(server).server == told.server


def test_what_a_fork_dies_of_is_told(server: ForkServer) -> None:
    """By its status, and in words where its server prints: here, into a pipe."""
    reading, writing = os.pipe()
    kept = os.dup(2)
    os.dup2(writing, 2)
    try:
        server.close()
        fork = server.fork({"raises": True}, [])  # of a new one
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(writing)
    assert fork.wait(PATIENCE_S) == 70
    server.close()
    with os.fdopen(reading, "r") as pipe:
        assert "RuntimeError: as it was asked to" in pipe.read()


def test_a_server_that_was_slow_is_not_replaced(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited too long is told; another server would be as slow on this machine."""
    before = ask(server)
    process = psutil.Process(before.server)
    process.suspend()
    monkeypatch.setattr(fork_server, "_START_TIMEOUT_S", 0.2)
    with pytest.raises(TimeoutError):
        ask(server)
    monkeypatch.undo()
    process.resume()
    assert ask(server).server == before.server


def test_a_request_that_nobody_waits_for_any_more_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow server must not serve it later: what went with it may be in another fork's hands."""
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("it forks"))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    assert fork_server._serve_one(b"{}", [theirs.detach()], lambda *_: 0, []) is None


def test_a_stopped_server_holds_up_nobody_who_kills(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a fork is told by its server; without its word a killed one counts as killed."""
    told = ask(server, stays=True)
    psutil.Process(told.server).suspend()
    monkeypatch.setattr(fork_server, "_KILLED_S", 0.2)
    told.fork.kill()
    assert told.fork.wait(PATIENCE_S) == -signal.SIGKILL


def test_a_server_that_cannot_fork_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process to be had now: for the next request, perhaps."""

    def refuses() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", refuses)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        made = fork_server._serve_one(b"{}", [theirs.detach()], lambda *_: 0, [])
        assert made is None
        assert "no more processes" in ours.recv(65536).decode()
        assert ours.recv(1) == b""
