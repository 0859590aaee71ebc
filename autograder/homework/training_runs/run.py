"""A run in a separate worker that starts before its check needs the result."""

from __future__ import annotations

from autograder.engine.judge.calls import Caller, PendingCall
from autograder.engine.judge.exceptions import CheckStopped


class Run:
    """Starts a call once; a `BackgroundRun`. Subclasses say which call in `_begin`.

    Args:
        caller: of a separate worker.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._pending: PendingCall | CheckStopped | None = None

    def _begin(self) -> PendingCall:
        raise NotImplementedError

    def start(self) -> None:
        """Start the run if it was not started before."""
        if self._pending is None:
            try:
                self._pending = self._begin()
            except CheckStopped as conclusion:  # the file is missing: `_take` raises it
                self._pending = conclusion

    @property
    def is_at_work(self) -> bool:
        """Whether the run was started and has not ended."""
        pending = self._pending
        return pending is not None and not isinstance(pending, CheckStopped) and pending.is_at_work

    def _take(self) -> PendingCall:
        """Return the started call, to finish it.

        Raises:
            CheckStopped: it could not start.
        """
        self.start()
        pending, self._pending = self._pending, None
        assert pending is not None
        if isinstance(pending, CheckStopped):
            raise pending
        return pending

    def close(self) -> None:
        """End the worker."""
        self._caller.close()
