"""Pack your homework into submission.zip, on any system; make_submission.sh does the same.

It packs its own folder or, if that has no code, the current one. It warns of problems on Gradescope
and packs anyway; with --warn, it only warns.
"""

import ast
import io
import os
import re
import sys
import tempfile
import tokenize
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

# The handout of another homework without a script of its own gets this one with its own files.
PYTHON_FILES = ("codebase/flow_network.py", "codebase/gan.py")
# Patterns, each with the command that makes the file; of numbered files, a folder's last is packed.
FIGURES = {"maf/samples_epoch50.png": "python run_flow.py", "out_*/fake_*.png": ""}
# Gradescope's version, such as "3.10"; the handout fills it in from the course's settings.
GRADER_PYTHON = ""
DIALOGUES = ("breakpoint", "input")
STUB = re.compile(r'^\s*raise NotImplementedError\("(.*) is not implemented yet"\)', re.MULTILINE)


def fail(message: str) -> None:
    """Print one line and exit."""
    sys.exit(f"make_submission.py: {message}")


def figures_of(folder: Path, pattern: str) -> "Iterator[Path]":
    """Yield the figures of a pattern: of "fake_*.png", the one with the highest number."""
    place, _, name = pattern.rpartition("/")
    start, _, end = name.partition("*")
    for where in sorted(folder.glob(place)) if place else [folder]:
        numbered = {}
        for path in sorted(where.glob(name)):
            number = path.name[len(start) : len(path.name) - len(end)]
            if "*" not in name:
                yield path
            elif re.fullmatch(r"[0-9]+", number):
                numbered[int(number)] = path
        if numbered:
            yield numbered[max(numbered)]


def files_to_pack(folder: Path) -> "list[str]":
    """Return the files to pack, as paths in the folder."""
    for name in PYTHON_FILES:
        if not (folder / name).is_file():
            fail(f"{folder / name} is missing; nothing was packed")
    files = list(PYTHON_FILES)
    for pattern, command in FIGURES.items():
        figures = list(figures_of(folder, pattern))
        files += [figure.relative_to(folder).as_posix() for figure in figures]
        if command and not figures:
            print(f"Note: {pattern} is missing; '{command}' makes it.")
    return files


def warnings_about(name: str, content: bytes) -> "Iterator[str]":
    """Yield a sentence for each problem that Gradescope will have with a file."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = io.IncrementalNewlineDecoder(None, translate=True).decode(content.decode(encoding))
        if "\0" in text:
            raise ValueError("NUL bytes")
    except (SyntaxError, ValueError, LookupError):
        yield f"{name} is not saved as UTF-8, so Python cannot read it; save it as UTF-8"
        return
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield f"{name}, line {error.lineno}: Python cannot read this file: {error.msg}"
        for part in STUB.findall(text):
            yield f"{name}: {part} is not implemented yet"
        return
    yield from newer_python(name, text)
    yield from leftovers(name, tree)


def newer_python(name: str, text: str) -> "Iterator[str]":
    """Yield a sentence for code that is too new for Gradescope's Python.

    The handout's checks know what is new; this script alone does not.
    """
    grader = Path(__file__).resolve().parent / "grader"
    if GRADER_PYTHON and grader.is_dir():
        sys.path.insert(0, str(grader))
        from autograder.engine.judge.newer_python import problems_with

        major, minor = map(int, GRADER_PYTHON.split("."))
        yield from problems_with(text, name, (major, minor))


def leftovers(name: str, tree: ast.AST, inside: str = "") -> "Iterator[str]":
    """Yield a sentence for each stub, and each call that waits for a keyboard."""
    for node in ast.iter_child_nodes(tree):
        where = inside
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            where = f"{inside}.{node.name}".lstrip(".")
        elif isinstance(node, ast.Raise):
            yield from stubs(name, node, inside)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in DIALOGUES:
            called = getattr(node.func, "id", "")
            yield f"{name}, line {node.lineno}: {called}() does not work on Gradescope; remove it"
        elif (isinstance(node, ast.Import) and any(one.name == "pdb" for one in node.names)) or (
            isinstance(node, ast.ImportFrom) and node.module == "pdb"
        ):
            yield f"{name}, line {node.lineno}: pdb does not work on Gradescope; remove it"
        yield from leftovers(name, node, where)


def stubs(name: str, node: ast.Raise, inside: str) -> "Iterator[str]":
    """Yield a sentence if a statement raises NotImplementedError."""
    raised = node.exc
    message = ""
    if isinstance(raised, ast.Call):
        if raised.args and isinstance(raised.args[0], ast.Constant):
            message = str(raised.args[0].value)
        raised = raised.func
    if getattr(raised, "id", "") != "NotImplementedError":
        return
    if message.endswith(" is not implemented yet"):
        yield f"{name}: {message}"
    else:
        place = inside or "the file"
        yield f"{name}, line {node.lineno}: {place} still raises NotImplementedError"


def warn(folder: Path) -> None:
    """Print all warnings; no error here stops the packing."""
    for name in PYTHON_FILES:
        try:
            for warning in warnings_about(name, (folder / name).read_bytes()):
                print(f"Warning: {warning}", file=sys.stderr)
        except Exception as error:  # such as code that is nested too deeply
            print(f"Warning: {name} could not be checked ({error})", file=sys.stderr)


def pack(folder: Path, files: "Sequence[str]") -> None:
    """Write the zip to a temporary folder, then move it: a failure leaves no incomplete zip."""
    with tempfile.TemporaryDirectory(prefix=".submission.", dir=folder) as partial:
        packed = Path(partial) / "submission.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for name in files:
                archive.write(folder / name, name)
        os.replace(packed, folder / "submission.zip")


def main() -> None:
    """Pack, or only warn."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack characters of a path
            stream.reconfigure(errors="backslashreplace")
    folder = Path(__file__).resolve().parent
    code = PYTHON_FILES[0].rpartition("/")[0]
    if not (folder / (code or PYTHON_FILES[0])).exists():
        here, folder = folder, Path.cwd()
        if not (folder / (code or PYTHON_FILES[0])).exists():
            wanted = f"a folder {code}/" if code else PYTHON_FILES[0]
            fail(f"neither {here} nor {folder} has {wanted}; run it in your homework's folder")
    if sys.argv[1:] == ["--warn"]:
        warn(folder)
        return
    files = files_to_pack(folder)
    warn(folder)
    try:
        pack(folder, files)
    except OSError as error:
        fail(f"{folder / 'submission.zip'} cannot be made: {error}")
    print(f"Packed into {folder / 'submission.zip'}:")
    for name in files:
        print(f"  {name}")


if __name__ == "__main__":
    main()
