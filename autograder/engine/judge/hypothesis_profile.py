"""The hypothesis profile of a grading: cases follow from the seed alone, on every machine."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "judge",
    database=None,
    deadline=None,
    derandomize=False,  # every check gets a seed of its own below
    report_multiple_bugs=False,
    print_blob=False,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=(
        hypothesis.Phase.explicit,
        hypothesis.Phase.generate,
        hypothesis.Phase.target,
        hypothesis.Phase.shrink,
    ),
)


def set_up() -> None:
    """Load the judge's profile; draw no numbers from the source of loaded modules.

    Hypothesis would do so, but then the cases would depend on which modules are loaded (others on a
    student's laptop), and reading our source would take a third of a second of every grading.
    """
    hypothesis.settings.load_profile("judge")
    # Internal: older versions lack it and draw none; without it in a newer one, the cases may
    # differ between machines, but they test the same properties.
    with contextlib.suppress(ImportError):
        from hypothesis.internal.conjecture import providers
        from hypothesis.internal.constants_ast import Constants

        if hasattr(providers, "_get_local_constants"):
            empty = Constants()
            providers._get_local_constants = lambda: empty


def seed(
    item: pytest.Item,
    check_id: str,
    seed: int,
    wrap: Callable[[Callable[..., None]], Callable[..., None]] = lambda check: check,
) -> None:
    """Let a check draw its cases from the assignment's seed and its own name.

    Args:
        item: any check; one that draws no cases stays unchanged.
        check_id: its name in the ledger.
        seed: the assignment's.
        wrap: wraps the property, to see each case.
    """
    if isinstance(item, pytest.Function) and hasattr(item.obj, "hypothesis"):
        hypothesis.seed(seed_of(check_id, seed))(item.obj)
        inner: Any = item.obj.hypothesis
        inner.inner_test = wrap(inner.inner_test)


def seed_of(check_id: str, seed: int) -> int:
    """Return a check's own seed.

    Args:
        check_id: its name in the ledger.
        seed: the assignment's.
    """
    digest = hashlib.sha256(f"{seed}:{check_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


def search(
    seed: int,
    check: Callable[..., None],
    strategies: Mapping[str, hypothesis.strategies.SearchStrategy[Any]],
    count: int,
    first: Iterable[Mapping[str, Any]],
) -> Callable[..., None]:
    """Return a check that looks for the smallest case that fails, and raises its failure.

    Args:
        seed: the check's own.
        check: the check of one case.
        strategies: by argument of the check.
        count: how many cases are drawn, at most, until one fails.
        first: arguments that are tried before.
    """
    set_up()
    for arguments in first:
        check = hypothesis.example(**arguments)(check)
    searching = hypothesis.settings(max_examples=count)(hypothesis.given(**strategies)(check))
    return hypothesis.seed(seed)(searching)
