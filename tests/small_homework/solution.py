"""A submission that behaves in every way one can think of."""

import ctypes
import json
import os
import random
import resource
import signal
import struct
import sys
import tempfile
import threading
import time

import numpy as np
import torch

calls = 0


def double(x: Tensor) -> Tensor:
    return 2 * x


def strided(x: Tensor) -> Tensor:
    return x.T[:, ::2].requires_grad_()


def low_precision(x: Tensor) -> Tensor:
    return x.to(torch.bfloat16)


def changes_later(x: Tensor) -> Tensor:
    threading.Timer(0.0, x.zero_).start()
    return x


def nothing() -> None:
    return None


def not_a_number() -> float:
    return float("nan")


def forty_two() -> int:
    return 42


def divides() -> float:
    one, zero = 1, 0
    return one / zero  # here


def asks_torch() -> Tensor:
    return torch.ones(3) @ torch.ones(4)  # shapes do not fit


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


def segfaults() -> NoReturn:
    ctypes.string_at(0)


def aborts() -> NoReturn:
    os.abort()


def kills_itself() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)


def kills_the_zygote() -> NoReturn:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def loops() -> NoReturn:
    while True:
        pass


def ignores_signals_and_loops() -> NoReturn:
    for number in range(1, 32):
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            pass
    loops()


def sleeps_in_c() -> NoReturn:
    ctypes.PyDLL(None).sleep(3600)  # a PyDLL keeps the interpreter's lock


def stops_itself() -> NoReturn:
    os.kill(os.getpid(), signal.SIGSTOP)


def closes_everything() -> NoReturn:
    os.closerange(0, 256)
    time.sleep(60)


def _daemon() -> str:
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


def leaves_a_daemon() -> str:
    return _daemon()


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


def leaves_a_daemon_and_dies() -> NoReturn:
    sys.stderr.write("")
    with open(os.path.join(os.path.dirname(__file__), "daemon.pid"), "w") as file:
        file.write(_daemon())
    os._exit(3)


def _socket() -> int:
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                return int(name)
        except OSError:
            pass


def _frame(header: dict[str, Any], body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack(">4sII", b"AGF1", len(text), len(body)) + text + body


def answers_another_question() -> NoReturn:
    os.write(_socket(), _frame({"id": 99, "values": {}}))


def answers_without_values() -> NoReturn:
    os.write(_socket(), _frame({"id": 1}))


def answers_with_a_strange_error() -> NoReturn:
    os.write(_socket(), _frame({"id": 1, "error": "boo"}))


def forges_its_first_answer() -> NoReturn:
    os.write(_socket(), _frame({"id": 1, "values": {"value": "forged"}}))


def sends_rubbish() -> NoReturn:
    os.write(_socket(), b"1 passed in 0.01s\n")


def announces_four_gib() -> NoReturn:
    os.write(_socket(), struct.pack(">4sII", b"AGF1", 2, 2**32 - 1) + b"{}")


def sends_a_pickle() -> NoReturn:
    pickle = b"cos\nsystem\n(S'touch " + os.path.dirname(__file__).encode() + b"/owned'\ntR."
    os.write(_socket(), struct.pack(">4sII", b"AGF1", 2, len(pickle)) + b"{}" + pickle)


def answers_a_byte_a_time() -> NoReturn:
    for byte in _frame({"id": 1, "values": {"value": "slow" * 100}}):
        os.write(_socket(), bytes([byte]))
        time.sleep(0.05)


def takes_one_great_tensor() -> Tensor:
    return torch.zeros(2_000_000_000, dtype=torch.uint8)


def takes_ever_more_memory() -> NoReturn:
    hoard = []
    while True:
        hoard.append(np.zeros(50_000_000, np.uint8))


def environment() -> dict[str, Any]:
    with open("/proc/self/environ") as file:
        inherited = file.read().split("\0")
    return {"now": dict(os.environ), "inherited": [line for line in inherited if line]}


def place() -> dict[str, Any]:
    return {"cwd": os.getcwd(), "temporary": tempfile.gettempdir(), "mode": os.stat(".").st_mode}


def leaves_files() -> str:
    for i in range(100):
        os.makedirs(f"{i}/deep")
        open(f"{i}/deep/file", "w").close()
    return os.getcwd()


def counts() -> dict[str, Any]:
    global calls
    calls += 1
    return {"calls": calls, "dtype": str(torch.get_default_dtype()), "pid": os.getpid()}


def spoils_everything() -> dict[str, Any]:
    torch.set_default_dtype(torch.float64)
    torch.Tensor.__add__ = lambda self, other: self
    json.dumps = time.monotonic = None
    return counts()


def writes_to_stdout() -> str:
    print("1 passed: CANARY")
    for file in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        file.write("CANARY")
        file.flush()
    for number in (1, 2):
        os.write(number, b"CANARY")
    os.system("echo CANARY; echo CANARY >&2")
    return "written"


def descriptors() -> dict[str, str]:
    return {n: os.readlink(f"/proc/self/fd/{n}") for n in ("0", "1", "2")} | {
        name: os.readlink(f"/proc/self/fd/{name}")
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}")
    }


def session() -> list[int]:
    return [os.getpid(), os.getsid(0), os.getpgid(0), os.umask(0o077)]


def limits() -> dict[str, Any]:
    names = ("CORE", "CPU", "DATA", "AS", "FSIZE", "NOFILE")
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in names}


def writes_a_huge_file() -> NoReturn:
    with open("huge", "wb") as file:
        for _ in range(100):
            file.write(b"x" * 1_000_000)


def opens_endlessly() -> NoReturn:
    files = []
    while True:
        files.append(open("/dev/null"))


def draws() -> dict[str, list[float]]:
    return {
        "torch": torch.randn(3).tolist(),
        "numpy": np.random.rand(3).tolist(),
        "random": [random.random() for _ in range(3)],
    }


def threads() -> list[Any]:
    return [torch.get_num_threads(), os.environ["OMP_NUM_THREADS"]]


def imported_from() -> dict[str, Any]:
    return {name: getattr(sys.modules[name], "__file__", "") for name in ("json", "random", "torch")}
