"""Tests over the catalogue: by default one entry a region, since the audit grades every entry."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from autograder.engine.catalogue.solutions import Right, Wrong


def for_each(entries: Sequence[Wrong | Right]) -> pytest.MarkDecorator:
    """Run a test once for every entry: of each region for the first only, unless with `--all`."""
    seen: set[str] = set()
    cases = []
    for entry in entries:
        more = () if entry.region not in seen else (pytest.mark.whole_catalogue,)
        seen.add(entry.region)
        cases.append(pytest.param(entry, id=entry.id, marks=more))
    return pytest.mark.parametrize("entry", cases)
