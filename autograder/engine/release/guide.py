"""Build one self-contained HTML page from several Markdown files with formulas and pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

STYLE = Path(__file__).with_name("guide.css")

_LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
# A named function as pandoc writes it, and the thin space that TeX puts next to it.
_FUNCTION = '<mrow><mi mathvariant="normal">[a-z]{2,}</mi><mo>(?:&#8289;|\u2061)</mo></mrow>'
_DIFFERENTIAL = '<mi mathvariant="normal">d</mi>'
_SPACE = '<mspace width="0.167em"></mspace>'
# GitHub's Markdown, and formulas between dollar signs.
_FORMAT = "gfm+tex_math_dollars+gfm_auto_identifiers"


class GuideError(Exception):
    """The guide cannot be built; the message is one line."""


def build_guide(parts: Sequence[Path], page: Path, *, title: str, subtitle: str) -> Path:
    """Write one HTML page from Markdown files, in their order; return `page`.

    The page needs no network: formulas become MathML and pictures are embedded. Links between the
    files become links within the page.

    Args:
        parts: GitHub's Markdown, with formulas between dollar signs; each begins with a heading.
        page: the file to write.
        title: the page's title.
        subtitle: a line below it.

    Raises:
        GuideError: pandoc is missing or fails, or a link is broken.
    """
    try:
        import pypandoc
    except ImportError as error:
        raise GuideError("the guide needs pandoc; install this project's extra 'guide'") from error
    text = join_parts(parts)
    page.parent.mkdir(parents=True, exist_ok=True)
    options = [
        "--standalone",
        "--embed-resources",
        "--mathml",
        "--toc",
        "--toc-depth=2",
        "--fail-if-warnings",  # a formula it cannot read, a picture it cannot find
        f"--css={STYLE}",
        "--metadata=document-css:false",  # pandoc's own style
        f"--metadata=title:{title}",
        f"--metadata=subtitle:{subtitle}",
        "--metadata=lang:en",
    ]
    try:
        pypandoc.convert_text(
            text, "html5", format=_FORMAT, outputfile=str(page), extra_args=options
        )
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise GuideError(f"pandoc could not make {page}: {reason}") from error
    html = page.read_text(encoding="utf-8")
    _check_anchors(html, page)
    page.write_text(space_functions(html), encoding="utf-8")
    return page


def join_parts(parts: Sequence[Path]) -> str:
    """Return the joined text of the files, with links that work in it.

    Raises:
        GuideError: a file is missing or does not begin with a heading, or a link is broken.
    """
    texts: dict[Path, str] = {}
    for part in parts:
        if not part.is_file():
            raise GuideError(f"{part} is missing")
        texts[part.resolve()] = _COMMENT.sub("", part.read_text(encoding="utf-8")).strip() + "\n"
    anchors = {}
    for path, text in texts.items():
        first = _HEADING.match(text)
        if first is None:
            raise GuideError(f"{path} does not begin with a heading")
        anchors[path] = slug(first[2])
    return "\n".join(_relink(path, text, anchors) for path, text in texts.items())


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def space_functions(html: str) -> str:
    """Add TeX's thin spaces around log, exp and the like, and before the d of an integral.

    Pandoc writes an invisible "function application" operator, which browsers draw without space:
    t log t would read tlogt.
    """
    closing = 'form="postfix">)</mo>'
    for before in ("</mi>", "</mn>", "</msub>", "</msup>", "</mfrac>", "</mrow>", closing):
        before = re.escape(before)
        html = re.sub(f"(?<={before})(?:{_FUNCTION}|{_DIFFERENTIAL})", rf"{_SPACE}\g<0>", html)
    return re.sub(rf'{_FUNCTION}(?=<m[^o]|<mo[^>]*form="infix")', rf"\g<0>{_SPACE}", html)


def _relink(path: Path, text: str, anchors: dict[Path, str]) -> str:
    def target(match: re.Match[str]) -> str:
        link = match[1]
        if re.match(r"[a-z]+:", link):  # https:, mailto:
            return link
        name, _, anchor = link.partition("#")
        if not name:
            return link
        linked = (path.parent / name).resolve()
        if linked in anchors:
            return f"#{anchor or anchors[linked]}"
        if not linked.is_file():
            raise GuideError(f"{path}: broken link {link!r}")
        return linked.as_uri() if linked.suffix not in {".png", ".svg", ".jpg"} else str(linked)

    # Code blocks stay as they are.
    kept: list[str] = []
    end = 0
    for fence in _FENCE.finditer(text):
        kept += [_LINK.sub(target, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*kept, _LINK.sub(target, text[end:])])


def _check_anchors(html: str, page: Path) -> None:
    """Raise a GuideError if a link within the page is broken."""
    anchors = set(re.findall(r'\bid="([^"]+)"', html))
    for anchor in re.findall(r'href="#([^"]+)"', html):
        if anchor not in anchors:
            raise GuideError(f"{page}: broken link '#{anchor}'")
