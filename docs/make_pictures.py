"""Make the pictures of the tour: run the commands of docs/tour.md, photograph what they print.

    .venv/bin/python -m docs.make_pictures [NAME ...]

In a copy of the project, with Chromium. With names, such as 3-mistakes, only these pictures are
written; the commands before them run all the same, since they build on each other.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.docs_kit import DOCS, ROOT, blocks, copy_of_project, run

TOUR = DOCS / "tour.md"
# Pictures of a page that the commands wrote; the others show the terminal.
PAGES = {"4-gradescope": "try/results.html", "9-class": "try/report/index.html"}
WIDTH, MOST_LINES, MOST_HEIGHT = 100, 46, 900
_PICTURE = re.compile(r"!\[[^]]*\]\(tour/(.*?)\.png\)")
_TERMINAL = """<meta charset="utf-8"><style>body {{ margin: 0; background: #1e1e1e; color: #ddd }}
pre {{ margin: 0; padding: 14px 18px; font: 13px/1.35 "DejaVu Sans Mono", monospace }}</style>
<pre>{code}</pre>"""
_PLATFORM = """<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>body {{ margin: 0; padding: 20px 20px 0; color: #222;
font: 15px/1.4 "DejaVu Sans", sans-serif }}
h2 {{ font-size: 17px; margin: 14px 0 6px }}
.passed {{ color: #1b7837 }} .failed {{ color: #b2182b }}
pre {{ color: #222; background: #f4f4f4; padding: 10px; white-space: pre-wrap;
overflow-wrap: anywhere; font: 12.5px/1.4 "DejaVu Sans Mono", monospace }}
.test {{ border-left: 4px solid; padding-left: 10px }}
</style><h2>Autograder Results</h2><pre>{output}</pre>{tests}"""


def main(wanted: list[str]) -> None:
    """Run the tour and write the pictures, all or those that are named."""
    with copy_of_project() as project:
        pictures = dict(_pages(project))
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=shutil.which("chromium"))
            page = browser.new_page(viewport={"width": 860, "height": 400}, device_scale_factor=1.5)
            for picture, source in pictures.items():
                if wanted and picture not in wanted:
                    continue
                page.goto(source.as_uri())
                height = min(page.evaluate("document.documentElement.scrollHeight"), MOST_HEIGHT)
                clip = {"x": 0, "y": 0, "width": 860, "height": height}
                path = TOUR.parent / "tour" / f"{picture}.png"
                page.screenshot(path=path, clip=clip, full_page=True)  # type: ignore[arg-type]
                print(path.relative_to(ROOT))
            browser.close()


def _pages(project: Path) -> Iterator[tuple[str, Path]]:
    """Run every step; yield the name of each picture with the page to photograph."""
    text, shown = TOUR.read_text(encoding="utf-8"), ""
    steps = blocks(TOUR.name, text)
    for found in _PICTURE.finditer(text):
        picture = found[1]
        while steps and steps[0].end < found.start():
            step = steps.pop(0)
            printed = run(step, project, {"COLUMNS": str(WIDTH), "PY_COLORS": "1"})
            shown = "".join(f"$ {line}\n" for line in step.text.splitlines()) + printed
        if picture == "4-gradescope":
            results = json.loads((project / "try" / "results.json").read_text(encoding="utf-8"))
            (project / PAGES[picture]).write_text(as_on_gradescope(results), encoding="utf-8")
        page = project / PAGES.get(picture, f"try/{picture}.html")
        if picture not in PAGES:
            page.parent.mkdir(exist_ok=True)
            page.write_text(_as_in_a_terminal(shown, project), encoding="utf-8")
        yield picture, page


def _as_in_a_terminal(text: str, project: Path) -> str:
    """Return a page that shows a terminal with this text, its first lines if there are many."""
    lines = text.replace(f"{project}/", "").replace(str(project), ".").splitlines()
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], "..."]
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.from_ansi("\n".join(lines)))
    return console.export_html(theme=MONOKAI, code_format=_TERMINAL, inline_styles=True)


def as_on_gradescope(results: dict[str, object]) -> str:
    """Return a page like the one that Gradescope makes of `results.json`."""
    tests = results["tests"]
    assert isinstance(tests, list)
    shown = [test for test in tests if test.get("visibility", "visible") == "visible"]
    failed = [test for test in shown if test.get("status") == "failed"]
    blocks = []
    for test in [*failed, *(test for test in shown if test not in failed)]:
        points = f" ({test['score']:g}/{test['max_score']:g})" if "score" in test else ""
        head = html.escape(f"{test['number']}) {test['name']}{points}")
        output = html.escape(test.get("output", ""))
        blocks.append(
            f'<div class="test {test.get("status", "passed")}"><h2>{head}</h2>'
            f"{f'<pre>{output}</pre>' if output else ''}</div>"
        )
    return _PLATFORM.format(output=html.escape(str(results["output"])), tests="".join(blocks))


if __name__ == "__main__":
    main(sys.argv[1:])
