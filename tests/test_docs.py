"""Every command in docs/ is run, in a copy of the project; what is shown with it is true.

A fenced block says by its language what is done with it: `bash` is run, `python` is
written into the file that a comment before it names, `toml` is laid over the default settings and
must be good, `console` must be found in what the block before it printed, `text` is prose. Where a
comment says `tested as: COMMAND`, that is run instead, and the next comment must say why.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.engine.grading.plan import plan_checks
from autograder.engine.grading.settings import Table
from autograder.engine.homework import load_homework
from tests.docs_kit import DOCS, ROOT, Block, blocks, copy_of_project, run

PAGES = sorted(path.name for path in DOCS.glob("*.md"))
# Where a page's commands are typed, if not in the project's own folder.
PLACES = {"students.md": "student_template"}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NOTES = {
    "bash": {"tested as", "because", "fails", "runs in"},
    "python": {"goes into"},
    "toml": set(),
    "console": set(),
    "text": set(),
}


def of_page(page: str) -> list[Block]:
    """The blocks of a page of docs/."""
    return blocks(page, (DOCS / page).read_text(encoding="utf-8"))


# ---- the commands -------------------------------------------------------------------------


@pytest.fixture
def project() -> Iterator[Path]:
    """A copy of the project."""
    with copy_of_project() as folder:
        yield folder


@pytest.mark.e2e
@pytest.mark.parametrize("page", [page for page in PAGES if of_page(page)])
def test_every_command_does_what_the_page_says(page: str, project: Path) -> None:
    """In order, in a copy of the project; what a `console` block shows is what was printed."""
    place = project / PLACES.get(page, ".")
    printed = ""
    for block in of_page(page):
        if block.language == "bash":
            printed = run(block, place)
        elif block.language == "python":
            with (project / block.notes["goes into"]).open("a", encoding="utf-8") as file:
                file.write("\n\n" + block.text)
        elif block.language == "console":
            assert block.text.strip() in printed, printed


# ---- nothing is skipped -------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_no_block_can_be_skipped(page: str) -> None:
    """Every fence is understood, and whatever is run in place of another has its reason."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = blocks(page, text)
    assert len(found) * 2 == len(re.findall(r"^ *```", text, re.MULTILINE)), "a fence is not read"
    for block in found:
        assert block.language in _NOTES, f"{page}: a block of language {block.language!r}"
        assert set(block.notes) <= _NOTES[block.language], block.notes
        assert ("tested as" in block.notes) == ("because" in block.notes), block.text
        assert (block.language == "python") == ("goes into" in block.notes), block.text
    comments = len(re.findall(r"<!--", text))
    assert comments == sum(len(block.notes) for block in found), "a comment is not read"


def test_a_fence_within_a_list_is_read_with_its_notes() -> None:
    """The way the pages are read, on a text of its own."""
    text = (
        "1. Do:\n\n   <!-- tested as: true -->\n   <!-- because: it is slow -->\n"
        "   ```bash\n   ./x \\\n     y\n   ```\n\n"
        "<!-- fails with status 2 -->\n```bash\nz\n```\n"
    )
    first, second = blocks("p", text)
    assert first.text == "./x \\\n  y\n"
    assert first.notes == {"tested as": "true", "because": "it is slow"}
    assert second.notes == {"fails": "status 2"}


def test_a_command_that_fails_is_noticed(tmp_path: Path) -> None:
    """Also when it is not the last one, or stands in a pipe."""
    for text in ("false\ntrue", "false | true", "exit 3"):
        with pytest.raises(AssertionError, match="p:\n"):
            run(Block("p", "bash", text, {}), tmp_path)
    run(Block("p", "bash", "exit 3", {"fails": "status 3"}), tmp_path)


# ---- what is shown ------------------------------------------------------------------------


@pytest.mark.parametrize("block", [b for page in PAGES for b in of_page(page)], ids=str)
def test_settings_that_a_page_shows_are_good(block: Block, tmp_path: Path) -> None:
    """Laid over the default settings, they are read and fit the checks."""
    if block.language != "toml":
        return
    homework = ROOT / "autograder" / "homework"
    settings = dict(Table.read(homework / "assignment.toml").entries)
    (tmp_path / "shown.toml").write_text(block.text, encoding="utf-8")
    for table, entries in Table.read(tmp_path / "shown.toml").entries.items():
        settings[table] |= entries
    path = tmp_path / "assignment.toml"
    lines = []
    for table, entries in settings.items():
        lines += [f"[{table}]", *(f'"{key}" = {as_toml(value)}' for key, value in entries.items())]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert plan_checks(load_homework(homework, path))


def as_toml(value: Any) -> str:
    """A value as TOML says it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {as_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if not isinstance(value, str) else f'"{value}"'


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """To a file that is there, and to a heading in it."""
    for target in _LINK.findall((DOCS / page).read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        assert "://" not in target, f"{page}: {target}"
        file = (DOCS / path).resolve() if path else DOCS / page
        assert file.is_relative_to(ROOT), target
        assert file.exists(), f"{page}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [heading.lower().replace(" ", "-") for heading in headings], target


def test_the_picture_is_well_formed_and_speaks() -> None:
    """It is XML, has a title for those who cannot see it, and loads nothing from elsewhere."""
    text = (DOCS / "judge.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert "href" not in text
    assert "url(http" not in text


def test_the_pages_name_no_machine() -> None:
    """Neither a path of a writer's machine, nor the address of a registry."""
    for path in DOCS.rglob("*"):
        if path.suffix in (".md", ".toml", ".svg"):
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org", "")
            assert not re.search(r"https?://|/(?:home|root|tmp|work)/", text), path
