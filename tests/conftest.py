"""Makes the project, its reference solution and its examples importable, and a template's tree."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Before numpy is imported: several runs share the machine, and their threads would wait for each
# other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

_ROOT = Path(__file__).resolve().parent.parent
if str(_ROOT) not in sys.path:
    sys.path.insert(0, str(_ROOT))  # before an installed copy, which may be older
for _folder in (_ROOT / "reference", _ROOT / "examples"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

# No test may fail because the machine is busy.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so every process
# that a test starts; what is tested is how they behave in the foreground.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the slow tests, the whole catalogue, and a new list of messages."""
    parser.addoption("--slow", action="store_true", help="run slow tests too, as CI does")
    parser.addoption("--all", action="store_true", help="run every test, over the whole catalogue")
    parser.addoption("--renew-messages", action="store_true", help="write tests/messages.txt anew")


def _is_quick(config: pytest.Config) -> bool:
    """Whether no test was asked for: neither by an option nor by name or path."""
    if hasattr(config, "workerinput"):  # of pytest-xdist: only its controller sees the command
        return bool(config.workerinput["quick"])
    chosen = any(config.getoption(option) for option in ("-k", "-m", "--slow", "--all"))
    return config.args_source == pytest.Config.ArgsSource.TESTPATHS and not chosen


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist whether the run is a quick one."""
    node.workerinput["quick"] = _is_quick(node.config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the slow tests, unless some tests were asked for, and what the audit does as well.

    Of the tests of a slow kind, those marked `sample` and every twelfth hostile submission stay.
    """
    everything, quick = bool(config.getoption("--all")), _is_quick(config)
    left_out, hostile = [], 0
    for item in items:
        kinds = {marker.name for marker in item.iter_markers()}
        is_sample = "sample" in kinds
        if "hostile" in kinds and "slow" not in kinds:
            is_sample = hostile % 12 == 0
            hostile += 1
        slow = quick and kinds & {"slow", "e2e", "hostile"} and not is_sample
        if slow or ("whole_catalogue" in kinds and not everything):
            left_out.append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


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
