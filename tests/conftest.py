"""Makes the project and its reference solution importable, and the tree that intake adds to."""

import os
import signal
import sys
from pathlib import Path

import pytest

# Before numpy is imported: several runs share the machine, and their threads would wait for each
# other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_ROOT = Path(__file__).resolve().parent.parent
for _folder in (_ROOT, _ROOT / "reference"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so every process
# that a test starts; what is tested is how they behave in the foreground.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the whole catalogue, and a new list of messages."""
    parser.addoption("--all", action="store_true", help="run every test, over the whole catalogue")
    parser.addoption("--renew-messages", action="store_true", help="write tests/messages.txt anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the audit does as well."""
    if not config.getoption("--all"):
        left_out = [item for item in items if item.get_closest_marker("whole_catalogue")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("whole_catalogue")]


@pytest.fixture
def pristine(tmp_path: Path) -> Path:
    """The template's tree: its stubs must never stand in for the student's files."""
    root = tmp_path / "pristine"
    (root / "codebase" / "__pycache__").mkdir(parents=True)
    for name in ("__init__.py", "network.py", "gan.py", "flow_network.py"):
        (root / "codebase" / name).write_text(f"# pristine {name}\n")
    (root / "codebase" / "__pycache__" / "network.pyc").write_bytes(b"")
    (root / "run_flow.py").write_text("# driver\n")
    return root
