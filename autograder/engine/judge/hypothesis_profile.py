"""How hypothesis draws the cases of a grading: from the seed alone, the same everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

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
    """Load the judge's profile, and let nothing but the seed decide what is drawn.

    Hypothesis also draws numbers that it finds in the source of the modules around it. Then the
    cases would depend on which modules are loaded (other ones on a student's laptop), and a third
    of a second of every grading would go into reading our own source for numbers.
    """
    hypothesis.settings.load_profile("judge")
    if hasattr(providers, "_get_local_constants"):  # its own business, so it may go one day
        nothing = Constants()
        providers._get_local_constants = lambda: nothing


def seed(
    item: pytest.Item,
    check_id: str,
    seed: int,
    wrap: Callable[[Callable[..., None]], Callable[..., None]] = lambda check: check,
) -> None:
    """Let a check draw its cases from the assignment's seed and its own name.

    Args:
        item: any check; one that draws no cases stays as it is.
        check_id: its name in the ledger.
        seed: the assignment's.
        wrap: what to put around the property, to see each case.
    """
    if isinstance(item, pytest.Function) and hasattr(item.obj, "hypothesis"):
        digest = hashlib.sha256(f"{seed}:{check_id}".encode()).digest()
        hypothesis.seed(int.from_bytes(digest[:8], "big"))(item.obj)
        inner: Any = item.obj.hypothesis
        inner.inner_test = wrap(inner.inner_test)
