"""The fork server: requests, shared servers, and the end of every fork."""

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
    """A server that runs `echo_server.py`, or one that was inherited."""
    return ForkServer(
        "tests.engine.sandbox.echo_server", (), {"PATH": "/usr/bin:/bin"}, inherited=inherited
    )


@pytest.fixture
def server() -> Iterator[ForkServer]:
    """A server of this process."""
    server = start()
    yield server
    server.close()


@dataclass(frozen=True)
class Report:
    """A fork, and the line that it wrote."""

    fork: Fork
    server: int
    pid: int
    daemon: int
    held: frozenset[int]


def ask(server: ForkServer, **request: Any) -> Report:
    """Ask for a fork and read its line."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe:
        fork = server.fork(request, [writing])
        os.close(writing)
        of, pid, daemon, *held = map(int, pipe.readline().split())
    return Report(fork, of, pid, daemon, frozenset(held))


def test_a_fork_is_a_child_of_the_server_and_its_status_is_reported(server: ForkServer) -> None:
    """As for `Popen`."""
    first, second = ask(server, status=3), ask(server, stays=True)
    assert first.server == second.server == server.pid
    assert first.fork.pid == first.pid
    assert first.fork.wait(PATIENCE_S) == first.fork.poll() == 3
    assert second.fork.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        second.fork.wait(0.05)
    second.fork.kill()
    assert second.fork.wait(PATIENCE_S) == -signal.SIGKILL
    second.fork.kill()  # again, without effect


def test_a_fork_has_no_descriptor_of_another(server: ForkServer) -> None:
    """Otherwise the end of one would go unnoticed while another lives."""
    alone = ask(server, stays=True)
    second = ask(server, stays=True)
    assert len(alone.held) == len(second.held) == 5  # the standard ones, the pipe, the listing


def test_closing_ends_all_forks(server: ForkServer) -> None:
    """No fork outlives its client."""
    report = ask(server, stays=True)
    server.close()
    assert server.pid is None
    assert report.fork.wait(PATIENCE_S) == -signal.SIGKILL
    wait_until(lambda: is_gone(report.pid), "the end of the fork")


def test_a_server_that_died_is_replaced(server: ForkServer) -> None:
    """Its forks count as killed."""
    report = ask(server, stays=True)
    os.kill(report.server, signal.SIGKILL)
    assert report.fork.wait(PATIENCE_S) == -signal.SIGKILL
    assert ask(server).server == server.pid != report.server


_A_SHARER = """
import sys
from tests.engine.sandbox.test_fork_server import ask, start
report = ask(start(int(sys.argv[1])), stays=True, ignores=sys.argv[2] == "ignores")
print(report.server, report.pid, flush=True)
sys.stdin.read()
"""


def share(server: ForkServer, how: str) -> subprocess.Popen[str]:
    """A process that inherits a server and requests a fork that stays."""
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
    """Its fork ends with it, but not the server and the forks of others."""
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


def test_a_sharer_starts_its_own_server_if_the_shared_one_died(server: ForkServer) -> None:
    """Its grading continues."""
    sharer = start(os.dup(server.fileno()))
    try:
        assert sharer.pid is None
        assert ask(sharer).server == server.pid
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        assert ask(sharer).server == sharer.pid is not None
    finally:
        sharer.close()


def test_a_daemon_that_a_fork_left_is_ended(server: ForkServer) -> None:
    """An orphan becomes a child of the server, which ends it."""
    report = ask(server, leaves=True)
    assert report.fork.wait(PATIENCE_S) == 0
    wait_until(lambda: is_gone(report.daemon), "the end of the daemon")
    assert ask(server).server == report.server


def test_an_exception_in_a_fork_is_reported(server: ForkServer) -> None:
    """By the exit status, and by a traceback in the server's output."""
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
        assert "RuntimeError: as requested" in pipe.read()


def test_a_server_that_was_slow_is_not_replaced(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client gets a timeout; another server would be as slow on this machine."""
    before = ask(server)
    process = psutil.Process(before.server)
    process.suspend()
    monkeypatch.setattr(fork_server, "_START_TIMEOUT_S", 0.2)
    with pytest.raises(TimeoutError):
        ask(server)
    monkeypatch.undo()
    process.resume()
    assert ask(server).server == before.server


def test_a_request_whose_client_has_gone_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow server must not serve it later: another fork may use its descriptors by then."""
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("it forks"))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    assert fork_server._serve_one(b"{}", [theirs.detach()], lambda *_: 0, []) is None


def test_a_stopped_server_does_not_delay_a_kill(
    server: ForkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the server does not report the end, the fork counts as killed."""
    report = ask(server, stays=True)
    psutil.Process(report.server).suspend()
    monkeypatch.setattr(fork_server, "_KILLED_S", 0.2)
    report.fork.kill()
    assert report.fork.wait(PATIENCE_S) == -signal.SIGKILL


def test_a_server_that_cannot_fork_says_why_and_continues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next request may succeed."""

    def refuses() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", refuses)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        fork = fork_server._serve_one(b"{}", [theirs.detach()], lambda *_: 0, [])
        assert fork is None
        assert "no more processes" in ours.recv(65536).decode()
        assert ours.recv(1) == b""
