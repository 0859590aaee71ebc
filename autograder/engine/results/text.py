"""Text made safe for a page or terminal: control characters are shown, never interpreted."""

from __future__ import annotations

import unicodedata

MAX_OUTPUT = 99_000  # characters; Gradescope cuts at 100,000 without a note


def clean_text(text: str, limit: int = MAX_OUTPUT) -> str:
    r"""Return text with its control characters escaped, cut to `limit` characters with a note.

    Control characters except newline and tab, format characters (such as bidirectional overrides),
    line separators and lone surrogates become escapes such as ``\x1b`` or ``\u202e``. The joiners
    U+200C and U+200D stay: scripts and emoji need them.
    """
    # Cut first to bound the work, and again because escapes lengthen the text.
    shown = _shown(text[:limit].replace("\r\n", "\n"))
    if len(text) <= limit and len(shown) <= limit:
        return shown
    note = f"\n[cut here: {len(text):,} characters in all]"
    return shown[: max(limit - len(note), 0)] + note


def one_line(text: str, limit: int) -> str:
    """Return a text on one line, escaped like `clean_text`, cut between words if too long."""
    line = " ".join(_shown(" ".join(text[: 4 * limit].split())).split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 3]
    whole_words = cut[: cut.rfind(" ") + 1].rstrip() if line[limit - 3] != " " else cut
    # A text without spaces, or with a very long last word, is cut inside a word.
    return (whole_words if len(whole_words) > limit // 2 else cut) + "..."


def _shown(text: str) -> str:
    if text.replace("\n", " ").replace("\t", " ").isprintable():  # most texts are
        return text
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in "\n\t\u200c\u200d":
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return ascii(character)[1:-1]
    return character
