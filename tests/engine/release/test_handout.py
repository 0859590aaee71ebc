"""The students' zip: its files, the same bytes every time, and a leak that stops the build."""

from __future__ import annotations

import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from autograder.cli import main
from autograder.engine.grading.plan import plan_checks
from autograder.engine.local.planned import public_plan, read_plan, write_plan
from autograder.engine.release import handout
from autograder.engine.release.archive import File
from autograder.engine.release.handout import ZIP, HandoutError, build_handout
from autograder.engine.release.template import solution_regions
from tests.this_homework import THIS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built handout."""
    folder = tmp_path_factory.mktemp("built")
    build_handout(THIS, folder)
    return folder / ZIP


def test_the_submission_script_knows_the_graders_python(built: Path) -> None:
    """The settings name it; without that, the script stays unchanged."""
    name = "make_submission.py"
    with zipfile.ZipFile(built) as archive:
        assert f'GRADER_PYTHON = "{THIS.python}"\n' in archive.read(name).decode()
    without = replace(THIS, python=None)
    packed = handout.handout_files(without)[name].data
    assert packed == (THIS.template / name).read_bytes()


def test_a_script_without_a_line_for_the_version_stops_the_build(tmp_path: Path) -> None:
    """Its warnings would be lost silently."""
    template = tmp_path / "template"
    shutil.copytree(THIS.template, template)
    (template / "make_submission.py").write_text("GRADER = 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"must contain the line GRADER_PYTHON"):
        handout.handout_files(replace(THIS, template=template))


def test_the_zip_contains_all_that_a_student_needs(built: Path) -> None:
    """Template, drivers, scripts, requirements, README, and the checks in their folder."""
    with zipfile.ZipFile(built) as archive:
        names = set(archive.namelist())
        modes = {i.filename: i.external_attr >> 16 for i in archive.infolist()}
    assert {
        "README.md",
        "requirements.txt",
        "pytest.ini",
        "conftest.py",
        "make_submission.sh",
        "make_submission.py",
        "run_flow.py",
        "run_gan.py",
        "run_conditional_gan.py",
        "codebase/gan.py",
        "codebase/flow_network.py",
        "codebase/network.py",
    } <= names
    rest = {name for name in names if "/" in name and not name.startswith("codebase/")}
    assert all(name.startswith("grader/autograder/") for name in rest)
    assert not any(name.endswith(".pyc") for name in names)
    assert modes["make_submission.sh"] & stat.S_IXUSR
    assert not modes["README.md"] & stat.S_IXUSR


def test_the_readme_explains_how_to_run_the_checks(built: Path) -> None:
    """It is the handout's; the template's README becomes CODE.md."""
    with zipfile.ZipFile(built) as archive:
        readme, training = archive.read("README.md"), archive.read("CODE.md")
    assert readme == (THIS.folder / "handout" / "README.md").read_bytes()
    assert b"requirements.txt" in readme
    assert b"pytest -k" in readme
    assert b"CODE.md" in readme
    assert training == (ROOT / "student_template" / "README.md").read_bytes()


def test_no_file_hides_another(tmp_path: Path) -> None:
    """Two files with the same path in the zip are our error."""
    template = tmp_path / "template"
    shutil.copytree(THIS.template, template)
    (template / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"pytest\.ini is in both the template and handout/"):
        handout.handout_files(replace(THIS, template=template))


def test_the_same_input_gives_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """Neither time nor the order of a folder shows."""
    build_handout(THIS, tmp_path)
    assert (tmp_path / ZIP).read_bytes() == built.read_bytes()


SOLUTION = next(
    code
    for title, code in solution_regions((ROOT / "reference/codebase/gan.py").read_text())
    if title == "5.5 loss_wasserstein_gp_d"
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", SOLUTION.encode()),
        ("figure.svg", f"<svg><!-- {SOLUTION} --></svg>".encode()),
        ("grader/autograder/x.py", b"# test_density_integrates_to_one"),
        ("grader/autograder/x.pyc", b"\xa7\r\r\n" + b"\0" * 12 + b"\xe3\0\0"),
        ("grader/test_jacobian_is_triangular.txt", b""),
    ],
)
def test_a_leak_stops_the_build_and_leaves_no_zip(
    name: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the place; an older zip stays unchanged."""
    (tmp_path / ZIP).write_bytes(b"older")
    honest = handout.handout_files(THIS)
    monkeypatch.setattr(handout, "handout_files", lambda _: {**honest, name: File(content)})
    with pytest.raises(HandoutError, match="it would reveal secrets") as error:
        build_handout(THIS, tmp_path)
    assert f"\nhandout.zip!/{name}" in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == [ZIP]
    assert (tmp_path / ZIP).read_bytes() == b"older"


def test_an_outdated_template_is_not_packed(tmp_path: Path) -> None:
    """Students must get the template that the reference gives now."""
    template = tmp_path / "template"
    shutil.copytree(ROOT / "student_template", template)
    (template / "run_flow.py").write_text("changed")
    with pytest.raises(HandoutError, match="the template is out of date"):
        build_handout(replace(THIS, template=template), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_requirements_are_what_the_checks_and_the_drivers_need(built: Path) -> None:
    """They come from pyproject.toml, without the packages of this project's own tests."""
    with zipfile.ZipFile(built) as archive:
        lines = archive.read("requirements.txt").decode().splitlines()
    for name in ("torch>", "torchvision", "numpy", "pytest>", "pytest-timeout", "matplotlib"):
        assert any(line.startswith(name) for line in lines), name
    for name in ("ruff", "mypy", "hypothesis", "safetensors"):
        assert not any(line.startswith(name) for line in lines), name


@pytest.mark.parametrize(
    ("platform", "machine"),
    [("darwin", "x86_64"), ("darwin", "arm64"), ("linux", "x86_64"), ("win32", "AMD64")],
)
def test_no_old_torch_is_installed_beside_a_new_numpy(
    built: Path, platform: str, machine: str
) -> None:
    """torch before 2.3 does not work with numpy 2; Macs with Intel processors get no newer one."""
    with zipfile.ZipFile(built) as archive:
        lines = archive.read("requirements.txt").decode().splitlines()
    system = {"sys_platform": platform, "platform_machine": machine, "python_version": "3.11"}
    needed = [Requirement(line) for line in lines]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate(system)]

    def allowed(name: str, version: str) -> bool:
        return all(one.specifier.contains(version) for one in needed if one.name == name)

    assert not (allowed("torch", "2.2.2") and allowed("numpy", "2.0.0"))
    assert allowed("torch", "2.2.2") == (platform == "darwin" and machine == "x86_64")
    assert allowed("numpy", "1.26.4")


def test_points_are_those_of_gradescope(tmp_path: Path) -> None:
    """A public check is worth the same on a student's machine."""
    plan = public_plan(THIS)
    (tmp_path / "public_plan.json").write_text(write_plan(plan), encoding="utf-8")
    assert read_plan(tmp_path) == plan
    everything = {check.check_id: check for check in plan_checks(THIS)}
    assert all(everything[check.check_id] == check for check in plan.checks)
    numbers = {check.number for check in everything.values()}
    assert {*plan.private, *(check.number for check in plan.checks)} == numbers
    assert {check.part for check in plan.checks if check.points} == {
        part.number for part in THIS.parts
    }


def test_text_has_unix_line_endings(tmp_path: Path) -> None:
    """A checkout on Windows builds the same zip."""
    (tmp_path / "a.txt").write_bytes(b"a\r\nb\r\n")
    (tmp_path / "b.bin").write_bytes(b"a\r\n\0")
    assert handout.read_file(tmp_path / "a.txt").data == b"a\nb\n"
    assert handout.read_file(tmp_path / "b.bin").data == b"a\r\n\0"


def test_the_command_names_the_zip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m autograder handout` ends with 0 and names the file."""
    assert main(["handout", "--out", str(tmp_path)]) == 0
    assert f"{tmp_path / ZIP}: " in capsys.readouterr().out
    assert (tmp_path / ZIP).is_file()


def test_the_command_explains_why_nothing_was_built(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leak gives status 1 and its place."""
    honest = handout.handout_files(THIS)
    spoiled = {**honest, "x.txt": File(SOLUTION.encode())}
    monkeypatch.setattr(handout, "handout_files", lambda _: spoiled)
    assert main(["handout", "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith(
        "The handout was not built: it would reveal secrets:\nhandout.zip!/x.txt"
    )
