"""The making of pages: templates that escape all text, styles and scripts named by their hash."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder.engine.batch.store import title_of
from autograder.engine.results.text import clean_text, one_line

LONGEST_LINE = 300  # characters
_RULE = re.compile(r"^-{10,}$", re.MULTILINE)
_PAGES = Path(__file__).resolve().parent / "pages"


def environment(pages: Path = _PAGES) -> Environment:
    """Return the templates of a folder."""
    made = Environment(
        loader=FileSystemLoader(pages),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "line": partial(one_line, limit=LONGEST_LINE),
        "clean": clean_text,
        "paragraphs": paragraphs,
        "title_of": title_of,
        "counted": counted,
    }
    return made


def assets(style: str, script: str | None = None) -> dict[str, Markup | str]:
    """Return `style` and `script`, files of `pages/`, and the `policy` that allows only these."""
    style_text = (_PAGES / style).read_text("utf-8")
    script_text = (_PAGES / script).read_text("utf-8") if script is not None else ""
    scripts = f"; script-src '{_sha256(script_text)}'" if script_text else ""
    policy = (
        f"default-src 'none'; style-src '{_sha256(style_text)}'{scripts}; "
        "base-uri 'none'; form-action 'none'"
    )
    return {"style": Markup(style_text), "script": Markup(script_text), "policy": policy}


def paragraphs(text: str) -> list[tuple[bool, str]]:
    """Split a text at blank lines; True marks a table, which must not wrap."""
    pieces = [piece.strip("\n") for piece in re.split(r"\n[ \t]*\n", text)]
    return [(bool(_RULE.search(piece)), piece) for piece in pieces if piece.strip()]


def counted(number: int, noun: str) -> str:
    """Return "1 solution", "2 solutions"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _sha256(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
