"""The instructor's guide: one page out of Markdown files, and what it refuses."""

from __future__ import annotations

import builtins
import re
from pathlib import Path

import pytest

from autograder.cli import main
from autograder.engine.release.guide import (
    GuideError,
    build_guide,
    join_parts,
    slug,
    space_functions,
)
from autograder.engine.release.template import make_template

ROOT = Path(__file__).resolve().parents[3]
PNG = (ROOT / "docs" / "reference" / "flow_samples_epoch50.png").read_bytes()

FIRST = """# First part

See [the second](second.md), [its end](second.md#the-end) and [above](#first-part).
[Elsewhere](https://example.org/a). $p_\\theta$ and a formula:

$$
\\begin{aligned}
a &= b \\\\
&\\ge t \\log t
\\end{aligned}
$$

<!--
# BEGIN REFERENCE ONLY
-->
![A picture](figures/picture.png)

```sh
echo [kept](as-it-is.md)
```
"""
SECOND = "# Second part\n\n## The end\n\n| a | b |\n|---|---|\n| 1 | $x \\mid y$ |\n"


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    """Two files that link to each other, and a picture."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "picture.png").write_bytes(PNG)
    paths = [tmp_path / "first.md", tmp_path / "second.md"]
    for path, text in zip(paths, (FIRST, SECOND), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def build(parts: list[Path]) -> str:
    """Return the page made of the parts."""
    pytest.importorskip("pypandoc", reason="pandoc is in the extra 'guide'")
    page = parts[0].parent / "out" / "index.html"
    assert build_guide(parts, page, title="A & B", subtitle="for us") == page
    return page.read_text(encoding="utf-8")


def test_page_needs_nothing_but_itself(parts: list[Path]) -> None:
    """Pictures lie in the page, formulas are MathML, no file or address is fetched."""
    html = build(parts)
    assert "A &amp; B" in html
    assert html.count("<math") == 3
    assert "data:image/png;base64," in html
    fetched = re.findall(r'(?:src|href)="([^"]+)"', html)
    outside = [link for link in fetched if not link.startswith(("#", "data:"))]
    assert outside == ["https://example.org/a"]  # a link to follow, nothing to load
    assert "<script" not in html
    assert "$" not in re.sub(r"<annotation.*?</annotation>", "", html, flags=re.DOTALL)


def test_links_among_the_files_become_links_within_the_page(parts: list[Path]) -> None:
    """A file's name becomes the anchor of its first heading."""
    html = build(parts)
    for anchor in ("second-part", "the-end", "first-part"):
        assert f'href="#{anchor}"' in html
        assert f'id="{anchor}"' in html


def test_comments_vanish_and_code_blocks_stay(parts: list[Path]) -> None:
    """Markers for the template are no text, and what stands in a code block is no link."""
    text = join_parts(parts)
    assert "REFERENCE ONLY" not in text
    assert "echo [kept](as-it-is.md)" in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# A\n\n[x](nowhere.md)\n", r"first\.md: broken link 'nowhere\.md'"),
        ("# A\n\n![x](nowhere.png)\n", r"broken link 'nowhere\.png'"),
        ("No heading\n", r"first\.md does not begin with a heading"),
    ],
)
def test_broken_links_are_named(text: str, message: str, parts: list[Path]) -> None:
    """A missing file or picture stops the guide before pandoc runs."""
    parts[0].write_text(text)
    with pytest.raises(GuideError, match=message):
        join_parts(parts)


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A part that is not there is one line."""
    with pytest.raises(GuideError, match=r"part\.md is missing"):
        join_parts([tmp_path / "part.md"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# A\n\n[x](#not-here)\n", r"broken link '#not-here'"),
        ("# A\n\n$\\nosuchmacro{x}$\n", r"pandoc could not make .*nosuchmacro"),
    ],
)
def test_what_pandoc_cannot_do_is_one_line(text: str, message: str, parts: list[Path]) -> None:
    """An anchor that is not there, a formula that cannot be read."""
    parts[0].write_text(text)
    with pytest.raises(GuideError, match=message) as error:
        build(parts)
    assert "\n" not in str(error.value)


def test_without_pandoc_the_extra_is_named(
    parts: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a command: one line that says what to install, status 2."""
    import_module = builtins.__import__

    def refuse(name: str, *rest: object, **named: object) -> object:
        if name == "pypandoc":
            raise ImportError(name)
        return import_module(name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert main(["guide", "--out", str(parts[0].parent)]) == 2
    error = capsys.readouterr().err
    assert "install this project's extra 'guide'" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("2.1 The vanishing gradient (5 points)", "21-the-vanishing-gradient-5-points"),
        ("What all answers assume", "what-all-answers-assume"),
    ],
)
def test_slug_is_githubs(heading: str, expected: str) -> None:
    """Anchors work on GitHub and in the page alike."""
    assert slug(heading) == expected


def test_named_functions_get_their_spaces() -> None:
    """t log t has a space on either side; before a parenthesis there is none."""
    log = '<mrow><mi mathvariant="normal">log</mi><mo>&#8289;</mo></mrow>'
    space = '<mspace width="0.167em"></mspace>'
    assert space_functions(f"<mi>t</mi>{log}<mi>t</mi>") == (
        f"<mi>t</mi>{space}{log}{space}<mi>t</mi>"
    )
    called = f'{log}<mo stretchy="false" form="prefix">(</mo>'
    assert space_functions(called) == called


def test_the_guide_of_this_project_is_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command makes the page of all parts; every question is in it, no formula is left over."""
    pytest.importorskip("pypandoc", reason="pandoc is in the extra 'guide'")
    assert main(["guide", "--out", str(tmp_path)]) == 0
    assert "works offline" in capsys.readouterr().out
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    for number in ("1.4", "2.1", "3.1", "3.2", "3.3", "3.4", "4.1", "5.1", "5.2", "5.3", "5.4"):
        assert re.search(rf"<h2[^>]*>\s*{re.escape(number)}\s", html), number
    assert html.count("data:image/png;base64,") == len(
        re.findall(r"!\[", (ROOT / "reference" / "README.md").read_text(encoding="utf-8"))
    )
    shown = re.sub(r"<annotation.*?</annotation>|<style.*?</style>", "", html, flags=re.DOTALL)
    assert "$" not in shown
    assert "\\" not in re.sub(r'"data:[^"]*"', "", shown)


def test_students_get_neither_key_nor_measurements(tmp_path: Path) -> None:
    """The template holds no written answer, no measuring script, and no word of the results."""
    written = make_template(ROOT / "reference", tmp_path / "template", "codebase")
    names = {path.relative_to(tmp_path / "template").as_posix() for path in written}
    assert "README.md" in names
    assert not [name for name in names if name.startswith(("written", "measure"))]
    text = (tmp_path / "template" / "README.md").read_text(encoding="utf-8")
    assert "--resume" in text
    assert "What the reference achieves" not in text
    assert "](" not in text  # no picture, and no link to what they do not have
