"""Texts that a page or a terminal shows and never obeys, whatever a student's code said."""

from __future__ import annotations

import unicodedata

MAX_OUTPUT = 99_000  # characters; Gradescope cuts at 100,000, and we would rather say so


def clean_text(text: str, limit: int = MAX_OUTPUT) -> str:
    r"""Return text that shows what it holds, cut to `limit` characters with a note.

    Control characters but for newline and tab, format characters (bidirectional overrides among
    them), line separators and lone surrogates become escapes such as ``\x1b`` or ``\u202e``.
    The joiners U+200C and U+200D stay: scripts and emoji need them.
    """
    # Cutting first bounds the work; escapes lengthen the text, so cut again after them.
    shown = "".join(map(_visible, text[:limit].replace("\r\n", "\n")))
    if len(text) <= limit and len(shown) <= limit:
        return shown
    note = f"\n[cut here: {len(text):,} characters in all]"
    return shown[: max(limit - len(note), 0)] + note


def one_line(text: str, limit: int) -> str:
    """Return a text on one line, as `clean_text` shows it, cut between words if it is too long."""
    line = " ".join("".join(map(_visible, " ".join(text[: 4 * limit].split()))).split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 3]
    whole_words = cut[: cut.rfind(" ") + 1].rstrip() if line[limit - 3] != " " else cut
    # A text without spaces, or a last word of great length, is cut in the middle after all.
    return (whole_words if len(whole_words) > limit // 2 else cut) + "..."


def _visible(character: str) -> str:
    if character in "\n\t\u200c\u200d":
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return ascii(character)[1:-1]
    return character
