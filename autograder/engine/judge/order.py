"""The order of the checks: by number, but what waits for others after them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from autograder.engine.grading.ledger import PlannedCheck


def sort_checks(
    items: list[pytest.Item],
    plan: Mapping[str, PlannedCheck],
    id_of: Callable[[pytest.Item], str] = lambda item: item.nodeid,
) -> None:
    """Put checks in their order.

    Args:
        items: the checks that were collected.
        plan: what is planned, by id; in the order of the numbers.
        id_of: finds a check's id.
    """
    places = {check_id: i for i, check_id in enumerate(plan)}
    depths = _depths(items, plan, id_of)
    items.sort(
        key=lambda item: (
            item.get_closest_marker("run_last") is not None,
            depths[id_of(item)],
            places.get(id_of(item), len(places)),
        )
    )


def _depths(
    items: Sequence[pytest.Item],
    plan: Mapping[str, PlannedCheck],
    id_of: Callable[[pytest.Item], str],
) -> dict[str, int]:
    """By its id, in how many steps each check hangs on one that counts by itself.

    Of the checks that it counts with, those that were not collected play no part.
    """
    ids = {plan[id_of(item)].number: id_of(item) for item in items if id_of(item) in plan}
    needs = {
        id_of(item): {
            ids[str(number)]
            for marker in item.iter_markers("requires_any_of")
            for number in marker.args
            if str(number) in ids
        }
        for item in items
    }
    depths = dict.fromkeys(needs, 0)
    for _ in items:  # there is no longer way, unless it goes in a circle
        deeper = {
            one: 1 + max(depths[other] for other in others) if others else 0
            for one, others in needs.items()
        }
        if deeper == depths:
            break
        depths = deeper
    return depths
