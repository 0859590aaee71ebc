"""The written key's form: points that add up, mathematics GitHub renders, claims with tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
WRITTEN = TESTS.parents[1] / "reference" / "written"
FILES = sorted(WRITTEN.glob("*.md"))
POINTS = {  # the handout's
    "1.4": 5,
    "2.1": 5,
    "3.1": 10,
    "3.2": 5,
    "3.3": 5,
    "3.4": 5,
    "4.1": 10,
    "5.1": 5,
    "5.2": 5,
    "5.3": 5,
    "5.4": 5,
}
PROGRAMMING_POINTS = 65


def questions() -> dict[str, str]:
    """Return the text of each question, from its heading to the next one, by its number."""
    found: dict[str, str] = {}
    for path in FILES:
        parts = re.split(r"^## (?=\d\.\d )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        found |= {part[:3]: part for part in parts[1:]}
    return found


def table(question: str, heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading, without its two head lines."""
    after = question.split(f"### {heading}\n", 1)[1].split("\n### ", 1)[0].split("\n## ", 1)[0]
    lines = [line for line in after.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def test_every_written_question_has_an_answer() -> None:
    """All eleven are there, and together with the programming they make the handout's 130."""
    assert {number: points for number, points in POINTS.items() if number in questions()} == POINTS
    assert sum(POINTS.values()) + PROGRAMMING_POINTS == 130


@pytest.mark.parametrize("number", POINTS)
def test_rubric_adds_up_to_the_handouts_points(number: str) -> None:
    """Heading and rubric agree with the handout, and no common answer earns more."""
    question, points = questions()[number], POINTS[number]
    assert f"({points} points)" in question.splitlines()[0]
    rows = table(question, "Rubric")
    assert sum(int(row[0]) for row in rows) == points
    answers = table(question, "Common answers")
    assert len(answers) >= 3
    for row in answers:
        assert len(row) == 2, row
        earned = [int(number) for number in re.findall(r"\d+", row[1])]
        assert earned or row[1].startswith("no point"), row
        assert all(number <= points for number in earned), row


def test_index_of_the_key_agrees() -> None:
    """The table in the key's README lists every question with its points."""
    text = (WRITTEN / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| (\d\.\d) \| [^|]+ \| (\d+) \|", text, flags=re.MULTILINE)
    assert {number: int(points) for number, points in listed} == POINTS


def test_every_claim_names_a_test_that_exists() -> None:
    """Each question but the figure names its tests, and each test of the key is named."""
    defined = {
        node.name
        for path in TESTS.glob("test_written_*.py")
        if path != Path(__file__)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    named: set[str] = set()
    for number, question in questions().items():
        names = set(re.findall(r"`(test_\w+)`", question))
        assert names or number == "1.4"
        named |= names
    assert named == defined


def mathematics(text: str) -> list[str]:
    """Return the formulas of a text, displayed and inline."""
    text = re.sub(r"`[^`\n]*`", "", text)
    displayed = re.findall(r"^\$\$\n(.*?)\n\$\$$", text, flags=re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^\$\$\n.*?\n\$\$$", "", text, flags=re.DOTALL | re.MULTILINE)
    inline = re.findall(r"\$([^$]+)\$", rest)
    assert rest.count("$") == 2 * len(inline)
    return displayed + inline


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_mathematics_is_what_github_renders(path: Path) -> None:
    """No macro that GitHub lacks, nothing that Markdown would take for its own."""
    for formula in mathematics(path.read_text(encoding="utf-8")):
        # Markdown unescapes a backslash before punctuation, and takes stars for emphasis.
        assert not re.search(r"\\[,;:!{}|_*#]|\*", formula), formula
        assert r"\operatorname" not in formula, formula
        assert formula.count("{") == formula.count("}"), formula
        assert len(re.findall(r"\\left\b", formula)) == len(re.findall(r"\\right\b", formula))
        for line in formula.splitlines():  # at its beginning these would start a list or a quote
            assert not re.match(r"\s*([-+>#|]|\d+[.)]|=+\s*$)(\s|$)", line), formula


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_inline_mathematics_stands_free(path: Path) -> None:
    """GitHub takes a dollar sign for mathematics only with no letter or digit at its outside."""
    text = re.sub(r"`[^`\n]*`", "", path.read_text(encoding="utf-8"))
    rest = re.sub(r"^\$\$\n.*?\n\$\$$", "", text, flags=re.DOTALL | re.MULTILINE)
    for match in re.finditer(r"(.?)\$([^$]+)\$(.?)", rest):
        before, formula, after = match.groups()
        assert not before.isalnum(), match[0]
        assert not after.isalnum(), match[0]
        assert formula == formula.strip(), match[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_formulas_in_tables_hold_no_bar(path: Path) -> None:
    """A bar would end the table's cell."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            assert not any("|" in formula for formula in re.findall(r"\$([^$]+)\$", line)), line


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_links_of_the_key_lead_somewhere(path: Path) -> None:
    """Files exist, and anchors are headings of theirs."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = [re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings]
            assert anchor in slugs, target
