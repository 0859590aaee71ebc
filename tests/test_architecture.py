"""The arrows between the rooms of the house: who may import whom, read and run."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
AUTOGRADER = ROOT / "autograder"
CHECKS = AUTOGRADER / "homework" / "checks"
_TEXTS = {".py", ".j2", ".js", ".css", ".ini", ".toml", ".md"}
_DEFAULT_HOMEWORK = 'help="the homework\'s folder (default: autograder/homework)",'


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the packages in a folder against the contracts in its pyproject.toml."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def modules(folder: Path) -> list[Path]:
    """All modules under a folder."""
    found = sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)
    assert found
    return found


def nodes(path: Path) -> Iterator[ast.AST]:
    """All pieces of a module's source."""
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def imported(path: Path) -> set[str]:
    """The modules that a module names in its imports, wherever they stand."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found.add(str(node.module))
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def within(names: set[str], package: str) -> set[str]:
    """Those of the names that are a package or lie in it."""
    return {name for name in names if f"{name}.".startswith(f"{package}.")}


# ---- contracts ----------------------------------------------------------------------------


def test_all_contracts_are_kept() -> None:
    """The contracts of pyproject.toml hold for what is there."""
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_each_contract_can_be_broken(tmp_path: Path) -> None:
    """One forbidden line per contract, in a copy: every contract is seen to be broken."""
    shutil.copytree(AUTOGRADER, tmp_path / "autograder")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    lines = {
        "The engine knows no homework": (
            "engine/release/template.py",
            "autograder.homework.tolerances",
        ),
        "The sandbox and the experiments take nothing from the trusted side": (
            "homework/experiments/probes.py",
            "autograder.homework.oracles.flow",
        ),
        "A submission is read with the standard library only": (
            "engine/submission/encoding.py",
            "autograder.engine.grading.ledger",
        ),
        "The judge takes nothing from the rooms behind it": (
            "engine/judge/exceptions.py",
            "autograder.engine.sandbox.serve",
        ),
        "Only the untrusted side imports torch": ("homework/oracles/gan.py", "torch"),
        "From ledger to results without judge or sandbox": (
            "engine/results/gradescope.py",
            "autograder.engine.judge.job",
        ),
        "The supervisor needs the standard library only": ("engine/sandbox/isolated.py", "numpy"),
        "The students' pytest starts no sandbox": (
            "engine/local/planned.py",
            "autograder.engine.sandbox.launch",
        ),
        "Nothing imports the class but the commands": (
            "engine/results/text.py",
            "autograder.engine.batch.store",
        ),
    }
    for path, module in lines.values():
        with (tmp_path / "autograder" / path).open("a", encoding="utf-8") as file:
            file.write(f"\nimport {module}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    verdicts = {line.rpartition(" ")[0]: line for line in done.stdout.splitlines()}
    for name in lines:
        assert verdicts.get(name) == f"{name} BROKEN", done.stdout
    assert f"0 kept, {len(lines)} broken" in done.stdout, "a contract has no line above"


# ---- what the contracts cannot say --------------------------------------------------------


def test_the_judge_takes_five_modules_from_the_sandbox() -> None:
    """A new module of the sandbox is not allowed by itself."""
    names = ("confine", "container", "fork_server", "frames", "launch")
    allowed = {f"autograder.engine.sandbox.{name}" for name in names}
    for path in modules(AUTOGRADER / "engine" / "judge"):
        taken = within(imported(path), "autograder.engine.sandbox") - {"autograder.engine.sandbox"}
        assert all(any(within({name}, a) for a in allowed) for name in taken), (path, taken)


def test_nobody_imports_the_checks() -> None:
    """Checks are found by pytest; they are no package, and no code of ours reaches for them."""
    assert not list(CHECKS.rglob("__init__.py"))
    for path in modules(AUTOGRADER):
        assert not within(imported(path), "autograder.homework.checks"), path


def test_checks_touch_neither_torch_nor_the_untrusted_side() -> None:
    """A check sees the student's code through `Student` only."""
    for path in modules(CHECKS):
        names = imported(path)
        for package in ("torch", "autograder.engine.sandbox", "autograder.homework.experiments"):
            assert not within(names, package), path


def test_the_engine_names_no_homework_in_its_texts() -> None:
    """Not by `import_module` either: outside docstrings no text of the engine names a homework."""
    for path in modules(AUTOGRADER / "engine"):
        docstrings = set()
        for node in nodes(path):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                docstrings.add(ast.get_docstring(node, clean=False))
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = "autograder.homework" in node.value and node.value not in docstrings
                assert not named, f"{path}:{node.lineno}"


def test_nothing_is_ever_unpickled() -> None:
    """No module imports pickle or another format that runs what it reads."""
    for path in modules(AUTOGRADER):
        for package in ("pickle", "marshal", "shelve", "dill", "joblib"):
            assert not within(imported(path), package), path


# Each place works without them, too; its own test takes them away.
_INTERNALS = {
    "engine/judge/hypothesis_profile.py": {"hypothesis.internal"},
    "engine/judge/warm.py": {"_pytest"},
    "engine/sandbox/lean_torch.py": {"torch._C", "torch._custom_class_base"},
    "homework/experiments/probes.py": {"torch._C"},
    "homework/experiments/simulated_gpu.py": {"torch._C"},
}


def test_the_internals_of_each_library_are_used_in_one_place() -> None:
    """A new version may lack them: no other module may stop working then."""
    internal = re.compile(
        r"\b(?:_pytest|[a-z]\w*\.internal|(?:torch|numpy|sklearn)(?:\.\w+)*?\._[a-zA-Z]\w*)\b"
    )
    for path in modules(AUTOGRADER):
        used = {
            match
            for node in nodes(path)
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.Attribute))
            for match in internal.findall(ast.unparse(node))
        }
        name = path.relative_to(AUTOGRADER).as_posix()
        assert used == _INTERNALS.get(name, set()), name


def test_only_the_command_line_prints() -> None:
    """Whatever else has something to say returns it; the zygote's stdout is the staff's log."""
    may = {
        AUTOGRADER / "cli.py",
        *modules(AUTOGRADER / "commands"),
        AUTOGRADER / "engine" / "sandbox" / "zygote.py",
    }
    for path in modules(AUTOGRADER):
        if path not in may:
            calls = (node.func for node in nodes(path) if isinstance(node, ast.Call))
            assert not any(isinstance(f, ast.Name) and f.id == "print" for f in calls), path


# ---- seen at run time ---------------------------------------------------------------------

_MODULES_AFTER = """
import json, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
{statements}
ours = {{"autograder", "tests"}}
found = {{name.partition(".")[0] for name in set(sys.modules) - before}} - ours
print(json.dumps(sorted(found - set(sys.stdlib_module_names))))
"""


def third_party_after(statements: str, *arguments: str) -> list[str]:
    """The packages outside the standard library that these statements load, in a new process."""
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            _MODULES_AFTER.format(statements=statements),
            str(ROOT),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "module",
    [
        "autograder.engine.grading.supervisor",
        "autograder.cli",
        "autograder.commands.grade",
        "autograder.engine.sandbox.launch",
    ],
)
def test_the_supervisor_loads_the_standard_library_only(module: str) -> None:
    """The results are written whatever is broken: not even numpy has to be importable."""
    # tomli is the standard library's tomllib on Python 3.10.
    assert set(third_party_after(f"import {module}")) <= {"tomli"}


def test_the_judge_never_loads_torch() -> None:
    """All that a judge imports, every check and conftest included: numpy is there, torch is not."""
    files = [str(path) for path in modules(CHECKS)]
    loaded = third_party_after(
        "import runpy\n"
        "import autograder.engine.judge.__main__, autograder.engine.judge.plugin\n"
        "for path in sys.argv[2:]: runpy.run_path(path)",
        *files,
    )
    assert "numpy" in loaded
    assert "hypothesis" not in loaded  # a search for a smaller case imports it
    assert "torch" not in loaded


# ---- any homework ---------------------------------------------------------------------------

# The names of this homework's parts, files, data and settings.
_OF_THIS_HOMEWORK = re.compile(
    r"codebase|flow_network|\bMADE\b|\bMAF\b|\bmaf\b|\b[DC]?GANs?\b|\bgan\b|[Mm]oons|[Ff]ashion"
    r"|[Cc]ritic|[Dd]iscriminator|training_|_training|log_likelihood|autograder[./]homework|CS ?236"
)


@pytest.mark.parametrize("room", ["engine", "commands"])
def test_engine_and_commands_name_no_homework(room: str) -> None:
    """Neither in code nor in messages; only the default of `--homework` is a path to one."""
    files = [p for p in (AUTOGRADER / room).rglob("*") if p.suffix in _TEXTS]
    assert len(files) > 5
    named = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _OF_THIS_HOMEWORK.search(line) and line.strip() != _DEFAULT_HOMEWORK
    ]
    assert not named, "\n".join(named)
