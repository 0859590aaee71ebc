"""Makes the project and its reference solution importable from the tests."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
for _folder in (_ROOT, _ROOT / "reference"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))
