"""Golden values: the expected answers that public checks compare with, in a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_SIGNIFICANT = 8


def plain(value: Any) -> Any:
    """Turn arrays into lists, round numbers to eight digits, and write NaN as null."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.{_SIGNIFICANT}g}") + 0.0 if np.isfinite(value) else None
    return value


def as_text(golden: Mapping[str, Any]) -> str:
    """Return the JSON text, with a line for each list of numbers."""

    def lines(value: Any, indent: str) -> str:
        deep = isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(one, dict) for one in value)
        )
        if not deep:
            return json.dumps(value, ensure_ascii=False)
        inner = indent + " "
        if isinstance(value, dict):
            entries = [f"{inner}{json.dumps(k)}: {lines(v, inner)}" for k, v in value.items()]
            return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
        return "[\n" + ",\n".join(inner + lines(one, inner) for one in value) + f"\n{indent}]"

    return lines(golden, "") + "\n"


def same(made: Any, found: Any) -> bool:
    """Whether two such files are equal, apart from the last digits, which depend on the machine."""
    if isinstance(made, dict) and isinstance(found, dict):
        return list(made) == list(found) and all(same(made[k], found[k]) for k in made)
    if isinstance(made, list) and isinstance(found, list):
        return len(made) == len(found) and all(map(same, made, found))
    if isinstance(made, float) and isinstance(found, (int, float)):
        return bool(np.isclose(made, found, rtol=1e-5, atol=1e-7))
    return bool(made == found)
