"""Encoding errors of a source file, and how to save it as UTF-8."""

from __future__ import annotations

import re

SAVE_AS_UTF8 = (
    "Save it as UTF-8. In VS Code, click the encoding in the status bar, then "
    '"Save with Encoding" and "UTF-8"; in Notepad, "Save as" with the encoding "UTF-8".'
)
# The line that declares another encoding (PEP 263).
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


def encoding_fault(content: bytes) -> str:
    """Return why Python cannot decode a source file, as "is saved as UTF-16"; "" where it can."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is saved as UTF-16, not as UTF-8"
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(0)) + 1
        return f"contains NUL bytes (the first is in line {line}), so it is not UTF-8"
    named = [
        match[1].lower() for line in content.split(b"\n", 2)[:2] if (match := _CODING.match(line))
    ]
    if named and named[0] not in (b"utf-8", b"utf8", b"utf_8"):
        return ""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"is not UTF-8 (see line {content.count(10, 0, error.start) + 1})"
    return ""
