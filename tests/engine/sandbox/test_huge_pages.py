"""Huge pages: the addresses that are chosen, and unchanged contents."""

from __future__ import annotations

from autograder.engine.sandbox import huge_pages

MIB = 2**20
MAPS = f"""\
{0:012x}-{3 * MIB:012x} r-xp 00000000 08:01 1234   /usr/lib/libtorch_cpu.so
{4 * MIB:012x}-{9 * MIB:012x} rw-p 00000000 00:00 0          [heap]
{9 * MIB + 4096:012x}-{13 * MIB:012x} rw-p 00000000 00:00 0\x20
{20 * MIB:012x}-{30 * MIB:012x} rw-p 00000000 08:01 1234   /usr/lib/libtorch_cpu.so
{40 * MIB:012x}-{50 * MIB:012x} rw-s 00000000 00:01 1234   /dev/zero (deleted)
{60 * MIB:012x}-{70 * MIB:012x} ---p 00000000 00:00 0\x20
{80 * MIB:012x}-{90 * MIB:012x} rw-p 00000000 00:00 0      [stack]
{91 * MIB:012x}-{92 * MIB:012x} rw-p 00000000 00:00 0\x20
"""


def test_places_are_whole_huge_pages_of_private_memory() -> None:
    """From the first to the last boundary in the heap and anonymous mappings."""
    assert list(huge_pages.places(MAPS.splitlines())) == [4 * MIB, 6 * MIB, 10 * MIB]


def test_contents_of_memory_do_not_change() -> None:
    """Whether or not the kernel moved it."""
    kept = [bytes([n % 251]) * MIB for n in range(16)]
    gathered = huge_pages.gather()
    assert gathered % (2 * MIB) == 0
    assert all(block == bytes([n % 251]) * MIB for n, block in enumerate(kept))
