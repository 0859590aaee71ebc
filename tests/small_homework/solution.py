"""A submission that behaves in every way one can think of: each function is a way."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import random
import resource
import signal
import stat
import struct
import sys
import tempfile
import time
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

calls = 0
total = torch.zeros(())


def double(x: Tensor) -> Tensor:
    return 2 * x


def strided(x: Tensor) -> Tensor:
    return x.T[:, ::2].requires_grad_()


def low_precision(x: Tensor) -> Tensor:
    return x.to(torch.bfloat16)


def adds_up(x: Tensor) -> Tensor:
    """Return the same tensor each time, changed in place."""
    global total
    if not total.shape:
        total = torch.zeros_like(x)
    return total.add_(x)


def nothing() -> None:
    return None


def not_a_number() -> float:
    return float("nan")


def forty_two() -> int:
    return 42


def divides() -> float:
    one, zero = 1, 0
    return one / zero  # here


def asks_torch() -> Any:
    return torch.nn.Linear(3, 4)(torch.ones(5))  # shapes do not fit


def says_much() -> NoReturn:
    raise ValueError("x" * 100_000 + "\ud800")


def cannot_say() -> NoReturn:
    class Dumb(Exception):
        def __str__(self) -> str:
            raise ValueError

    raise Dumb


def recurses() -> None:
    return recurses()


def exits() -> NoReturn:
    sys.exit(0)


def interrupts() -> NoReturn:
    raise KeyboardInterrupt


def exits_at_once() -> NoReturn:
    os._exit(0)


def segfaults() -> None:
    ctypes.string_at(0)


def aborts() -> NoReturn:
    os.abort()


def kills_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def loops() -> NoReturn:
    while True:
        pass


def ignores_signals_and_loops() -> NoReturn:
    for number in range(1, 32):
        with contextlib.suppress(OSError):  # KILL and STOP
            signal.signal(number, signal.SIG_IGN)
    loops()


def sleeps_in_c() -> None:
    ctypes.PyDLL(None).sleep(3600)  # a PyDLL keeps the interpreter's lock


def stops_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def closes_everything() -> None:
    os.closerange(0, 256)
    time.sleep(60)


def leaves_a_daemon() -> str:
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            os.write(writing, str(os.getpid()).encode())
            while True:
                time.sleep(0.01)
        os._exit(0)
    return os.read(reading, 32).decode()


def leaves_a_session() -> str:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.write(writing, b".")
        while True:
            time.sleep(0.01)
    os.read(reading, 1)
    return str(pid)


def _socket() -> int:
    return next(number for number, kind in descriptors().items() if kind == "socket")


def _frame(header: dict[str, Any], body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack(">4sII", b"AGF1", len(text), len(body)) + text + body


def answers_another_question() -> None:
    os.write(_socket(), _frame({"id": 99, "values": {}}))


def answers_without_values() -> None:
    os.write(_socket(), _frame({"id": 1}))


def answers_with_a_strange_error() -> None:
    os.write(_socket(), _frame({"id": 1, "error": "boo"}))


def forges_its_first_answer() -> None:
    os.write(_socket(), _frame({"id": 1, "values": {"value": "forged"}}))


def sends_rubbish() -> None:
    os.write(_socket(), b"1 passed in 0.01s\n")


def announces_four_gib() -> None:
    os.write(_socket(), struct.pack(">4sII", b"AGF1", 2, 2**32 - 1) + b"{}")


def sends_a_pickle() -> None:
    pickle = b"cos\nsystem\n(S'touch " + os.path.dirname(__file__).encode() + b"/owned'\ntR."
    os.write(_socket(), struct.pack(">4sII", b"AGF1", 2, len(pickle)) + b"{}" + pickle)


def answers_a_byte_a_time() -> None:
    for byte in _frame({"id": 1, "values": {"value": "slow" * 100}}):
        os.write(_socket(), bytes([byte]))
        time.sleep(0.05)


def takes_one_great_tensor() -> Tensor:
    return torch.zeros(2_000_000_000, dtype=torch.uint8)


def takes_ever_more_memory() -> NoReturn:
    hoard = []
    while True:
        hoard.append(np.zeros(50_000_000, np.uint8))


def environment() -> dict[str, str]:
    return dict(os.environ)


def place() -> dict[str, Any]:
    return {"cwd": os.getcwd(), "temporary": tempfile.gettempdir(), "mode": os.stat(".").st_mode}


def leaves_files() -> str:
    for i in range(100):
        os.makedirs(f"{i}/deep")
        with open(f"{i}/deep/file", "w") as file:
            file.write("x")
    return os.getcwd()


def counts() -> dict[str, Any]:
    global calls
    calls += 1
    return {"calls": calls, "dtype": str(torch.get_default_dtype()), "pid": os.getpid()}


def spoils_everything() -> dict[str, Any]:
    torch.set_default_dtype(torch.float64)
    vars(json)["dumps"] = vars(time)["monotonic"] = None
    return counts()


def writes_to_stdout() -> str:
    print("1 passed: CANARY")
    for file in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        print("CANARY", file=file, flush=True)
    for number in (1, 2):
        os.write(number, b"CANARY")
    os.system("echo CANARY; echo CANARY >&2")
    return "written"


def descriptors() -> dict[int, str]:
    found = {}
    for number in range(4096):
        with contextlib.suppress(OSError):
            status = os.fstat(number)
            is_null = status.st_rdev == os.makedev(1, 3)
            is_socket = stat.S_ISSOCK(status.st_mode)
            found[number] = "null" if is_null else "socket" if is_socket else "something else"
    return found


def session() -> list[int]:
    return [os.getpid(), os.getsid(0), os.getpgid(0), os.umask(0o077)]


def limits() -> dict[str, Any]:
    names = ("CORE", "CPU", "DATA", "AS", "FSIZE", "NOFILE")
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}


def writes_a_huge_file() -> None:
    with open("huge", "wb") as file:
        for _ in range(100):
            file.write(b"x" * 1_000_000)


def opens_endlessly() -> NoReturn:
    files = []
    while True:
        files.append(os.dup(0))


def draws() -> dict[str, list[float]]:
    return {
        "torch": torch.randn(3).tolist(),
        "numpy": np.random.rand(3).tolist(),
        "random": [random.random() for _ in range(3)],
    }


def threads() -> list[Any]:
    return [torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]]


def imported_from() -> dict[str, Any]:
    names = ("json", "random", "torch", "colorsys")  # nobody has imported the last one before
    return {name: vars(importlib.import_module(name))["__file__"] for name in names}


def stops() -> int:
    breakpoint()
    return 1


def debugs() -> int:
    import pdb

    pdb.set_trace()
    return 1


def asks() -> str:
    return input("How many? ")


def takes_memory() -> int:
    taken = []
    for _ in range(300):
        taken.append(bytearray(os.urandom(1)) * (4 << 20))
    return len(taken)


def imports_from_nowhere() -> None:
    module = type(sys)("nowhere")
    module.__path__ = ["/etc"]  # it is there, and no worker may read it
    sys.modules["nowhere"] = module


def leaves_settings(x: Tensor) -> Tensor:
    """Change what a later call would notice."""
    global calls
    calls += 1
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(2)
    sys.path.insert(0, "/elsewhere")
    return x


def settings() -> str:
    return json.dumps(
        [
            calls,
            torch.is_grad_enabled(),
            str(torch.get_default_dtype()),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_num_threads(),
            "/elsewhere" in sys.path,
        ]
    )
