"""For any bytes from a peer, `receive` returns a frame or raises one of three errors."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograder.engine.sandbox import frames
from autograder.engine.sandbox.frames import (
    DeadlineExceeded,
    Frame,
    FrameError,
    Limits,
    PeerClosed,
    encode,
)
from tests.engine.sandbox.frame_kit import TWO_FLOATS, body_bytes, entry, frame_bytes, received

MIB = 1024 * 1024


# ---- caps and refusals --------------------------------------------------------------------


@pytest.mark.parametrize("magic", [b"AGF2", b"\0\0\0\0", b"HTTP", b"1FGA"])
def test_another_magic_is_refused(magic: bytes) -> None:
    """Another protocol is recognised by its first four bytes."""
    with pytest.raises(FrameError, match="must begin with its magic number"):
        received(frame_bytes(magic=magic))


@pytest.mark.parametrize("length", [64 * 1024 + 1, 2**31, 2**32 - 1])
def test_a_header_over_the_cap_is_refused_by_its_length(length: int) -> None:
    """The length is enough: no byte of the header is needed."""
    with pytest.raises(FrameError, match=rf"header of {length} bytes, 65536 allowed"):
        received(struct.pack(">4sII", b"AGF1", length, 0))


@pytest.mark.parametrize("length", [64 * MIB + 1, 2**32 - 1])
def test_a_body_over_the_cap_is_refused_by_its_length(length: int) -> None:
    """A body of "4 GiB" is refused before a byte is read."""
    with pytest.raises(FrameError, match=rf"body of {length} bytes, 67108864 allowed"):
        received(struct.pack(">4sII", b"AGF1", 2, length))


def test_lengths_at_the_caps_are_accepted() -> None:
    """The caps are the largest allowed lengths."""
    text = b'{"a":"' + b"x" * (64 * 1024 - 8) + b'"}'
    assert len(received(frame_bytes(text)).header["a"]) == 64 * 1024 - 8
    body = body_bytes({"a": entry()}, b"\0" * 8)
    limits = Limits(max_body_bytes=len(body))
    assert list(received(frame_bytes(body=body), limits).arrays) == ["a"]
    with pytest.raises(FrameError, match=r"body of \d+ bytes, \d+ allowed"):
        received(frame_bytes(body=body), Limits(max_body_bytes=len(body) - 1))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"{}{}",
        b"{'a': 1}",
        b"\xff\xfe",
        b'{"a": "\xed\xa0\x80"}',
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": [Infinity]}',
        b'{"a": 1e999}',
        b'{"a": {"b": -1e400}}',
        b'{"a": 1, "a": 1}',
        b'{"b": {"a": 1, "\\u0061": 2}}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": [-' + b"9" * 41 + b"]}",
        b'{"a": ' + b"[" * 60_000 + b"}",
        b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
    ids=lambda header: header[:16].decode("ascii", "backslashreplace"),
)
def test_a_header_that_is_not_strict_json_is_refused(header: bytes) -> None:
    """NaN, infinities in any spelling, duplicate keys, very long numbers and deep nesting."""
    with pytest.raises(FrameError, match="header is not valid JSON"):
        received(frame_bytes(header))


@pytest.mark.parametrize("header", [b"[]", b"1", b'"text"', b"null"])
def test_a_header_that_is_no_object_is_refused(header: bytes) -> None:
    """The header must have keys."""
    with pytest.raises(FrameError, match="header is not a JSON object"):
        received(frame_bytes(header))


def test_the_unchanged_body_is_accepted() -> None:
    """The tests below change one thing in it."""
    frame = received(frame_bytes(body=body_bytes({"a": entry()}, TWO_FLOATS)))
    np.testing.assert_array_equal(frame.arrays["a"], [1.0, 2.0])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (entry(dtype="F8_E4M3", shape=[8]), "dtype that is not allowed"),
        (entry(dtype="BF16", shape=[4]), "dtype that is not allowed"),
        (entry(dtype="U16", shape=[4]), "dtype that is not allowed"),
        (entry(dtype="pickle"), "dtype that is not allowed"),
        (entry(dtype=None), "dtype that is not allowed"),
        (entry(dtype=["F32"]), "dtype that is not allowed"),
        (entry(dtype={}), "dtype that is not allowed"),
        ([1, 2], "dtype that is not allowed"),
        ("F32", "dtype that is not allowed"),
        (entry(shape="2"), "shape that is not allowed"),
        (entry(shape={"0": 2}), "shape that is not allowed"),
        (entry(shape=None), "shape that is not allowed"),
        (entry(shape=[1] * 8 + [2]), "shape that is not allowed"),
        (entry(shape=[3]), "not valid safetensors"),
        (entry(shape=[-2]), "not valid safetensors"),
        (entry(shape=[2.0]), "not valid safetensors"),
        (entry(shape=["2"]), "not valid safetensors"),
        (entry(shape=[[2]]), "not valid safetensors"),
        (entry(shape=[2**62]), "not valid safetensors"),
        (entry(shape=[2**64, 2]), "not valid safetensors"),
        (entry(shape=[0, 2**62], data_offsets=[0, 0]), "not valid safetensors"),
        (entry(data_offsets=[0, 2**40]), "not valid safetensors"),
        (entry(data_offsets=[8, 0]), "not valid safetensors"),
        (entry(data_offsets=[-8, 0]), "not valid safetensors"),
        (entry(data_offsets=[4, 12]), "not valid safetensors"),
        (entry(data_offsets=[0]), "not valid safetensors"),
        (entry(data_offsets="08"), "not valid safetensors"),
        ({"dtype": "F32", "shape": [2]}, "not valid safetensors"),
    ],
)
def test_a_wrong_array_entry_is_refused(wrong: object, why: str) -> None:
    """Dtype, shape and offsets must match the bytes."""
    with pytest.raises(FrameError, match=why):
        received(frame_bytes(body=body_bytes({"a": wrong}, TWO_FLOATS)))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\0", "too short"),
        (b"\0" * 7, "too short"),
        (struct.pack("<Q", 2**63), "own header of 9223372036854775808 bytes is too long"),
        (struct.pack("<Q", 3) + b"{}", "own header of 3 bytes is too long"),
        (body_bytes(b"[]"), "not a JSON object"),
        (body_bytes(b"{}", TWO_FLOATS), "not valid safetensors"),
        (body_bytes(b'{"a": 1e999}'), "not valid JSON"),
        (body_bytes({"a": entry(), "b": entry()}, TWO_FLOATS), "not valid safetensors"),
        (
            body_bytes({"a": entry(), "b": entry(data_offsets=[4, 12])}, TWO_FLOATS + b"1234"),
            "not valid safetensors",
        ),
        (body_bytes({"a": entry()}, TWO_FLOATS + b"more"), "not valid safetensors"),
        (body_bytes({"a": entry()}, TWO_FLOATS[:-1]), "not valid safetensors"),
        (body_bytes({"__metadata__": {"x": "y"}, "a": entry()}, TWO_FLOATS), "metadata"),
        (
            body_bytes(b'{"a": %(e)b, "a": %(e)b}' % {b"e": json.dumps(entry()).encode()}),
            "not valid JSON",
        ),
    ],
)
def test_a_wrong_body_is_refused(body: bytes, why: str) -> None:
    """Overlaps, gaps, trailing bytes, metadata and duplicate names are errors."""
    with pytest.raises(FrameError, match=why):
        received(frame_bytes(body=body))


def test_more_arrays_than_allowed_are_refused() -> None:
    """256 arrays pass and 257 do not."""

    def many(count: int) -> bytes:
        entries = {str(i): entry("U8", [0], [0, 0]) for i in range(count)}
        return frame_bytes(body=body_bytes(entries))

    assert len(received(many(256)).arrays) == 256
    with pytest.raises(FrameError, match="257 arrays, 256 allowed"):
        received(many(257))


def test_a_body_with_200000_arrays_is_refused_unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header of 13 MB would take seconds to parse; its length is refused."""
    name = '"%06d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    text = "{" + ",".join(name % i for i in range(200_000)) + "}"
    read: list[int] = []
    loads = json.loads

    def counting_loads(text: str, **how: Any) -> Any:
        read.append(len(text))
        return loads(text, **how)

    monkeypatch.setattr(frames, "_loads", counting_loads)
    with pytest.raises(FrameError, match=f"own header of {len(text)} bytes is too long"):
        received(frame_bytes(body=body_bytes(text.encode())))
    assert read == [2], "only the frame's own header may be parsed"


# ---- anything at all ----------------------------------------------------------------------


def assert_frame_or_refusal(data: bytes) -> None:
    """Check that the bytes give a frame within the caps, or one of the three errors."""
    try:
        frame = received(data)
    except (FrameError, PeerClosed, DeadlineExceeded):
        return
    assert type(frame.header) is dict
    assert len(frame.arrays) <= Limits().max_arrays
    for array in frame.arrays.values():
        assert type(array) is np.ndarray
        assert array.dtype.kind in "fiub"  # never an object
        assert array.ndim <= Limits().max_dimensions
    assert sum(array.nbytes for array in frame.arrays.values()) <= len(data)


GOOD = encode(
    Frame(
        {"id": 3, "values": {"x": {"kind": "tensor", "shape": [2, 3]}}},
        {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.array(True)},
    )
)


@settings(deadline=None)
@given(data=st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"AGF1" + rest))
def test_random_bytes_are_refused_in_the_same_three_ways(data: bytes) -> None:
    """No bytes raise another error."""
    assert_frame_or_refusal(data)


@settings(max_examples=300, deadline=None)
@given(
    cut=st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12)),
    put=st.binary(max_size=12),
)
@example(cut=(0, 0), put=b"")
def test_a_mutated_frame_is_read_or_refused(cut: tuple[int, int], put: bytes) -> None:
    """Bytes are replaced, removed or inserted anywhere in a valid frame."""
    start, count = cut
    assert_frame_or_refusal(GOOD[:start] + put + GOOD[start + count :])


@settings(max_examples=300, deadline=None)
@given(header=st.binary(max_size=60), body=st.binary(max_size=60))
def test_any_header_and_body_within_right_lengths(header: bytes, body: bytes) -> None:
    """Garbage with correct lengths reaches the parsers, which refuse it."""
    assert_frame_or_refusal(frame_bytes(header, body))


odd: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, -1, 0, 1.5, 2**63, 2**64, "F32", "", [], [[]], {}, [0, 4], "é"]
)
near_entries = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "BOOL", "I64", "U8", "F64"]) | odd,
        "shape": st.lists(st.integers(0, 4), max_size=3) | st.lists(odd, max_size=9) | odd,
        "data_offsets": st.lists(st.integers(0, 16), max_size=3) | st.lists(odd, max_size=3) | odd,
        "more": odd,
    },
)


@settings(max_examples=400, deadline=None)
@given(
    entries=st.dictionaries(st.text(max_size=3), near_entries | odd, max_size=4),
    data=st.binary(max_size=16),
)
@example(entries={"a": entry(dtype=["F32"])}, data=TWO_FLOATS)
def test_any_almost_right_array_entry(entries: dict[str, Any], data: bytes) -> None:
    """Entries of wrong types at every place, unhashable ones among them, are refused."""
    assert_frame_or_refusal(frame_bytes(body=body_bytes(entries, data)))
