"""Declare a check: its number, weight and visibility, and the checks that it depends on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from gradescope_utils.autograder_utils.decorators import number, visibility, weight

__all__ = ["blocked_by", "explained_by", "number", "requires_any_of", "visibility", "weight"]

_Check = TypeVar("_Check", bound=Callable[..., Any])


def blocked_by(part: str) -> Callable[[_Check], _Check]:
    """Mark a check that cannot pass while another part, "1.2", is incorrect: it says so then."""
    return pytest.mark.blocked_by(part)


def explained_by(*numbers: str) -> Callable[[_Check], _Check]:
    """Mark a check that also fails when one of the checks with these numbers fails.

    Its failure is then no separate thing to fix, unless a mistake was named in it. They must run
    before: with a lower number, or because it requires them.
    """
    return pytest.mark.explained_by(*numbers)


def requires_any_of(*numbers: str) -> Callable[[_Check], _Check]:
    """Mark a property that incorrect code often has too.

    It earns its points once one of the checks with these numbers passes.
    """
    return pytest.mark.requires_any_of(*numbers)
