"""The matrix of an audit: as JSON, as a picture (SVG) and as one self-contained HTML page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.batch.rendering import environment
from autograder.engine.catalogue.audit import Row
from autograder.engine.catalogue.tolerance_report import ToleranceReport
from autograder.engine.grading.ledger import PlannedCheck, Verdict

_CELL_WIDTH, _CELL_HEIGHT = 15, 3
_CELL = f"h{_CELL_WIDTH - 1}v{_CELL_HEIGHT - 0.5:g}h-{_CELL_WIDTH - 1}z"
_LEFT, _TOP = 110, 62
_GAP = 6
_GROUPS = {"empty": "Template", "right": "Correct"}  # incorrect ones are grouped by part


@dataclass(frozen=True)
class AuditReport:
    """The results of an audit."""

    title: str
    plan: tuple[PlannedCheck, ...]
    rows: tuple[Row, ...]
    tolerances: tuple[ToleranceReport, ...]
    problems: tuple[str, ...]
    fingerprint: str

    @property
    def counts(self) -> dict[str, int]:
        """The number of cases of each kind, and of incorrect ones that were named."""
        wrong = [row for row in self.rows if row.case.kind == "wrong"]
        return {
            "wrong": len(wrong),
            "right": sum(row.case.kind == "right" for row in self.rows),
            "named": sum(bool(row.case.named & row.mistakes) for row in wrong),
            "said": sum(not row.case.named and bool(row.case.says) for row in wrong),
            "bad": sum(bool(row.complaints) for row in self.rows),
        }


def write_report(report: AuditReport, folder: Path) -> list[Path]:
    """Write matrix.json, matrix.svg and index.html into a folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    templates = environment(Path(__file__).parent / "pages")
    picture = templates.get_template("matrix.svg.j2").render(**_drawing(report))
    page = templates.get_template("audit.html.j2").render(
        report=report, picture=picture, groups=_groups(report), verdict_of=_verdict_of
    )
    written = {
        "matrix.json": json.dumps(_matrix(report), indent=1, sort_keys=True) + "\n",
        "matrix.svg": picture,
        "index.html": page,
    }
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in written]


def _matrix(report: AuditReport) -> dict[str, object]:
    numbers = {check.check_id: check.number for check in report.plan}
    return {
        "fingerprint": report.fingerprint,
        "counts": report.counts,
        "problems": list(report.problems),
        "tolerances": [vars(report) for report in report.tolerances],
        "cases": {
            row.case.id: {
                "kind": row.case.kind,
                "sentence": row.case.sentence,
                "parts": sorted(row.case.parts),
                "mistakes": sorted(row.mistakes),
                "complaints": list(row.complaints),
                "verdicts": {
                    numbers[check_id]: entry.verdict.value
                    for check_id, entry in row.entries.items()
                },
            }
            for row in report.rows
        },
    }


def _groups(report: AuditReport) -> list[tuple[str, list[Row]]]:
    """Rows by kind: the template, correct ones, then the incorrect ones of every part."""
    groups: dict[str, list[Row]] = {name: [] for name in _GROUPS.values()}
    for part in dict.fromkeys(check.part for check in report.plan):
        groups[f"Incorrect in {part}"] = []
    for row in report.rows:
        name = _GROUPS.get(row.case.kind) or f"Incorrect in {min(row.case.parts)}"
        groups[name].append(row)
    return [
        (name, sorted(rows, key=lambda row: row.case.id)) for name, rows in groups.items() if rows
    ]


def _verdict_of(row: Row, check: PlannedCheck) -> str:
    """The class of a cell: the verdict, "advised", or "same" if the check was not run."""
    entry = row.entries.get(check.check_id)
    if entry is None:
        return "same"
    if check.points is None and entry.verdict is Verdict.FAILED:
        return "advised"
    return entry.verdict.value.replace(" ", "-")


def _drawing(report: AuditReport) -> Mapping[str, object]:
    """Lay out the picture: columns are checks, with gaps between parts, thin rows are cases."""
    columns: list[tuple[int, PlannedCheck]] = []
    x, before = _LEFT, report.plan[0].part
    for check in report.plan:
        x += _GAP if check.part != before else 0
        before = check.part
        columns.append((x, check))
        x += _CELL_WIDTH
    # One path for each verdict is a tenth of the size of one rectangle for each cell.
    paths: dict[str, list[str]] = {}
    labels: list[tuple[int, str]] = []
    y = _TOP
    for name, rows in _groups(report):
        labels.append((y + len(rows) * _CELL_HEIGHT // 2 + 4, f"{name} ({len(rows)})"))
        for row in rows:
            for left, check in columns:
                paths.setdefault(_verdict_of(row, check), []).append(f"M{left} {y}{_CELL}")
            y += _CELL_HEIGHT
        y += _GAP
    return {
        "width": x + 10,
        "height": y + 26,
        "left": _LEFT,
        "top": _TOP,
        "cell_width": _CELL_WIDTH,
        "bottom": y - _GAP,
        "columns": columns,
        "paths": {verdict: "".join(cells) for verdict, cells in paths.items() if verdict != "same"},
        "labels": labels,
        "legend_y": y + 14,
        "counts": report.counts,
    }
