"""Frames: sent data arrives within time and memory limits, or one of three errors is raised."""

from __future__ import annotations

import math
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.engine.sandbox.frames import (
    Array,
    DeadlineExceeded,
    Frame,
    PeerClosed,
    encode,
    receive,
    send,
)
from tests.engine.sandbox.frame_kit import frame_bytes, received, soon
from tests.processes import PATIENCE_S

MIB = 1024 * 1024

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets: the peer's and ours."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield theirs, ours


# ---- what is sent arrives -----------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.float32(1.5),
        np.array(True),
        np.zeros((0,), np.float32),
        np.zeros((3, 0, 2), np.int64),
        np.array([[True, False], [False, True]]),
        np.array([-(2**63), 2**63 - 1]),
        np.array([0.1, math.inf, -math.inf, math.nan], np.float64),
        np.arange(3, dtype=np.float16),
        np.arange(12, dtype=np.float32).reshape(3, 4).T,
        np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::-2],
        np.arange(4, dtype=">f4"),
        np.broadcast_to(np.float32(2.0), (2, 3)),
        np.zeros((1,) * 8, np.uint8),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_an_array_arrives_as_it_was_sent(array: Any) -> None:
    """Shape, dtype and every entry survive: 0-d, empty, bool, strided, big-endian."""
    frame = received(encode(Frame({"id": 1}, {"a": array})))
    got = frame.arrays["a"]
    assert got.shape == array.shape
    assert got.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(got, array)  # NaN equals NaN here


@settings(deadline=None)
@given(
    array=hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.int32, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    ),
    name=st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
        lambda name: name != "__metadata__"
    ),
)
def test_any_array_arrives_under_any_name(array: Array, name: str) -> None:
    """Every array of an allowed dtype arrives unchanged."""
    frame = received(encode(Frame({}, {name: array})))
    assert list(frame.arrays) == [name]
    np.testing.assert_array_equal(frame.arrays[name], array)
    assert frame.arrays[name].shape == array.shape


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(deadline=None)
@given(header=st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_any_json_object_arrives(header: dict[str, Any]) -> None:
    """A header of plain values arrives unchanged, without arrays."""
    frame = received(encode(Frame(header)))
    assert frame.header == header
    assert dict(frame.arrays) == {}


def test_frames_follow_one_another_on_one_connection(pair: Pair) -> None:
    """Reading a frame takes only its bytes, so that the next one can be read."""
    theirs, ours = pair
    for i in range(3):
        send(theirs, Frame({"id": i}, {"x": np.arange(i)}), soon())
    for i in range(3):
        frame = receive(ours, soon())
        assert frame.header == {"id": i}
        np.testing.assert_array_equal(frame.arrays["x"], np.arange(i))


def test_a_frame_without_deadline_waits(pair: Pair) -> None:
    """An infinite deadline (the worker's) is no deadline, also after a finite one was set."""
    theirs, ours = pair
    ours.settimeout(0.001)
    late = threading.Timer(0.1, send, (theirs, Frame({"late": True}), math.inf))
    late.start()
    assert receive(ours, math.inf).header == {"late": True}
    late.join()


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, b"bytes", np.float32(1)])
def test_a_header_that_json_cannot_represent_is_not_sent(value: object) -> None:
    """The sender refuses it."""
    with pytest.raises((ValueError, TypeError), match="JSON"):
        encode(Frame({"value": value}))


# ---- memory -------------------------------------------------------------------------------


def test_an_announced_body_costs_no_memory(pair: Pair) -> None:
    """If a peer announces 64 MiB and sends 64 KiB, we store little more than it sent."""
    theirs, ours = pair
    theirs.sendall(struct.pack(">4sII", b"AGF1", 2, 64 * MIB) + b"{}" + b"\0" * 65_536)
    theirs.close()
    tracemalloc.start()
    try:
        with pytest.raises(PeerClosed, match="the peer closed the connection"):
            receive(ours, soon())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB, f"{peak} bytes held for a body of 64 KiB"


# ---- deadlines and peers that close -------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"A",
        encode(Frame({"id": 1}))[:12],
        encode(Frame({"id": 1}))[:-1],
        encode(Frame({}, {"a": np.zeros(9)}))[:-1],
    ],
    ids=["nothing", "one byte", "the prefix", "part of the header", "part of the body"],
)
def test_a_peer_that_stops_in_the_middle_meets_the_deadline(pair: Pair, sent: bytes) -> None:
    """Wherever the peer stops, we wait until the deadline and no longer."""
    theirs, ours = pair
    theirs.sendall(sent)
    began = time.monotonic()
    with pytest.raises(DeadlineExceeded, match="did not send a whole frame in time"):
        receive(ours, began + 0.2)
    assert 0.2 <= time.monotonic() - began < PATIENCE_S


def test_a_slow_peer_meets_the_same_deadline(pair: Pair) -> None:
    """One byte every 20 ms does not extend the deadline of the frame."""
    theirs, ours = pair
    stop = threading.Event()

    def drip() -> None:
        for byte in frame_bytes(b'{"a": "' + b"x" * 5000 + b'"}'):
            if stop.wait(0.02):
                return
            theirs.send(bytes([byte]))

    dripper = threading.Thread(target=drip)
    dripper.start()
    try:
        with pytest.raises(DeadlineExceeded):
            receive(ours, soon(0.3))
    finally:
        stop.set()
        dripper.join()


def test_a_deadline_in_the_past_ends_at_once(pair: Pair) -> None:
    """Before a byte is read or sent."""
    theirs, ours = pair
    send(theirs, Frame({}), soon())
    with pytest.raises(DeadlineExceeded, match="has passed"):
        receive(ours, time.monotonic() - 1)
    with pytest.raises(DeadlineExceeded, match="has passed"):
        send(ours, Frame({}), time.monotonic() - 1)
    assert receive(ours, soon()).header == {}, "nothing was taken from the connection"


def test_a_peer_that_never_reads_meets_the_deadline(pair: Pair) -> None:
    """Sending a frame larger than the socket's buffers does not wait forever."""
    _, ours = pair
    with pytest.raises(DeadlineExceeded, match="did not take the frame in time"):
        send(ours, Frame({}, {"a": np.zeros(MIB, np.uint8)}), soon(0.5))


@pytest.mark.parametrize("kept", [0, 1, 11, 12, 14, 20, 90])
def test_a_peer_that_closes_within_a_frame_is_an_error(kept: int) -> None:
    """At any byte of the frame; a partial frame is never returned."""
    whole = encode(Frame({"id": 1}, {"a": np.zeros(3)}))
    assert kept < len(whole)
    with pytest.raises(PeerClosed, match="the peer closed the connection"):
        received(whole[:kept])


def test_sending_to_a_closed_peer_is_an_error(pair: Pair) -> None:
    """A broken pipe is PeerClosed, not OSError."""
    theirs, ours = pair
    theirs.close()
    with pytest.raises(PeerClosed, match="the peer closed the connection"):
        send(ours, Frame({}, {"a": np.zeros(MIB)}), soon())


def test_a_connection_that_we_closed_ourselves_is_closed(pair: Pair) -> None:
    """The error is the same as for a peer that closed it."""
    _, ours = pair
    ours.close()
    with pytest.raises(PeerClosed, match="the connection broke"):
        receive(ours, soon())
    with pytest.raises(PeerClosed, match="the peer closed the connection"):
        send(ours, Frame({}), soon())
