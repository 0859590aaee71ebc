"""Results without names: pseudonyms for submissions, and names removed from texts.

The key of the pseudonyms is a file next to the results, not among them. Only with the key can a
rerun recognise a submission, and can someone test guesses of names. Names, numbers and addresses of
the export are removed; what students wrote in their code is not.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from autograder.engine.batch.export import NotGraded, Submission
from autograder.engine.batch.store import Listed, Record

_KEY_BYTES = 16
_SHORTEST = 4  # letters of a single word of a name that is removed
_HIDDEN = "[name]"


class Names:
    """Lists submissions under their own names."""

    def listed(self, submission: Submission) -> Listed:
        """Return the line of the class list."""
        return Listed(submission.name, submission.submitters, submission.handed_in, submission.late)

    def not_graded(self, found: NotGraded) -> NotGraded:
        """Return the line about an entry that is not a submission."""
        return found

    def cleaned(self, record: Record, submission: Submission) -> Record:
        """Return the record as it may be stored."""
        return record


class Pseudonyms(Names):
    """Lists submissions under pseudonyms that only the key's owner can link to names.

    Args:
        key: secret bytes, the same for every run over the same class.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def listed(self, submission: Submission) -> Listed:
        name = submission.name.encode("utf-8", "surrogatepass")
        return Listed(
            "s" + hmac.new(self._key, name, hashlib.sha256).hexdigest()[:12], late=submission.late
        )

    def not_graded(self, found: NotGraded) -> NotGraded:
        return NotGraded(_HIDDEN, found.reason)

    def cleaned(self, record: Record, submission: Submission) -> Record:
        pattern = _pattern(submission)
        results = dict(record.results)
        if results:
            results["output"] = pattern.sub(_HIDDEN, str(results.get("output", "")))
            results["tests"] = [_test(test, pattern) for test in record.tests]
        return replace(
            record,
            results=results,
            trouble=pattern.sub(_HIDDEN, record.trouble),
            refused=pattern.sub(_HIDDEN, record.refused),
            log=pattern.sub(_HIDDEN, record.log),
        )


def _test(test: Mapping[str, Any], pattern: re.Pattern[str]) -> dict[str, Any]:
    return {**test, "output": pattern.sub(_HIDDEN, str(test.get("output", "")))}


def _pattern(submission: Submission) -> re.Pattern[str]:
    """Match everything that identifies the students, longest first."""
    found = {submission.name, submission.name.removesuffix(".zip")}
    for person in submission.submitters:
        found |= {person.name, person.sid, person.email, person.email.partition("@")[0]}
        found |= {word for word in person.name.split() if len(word) >= _SHORTEST}
    texts = sorted((text for text in found if len(text) > 1), key=len, reverse=True)
    # "Ada Lovelace" is also ada_lovelace and AdaLovelace in a file's name.
    pieces = [r"[\s_.+-]*".join(map(re.escape, text.split())) for text in texts]
    return re.compile("|".join(filter(None, pieces)) or r"(?!)", re.IGNORECASE)


def key_for(root: Path, older: Path | None) -> bytes:
    """Return the key of the results in a folder; make it if there is none.

    Args:
        root: the folder of the results; its key is a file next to it.
        older: results to compare with, which share the key.
    """
    path = _key_path(root)
    if not path.exists():
        inherited = _key_path(older) if older is not None else path
        key = inherited.read_bytes() if inherited.exists() else secrets.token_bytes(_KEY_BYTES)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key)
    return path.read_bytes()


def _key_path(root: Path) -> Path:
    resolved = root.resolve()
    return resolved.with_name(f"{resolved.name}.key")
