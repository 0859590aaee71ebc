"""Frames between judge and worker: a JSON header and named arrays, with size limits, no pickle.

A frame is::

    4 bytes   b"AGF1"
    4 bytes   length of the header, big-endian
    4 bytes   length of the body, big-endian
    header    a JSON object, UTF-8
    body      the arrays, in the safetensors format (empty when there are none)

Every length is checked against a limit before a byte is read, and every read and write ends at an
absolute deadline: a peer that sends garbage, too much, or one byte a second costs bounded memory
and time.
"""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from autograder.engine.sandbox.limits import MAX_BODY_BYTES

Array = NDArray[Any]

# Bound here: student code in the same process may replace them later.
_loads, _dumps, _monotonic = json.loads, json.dumps, time.monotonic

_MAGIC = b"AGF1"
_MOST_DIGITS = 40
_PREFIX = struct.Struct(">4sII")
# Not a set: a peer may send something unhashable instead of a name.
_DTYPES = ("F32", "F64", "F16", "I64", "I32", "I16", "I8", "U8", "BOOL")


@dataclass(frozen=True)
class Limits:
    """The largest frame that is read."""

    max_header_bytes: int = 64 * 1024
    max_body_bytes: int = MAX_BODY_BYTES
    max_arrays: int = 256
    max_dimensions: int = 8


@dataclass(frozen=True)
class Frame:
    """One message: a JSON object and its arrays."""

    header: Mapping[str, Any]
    arrays: Mapping[str, Array] = field(default_factory=dict)


class FrameError(Exception):
    """The received bytes are not a frame within the limits."""


class DeadlineExceeded(Exception):
    """The peer did not send or receive a whole frame in time."""


class PeerClosed(Exception):
    """The peer closed the connection before or within a frame."""


def encode(frame: Frame) -> bytes:
    """Return the bytes of a frame.

    Raises:
        ValueError: the header contains NaN or a value that JSON cannot represent.
    """
    header = _dumps(dict(frame.header), allow_nan=False).encode("ascii")
    body = b""
    if frame.arrays:
        # Not ascontiguousarray: it would make a vector of a 0-d array.
        body = save_arrays({k: np.asarray(v, order="C") for k, v in frame.arrays.items()})
    return _PREFIX.pack(_MAGIC, len(header), len(body)) + header + body


def send(sock: socket.socket, frame: Frame, deadline: float) -> None:
    """Send a frame before `deadline` (seconds on the monotonic clock).

    Raises:
        DeadlineExceeded: the peer did not read in time.
        PeerClosed: the peer is gone.
    """
    send_encoded(sock, encode(frame), deadline)


def send_encoded(sock: socket.socket, data: bytes, deadline: float) -> None:
    """Send what `encode` returned; raises as `send` does."""
    view = memoryview(data)
    while view:
        try:
            _arm(sock, deadline)
            view = view[sock.send(view) :]
        except TimeoutError:
            raise DeadlineExceeded("the peer did not take the frame in time") from None
        except OSError as error:
            raise PeerClosed(f"the peer closed the connection: {error.strerror}") from None


def receive(
    sock: socket.socket, deadline: float, limits: Limits = Limits(), peer: int | None = None
) -> Frame:
    """Read one frame before `deadline` (seconds on the monotonic clock).

    Args:
        sock: the connection.
        deadline: seconds on the monotonic clock; `math.inf` to wait for ever.
        limits: the largest frame that is read.
        peer: a descriptor of the peer's process (`os.pidfd_open`). Its data is still read after it
            has ended, but not awaited, even if another process holds the connection open.

    Raises:
        DeadlineExceeded: no whole frame came in time.
        PeerClosed: the peer closed the connection first, or ended.
        FrameError: the received bytes are not a frame within `limits`.
    """
    wire = _Wire(sock, deadline, peer)
    magic, header_length, body_length = _PREFIX.unpack(wire.read(_PREFIX.size))
    if magic != _MAGIC:
        raise FrameError("a frame must begin with its magic number")
    if header_length > limits.max_header_bytes:
        raise FrameError(f"header of {header_length} bytes, {limits.max_header_bytes} allowed")
    if body_length > limits.max_body_bytes:
        raise FrameError(f"body of {body_length} bytes, {limits.max_body_bytes} allowed")
    header = parse_json_object(wire.read(header_length))
    arrays = parse_arrays(wire.read(body_length), limits) if body_length else {}
    return Frame(header, arrays)


def parse_json_object(data: bytes) -> dict[str, Any]:
    """Parse a JSON object strictly: all numbers finite, no duplicate keys, no deep nesting.

    Raises:
        FrameError: the bytes are not such an object.
    """
    try:
        value = _loads(
            data.decode("utf-8"),
            parse_constant=_no_constant,
            parse_float=_finite_float,
            parse_int=_short_int,
            object_pairs_hook=_unique_pairs,
        )
    except (ValueError, RecursionError) as error:
        raise FrameError(f"header is not valid JSON: {type(error).__name__}") from None
    if not isinstance(value, dict):
        raise FrameError("header is not a JSON object")
    return value


def parse_arrays(body: bytes, limits: Limits) -> dict[str, Array]:
    """Parse a safetensors body after checking its header.

    Raises:
        FrameError: too many arrays, a forbidden dtype or shape, bad offsets.
    """
    if len(body) < 8:
        raise FrameError("body is too short for the safetensors format")
    (length,) = struct.unpack("<Q", body[:8])
    if length > min(limits.max_header_bytes, len(body) - 8):
        raise FrameError(f"body's own header of {length} bytes is too long")
    entries = parse_json_object(body[8 : 8 + length])
    if len(entries) > limits.max_arrays:
        raise FrameError(f"{len(entries)} arrays, {limits.max_arrays} allowed")
    for name, entry in entries.items():
        _check_entry(name, entry, limits)
    try:
        arrays = load_arrays(body)
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise FrameError(f"body is not valid safetensors: {type(error).__name__}") from None
    return dict(arrays)


def _check_entry(name: str, entry: object, limits: Limits) -> None:
    if name == "__metadata__":
        raise FrameError("body carries metadata, which is not allowed")
    if not isinstance(entry, dict) or entry.get("dtype") not in _DTYPES:
        raise FrameError("an array has a dtype that is not allowed")
    shape = entry.get("shape")
    if not isinstance(shape, list) or len(shape) > limits.max_dimensions:
        raise FrameError("an array has a shape that is not allowed")


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not allowed")


def _short_int(text: str) -> int:
    """Parse an integer of at most `_MOST_DIGITS` digits; Python cannot print thousands."""
    if len(text.lstrip("-")) > _MOST_DIGITS:
        raise ValueError("a whole number of too many digits")
    return int(text)


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):  # 1e999 is valid JSON
        raise ValueError("numbers must be finite")
    return value


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate keys are not allowed")
    return result


def _arm(sock: socket.socket, deadline: float) -> None:
    if deadline == math.inf:
        sock.settimeout(None)
        return
    left = deadline - _monotonic()
    if left <= 0:
        raise DeadlineExceeded("the deadline has passed")
    sock.settimeout(left)


@dataclass(frozen=True)
class _Wire:
    """A connection to read from, the deadline, and the peer's process."""

    sock: socket.socket
    deadline: float
    peer: int | None

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes; raises as `receive` does."""
        buffer = bytearray()
        while len(buffer) < size:
            try:
                if self.peer is not None:
                    self._wait_for_either(self.peer)
                _arm(self.sock, self.deadline)
                # The buffer grows with the data: a large announced length costs no memory.
                chunk = self.sock.recv(min(size - len(buffer), 1 << 20))
            except TimeoutError:
                raise DeadlineExceeded("the peer did not send a whole frame in time") from None
            except OSError as error:
                raise PeerClosed(f"the connection broke: {error.strerror}") from None
            if not chunk:
                raise PeerClosed("the peer closed the connection")
            buffer += chunk
        return bytes(buffer)

    def _wait_for_either(self, peer: int) -> None:
        """Return when there is data; raise if the peer has ended without any."""
        poll = select.poll()
        for descriptor in (self.sock.fileno(), peer):
            poll.register(descriptor, select.POLLIN)
        left = self.deadline - _monotonic()
        ready = poll.poll(None if left == math.inf else max(0.0, left) * 1000)
        if not ready:
            raise TimeoutError
        if all(descriptor == peer for descriptor, _ in ready):
            raise PeerClosed("the peer has ended")
