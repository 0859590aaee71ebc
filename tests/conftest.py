"""Makes the project and its reference solution importable from the tests."""

import signal
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
for _folder in (_ROOT, _ROOT / "reference"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so every process
# that a test starts; what is tested is how they behave in the foreground.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
