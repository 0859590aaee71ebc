"""The page of a class in a real browser: sorting, searching, hostile text, phones, 5,000 rows."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from autograder.engine.batch import page as views
from autograder.engine.batch.metadata import Submitter
from autograder.engine.batch.page import About, write_views
from autograder.engine.batch.store import Listed, Record, Store
from autograder.engine.catalogue.audit import Case, Row
from autograder.engine.catalogue.page import AuditReport, write_report
from autograder.engine.catalogue.tolerance_report import ToleranceReport
from autograder.engine.grading.ledger import Entry, Verdict
from autograder.engine.release.guide import build_guide
from tests.engine.batch.made_class import (
    HOSTILE_NAME,
    PARTS,
    PLAN,
    WORTH,
    changed,
    make_store,
    record,
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ABOUT = About("Homework <3", PARTS, WORTH, {"gp-missing": "There is no penalty."})
HOSTILE_OUTPUT = "</pre></script><script>document.title='owned'</script>\u202eevil\x1b[31m"
RIGHT_TO_LEFT = "Zed \u202egnp.exe"
FORMULA = '=HYPERLINK("http://evil","x")'

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and "REQUIRE_BROWSER" not in os.environ,
        reason="THE PAGE WAS NOT TESTED: there is no chromium (Debian: apt-get install chromium)",
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without its own sandbox: it opens only our own files."""
    assert CHROMIUM is not None, "REQUIRE_BROWSER is set and there is no chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Thirty submissions, some of them hostile, compared with earlier results."""
    folder = tmp_path_factory.mktemp("class")
    older, store = make_store(folder / "old", 30), make_store(folder / "new", 30)
    listed = list(store.listed())
    listed[2] = Listed(listed[2].key, (Submitter(RIGHT_TO_LEFT, "2", ""),))
    listed[3] = Listed(listed[3].key, (Submitter(FORMULA, "3", ""),))
    listed[4] = Listed("<b>folder</b> of a student")
    store.write_list(listed)
    hostile = record(listed[4].key, trouble=HOSTILE_OUTPUT, log=HOSTILE_OUTPUT)
    store.write(changed(hostile, "5.5.1", output=HOSTILE_OUTPUT))
    before = record("submission_1005")
    older.write(before)
    store.write(changed(before, "1.2.3", score=0.0, output=HOSTILE_OUTPUT))
    store.write(record("submission_1006", results={}, trouble="The grading process died"))
    write_views(store, ABOUT, older, "visible")
    return store


class Opened:
    """A page in a tab, with the errors in its console."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("request", self._note)

    def _note(self, request: object) -> None:
        url = str(getattr(request, "url", ""))
        if not url.startswith("file:"):
            self.complaints.append(f"asked for {url}")

    def names(self) -> list[str]:
        """The texts of the first column."""
        return self.page.locator("#rows tbody th > bdi:first-child").all_inner_texts()

    def column(self, index: int) -> list[str]:
        """The texts of a column of numbers."""
        return self.page.locator(f"#rows tbody td:nth-child({index})").all_inner_texts()

    def count(self) -> str:
        """The text of the live region."""
        return self.page.locator("#count").inner_text()


@pytest.fixture
def opened(browser: Browser, store: Store) -> Iterator[Opened]:
    """The page of the class; it must have no errors in its console."""
    page = browser.new_page()
    opened = Opened(page)
    page.goto((store.root / "index.html").as_uri())
    yield opened
    page.close()
    assert opened.complaints == []


def test_headings_sort_and_tell_a_screen_reader(opened: Opened) -> None:
    """A click sorts numbers from the top, another click or Enter from the bottom."""
    total = opened.page.locator("#rows th[data-column=total]")
    total.get_by_role("button").click()
    values = [float(text) for text in opened.column(2) if text != "–"]
    assert values == sorted(values, reverse=True)
    assert opened.column(2)[-1] == "–"
    assert total.get_attribute("aria-sort") == "descending"
    total.get_by_role("button").press("Enter")
    values = [float(text) for text in opened.column(2) if text != "–"]
    assert values == sorted(values)
    assert total.get_attribute("aria-sort") == "ascending"
    assert opened.column(2)[-1] == "–"
    assert opened.page.locator("#rows th[aria-sort]").count() == 1


def test_search_finds_names_numbers_and_addresses_without_accents(opened: Opened) -> None:
    """Each word must match; the live region has the number of matches."""
    opened.page.get_by_label("Search").fill("soren")
    assert all("Søren" in name or "Soren" in name for name in opened.names())
    for words, count in (("0000007", 1), ("student9@ example", 1), ("no such one", 0), ("", 30)):
        opened.page.get_by_label("Search").fill(words)
        assert len(opened.names()) == count
    assert opened.count() == "30 submissions"
    opened.page.get_by_label("Search").fill("0000007")
    assert opened.count() == "1 of 30 submissions"


def test_filters_show_what_is_open_and_what_changed(opened: Opened) -> None:
    """By the menu next to the search, and by the button in the section on changes."""
    opened.page.get_by_role("combobox", name="Show").select_option("open")
    assert len(opened.names()) == 2
    opened.page.get_by_role("button", name="Show them in the table").click()
    row = opened.page.locator("#rows tbody tr", has_text="submission_1005")
    assert row.locator("td a").inner_text().startswith("\u2212")
    row.locator("td a").click()
    assert "Before: passed" in opened.page.locator("body").inner_text()


def test_a_mistake_s_button_shows_who_made_it(opened: Opened) -> None:
    """As many rows as its count; another button clears the filter."""
    line = opened.page.locator("ol.mistakes li").first
    count = int(line.locator(".count").inner_text().split()[0])
    line.get_by_role("button").click()
    assert len(opened.names()) == count
    opened.page.get_by_role("button", name="Clear").click()
    assert len(opened.names()) == 30


def test_a_row_links_to_the_student_s_feedback(opened: Opened) -> None:
    """And that page links back."""
    opened.page.get_by_label("Search").fill("submission_1007")
    opened.page.locator("#rows tbody a").first.click()
    assert opened.page.get_by_role("heading", name="What the student sees").is_visible()
    assert "Passed" in opened.page.locator("pre.table").first.inner_text()
    assert opened.page.get_by_role("heading", name="1.1.1 forward()").is_visible()
    opened.page.get_by_role("link", name="The whole class").click()
    assert len(opened.names()) == 30


def test_hostile_names_are_text(opened: Opened) -> None:
    """Markup, an override of direction and a formula are shown as text."""
    names = opened.names()
    assert HOSTILE_NAME in names
    assert "Zed \\u202egnp.exe" in names
    assert FORMULA in names
    assert "<b>folder</b> of a student" in names
    assert opened.page.locator("#rows tbody :is(img, b, script)").count() == 0
    assert "owned" not in opened.page.title()


def test_hostile_output_is_text_on_every_page(opened: Opened) -> None:
    """In the feedback, in its part for the staff, and in the comparison."""
    for words, link in (("folder of", "th a"), ("submission_1005", "td a"), ("1001", "th a")):
        opened.page.get_by_label("Search").fill(words)
        opened.page.locator(f"#rows tbody {link}").first.click()
        assert opened.page.locator("script, img").count() == 0
        assert "<script>" in opened.page.locator("body").inner_text()
        assert "owned" not in opened.page.title().replace(HOSTILE_NAME, "")
        opened.page.go_back()


def test_no_page_can_run_or_fetch_anything_else(store: Store, browser: Browser) -> None:
    """If a text became markup, the policy would stop it."""
    feedback = store.path("feedback", "submission_1008", "html")
    spoilt = store.root / "spoilt.html"
    text = feedback.read_text(encoding="utf-8")
    evil = "<script>document.title='owned'</script><img src='http://127.0.0.1:9/x'>"
    spoilt.write_text(text.replace("<main>", f"<main>{evil}"), encoding="utf-8")
    page = browser.new_page()
    opened = Opened(page)
    page.goto(spoilt.as_uri())
    assert page.title() != "owned"
    assert sum("Content Security Policy" in message for message in opened.complaints) == 2
    page.close()
    spoilt.unlink()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_and_text_has_contrast(
    store: Store, browser: Browser, scheme: str, tmp_path: Path
) -> None:
    """Nothing is wider than the screen; text has the contrast that WCAG requires, 4.5 to 1."""
    context = browser.new_context(
        viewport={"width": 360, "height": 740},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    key = "submission_1005"
    for path in (
        store.root / "index.html",
        store.path("feedback", key, "html"),
        store.path("compare", key, "html"),
        next((store.root / "students").glob(f"*{key}.html")),
        audit_page(tmp_path / "audit"),
        guide_page(tmp_path / "guide.html"),
    ):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 360, path
        assert page.evaluate(_LEAST_CONTRAST) >= 4.5, path
        (red, *_) = page.evaluate(_BEHIND_ALL)
        assert (red < 64) == (scheme == "dark"), path
    context.close()


def audit_page(folder: Path) -> Path:
    """The page of an audit with very long ids and sentences."""
    plan = tuple(PLAN)
    long = "a-very-long-name-of-a-solution-that-is-wrong-in-more-than-one-way"
    entries = {
        c.check_id: Entry(c.check_id, Verdict.FAILED, 0.0, f"{c.title} Not.", long) for c in plan
    }
    case = Case(
        long, "wrong", "conditional_loss_nonsaturating_d: It is. " * 3, {}, frozenset({"1.1"})
    )
    tolerances = tuple(ToleranceReport(c.number, 0.01, long, 500.0, long) for c in plan)
    report = AuditReport("A", plan, (Row(case, entries, 0.0),), tolerances, (), "0123456789abcdef")
    *_, page = write_report(report, folder)
    return page


def guide_page(page: Path) -> Path:
    """A guide with a wide formula in its text, and one in a table."""
    pytest.importorskip("pypandoc")
    sum_ = " + ".join(rf"\mathbb{{E}}_{{z_{{{i}}}}}\log(1 - D(G(z)))" for i in range(9))
    source = page.with_suffix(".md")
    source.write_text(f"# A\n\nThere is ${sum_}$.\n\n| a | b |\n|---|---|\n| ${sum_}$ | word |\n")
    return build_guide([source], page, title="A", subtitle="B")


# The background of the page, or of the picture in it.
_BEHIND_ALL = """() => {
  const paper = document.querySelector("svg.matrix .paper");
  const style = getComputedStyle(paper || document.body);
  return (paper ? style.fill : style.backgroundColor).match(/[\\d.]+/g).map(Number);
}"""


def test_sentences_have_the_width_of_a_phone_and_tables_keep_their_columns(
    store: Store, browser: Browser
) -> None:
    """A check's name takes at most a few lines; a table of text does not wrap."""
    page = browser.new_page(viewport={"width": 390, "height": 740})
    page.goto((store.root / "index.html").as_uri())
    assert page.evaluate("document.querySelector('.checks tbody th').clientWidth") > 250
    page.goto(store.path("feedback", "submission_1005", "html").as_uri())
    lines, height = page.evaluate("""() => {
      const table = document.querySelector("pre.table");
      const line = parseFloat(getComputedStyle(table).lineHeight);
      return [table.textContent.split("\\n").length, table.clientHeight / line];
    }""")
    assert round(height) == lines
    page.close()


_LEAST_CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, share, i) => {
    const v = c[i] / 255;
    return sum + share * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = rgb(getComputedStyle(e).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
  };
  let least = 21;
  for (const e of document.querySelectorAll("body *:not(:disabled)")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest("svg, script, style") || !e.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
    least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
  }
  return least;
}"""


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(opened: Opened) -> None:
    """Buttons, links and fields have names, headings go down by one, tables have header cells."""
    nameless = opened.page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, [role]")]
        .filter((e) => e.checkVisibility() && !(e.textContent.trim() || e.labels?.length
            || e.getAttribute("aria-label") || e.getAttribute("aria-labelledby")))
        .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    levels = opened.page.evaluate(
        "[...document.querySelectorAll('h1, h2, h3')].map((e) => Number(e.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))
    assert opened.page.locator("#rows tbody th[scope=row]").count() == 30
    opened.page.get_by_label("Search").focus()
    reached = []
    for _ in range(6):
        opened.page.keyboard.press("Tab")
        reached.append(opened.page.evaluate("document.activeElement.tagName"))
    assert reached == ["SELECT", "DIV", "BUTTON", "BUTTON", "BUTTON", "BUTTON"]


def test_the_anonymous_page_shows_no_names(tmp_path: Path, browser: Browser) -> None:
    """It shows keys instead, and a note."""
    store = Store(tmp_path / "out")
    store.prepare(anonymous=True)
    store.write(record("s0123456789ab"))
    store.write_list([Listed("s0123456789ab")])
    write_views(store, ABOUT)
    page = browser.new_page()
    page.goto((store.root / "index.html").as_uri())
    assert page.locator("#rows tbody th").inner_text() == "s0123456789ab"
    assert "without names" in page.locator("header").inner_text()
    page.close()


class Copies(Store):
    """A store of many submissions with few different results, not on the disk."""

    def __init__(self, root: Path, count: int) -> None:
        super().__init__(root)
        self._few = [record("any", skill) for skill in (1.0, 0.9, 0.7, 0.4)]
        self._count = count

    def listed(self) -> Iterator[Listed]:
        """Yield the students."""
        for i in range(self._count):
            yield Listed(f"submission_{i}", (Submitter(f"Student {i}", f"{i:07d}", ""),))

    def read(self, key: str) -> Record | None:
        """Return one of the results."""
        return self._few[int(key.partition("_")[2]) % len(self._few)]


def test_page_holds_5000_rows_of_which_few_are_in_the_document(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are counted, sorted and searched; a hundred at a time are shown."""
    store = Copies(tmp_path / "out", 5000)
    store.prepare(anonymous=False)
    monkeypatch.setattr(views._Pages, "write_feedback", lambda *_: None)
    write_views(store, ABOUT)
    page = browser.new_page()
    opened = Opened(page)
    page.goto((store.root / "index.html").as_uri())
    assert opened.count() == "5000 submissions"
    assert len(opened.names()) == 100
    page.locator("#rows th[data-column=name] button").click()
    assert opened.names()[0] == "Student 4999"
    page.get_by_role("button", name="Next").click()
    assert opened.names()[0] == "Student 4899"
    assert page.locator("#place").inner_text() == "101 to 200 of 5000"
    page.get_by_label("Search").fill("student 4321")
    assert opened.names() == ["Student 4321"]
    assert opened.complaints == []
    page.close()
