"""An existing Dask cluster as the crew: SLURM, Kubernetes, or machines started by hand.

Dask does the scheduling, the retries after a lost worker and the transport. Workers need a checkout
of the project at the same version, in its environment and on their `PYTHONPATH`; so does the
scheduler, which unpickles what it passes on.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from distributed import Client, KilledWorker

from autograder.engine.batch.pool import Crew, WorkerDied
from autograder.engine.batch.scheduler import WorkError
from autograder.engine.batch.worker_process import Settings, fingerprint

_CONNECT_S = 20.0


@contextlib.contextmanager
def cluster_crew(address: str, settings: Settings, checks: str) -> Iterator[Crew]:
    """Connect to a scheduler and check that its workers grade by the same checks.

    Args:
        address: of the scheduler, such as "tcp://head:8786"; or a scheduler file's path.
        settings: for the workers.
        checks: their hash here; see `worker_process.fingerprint`.

    Raises:
        WorkError: there is no scheduler, or it or its workers lack the project or have another
            version of it.
    """
    try:
        where = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
        client = Client(**where, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkError(f"there is no Dask scheduler at {address}: {error}") from error
    with client:
        # No worker need have joined yet: this waits for the first.
        try:
            theirs = client.submit(checks_here, settings, pure=False).result()
        except Exception as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise WorkError(
                f"the cluster cannot run the project ({why}): start its "
                "scheduler and its workers with the project's environment, and PYTHONPATH on a "
                "checkout of the same version"
            ) from error
        if theirs != checks:
            raise WorkError(
                f"the workers grade by other checks ({theirs}, here {checks}): give all machines "
                "the same version of the project"
            )
        executor = client.get_executor(pure=False)
        try:
            yield Crew(executor, lambda: _places(client), (WorkerDied, KilledWorker))
        finally:
            executor.shutdown(wait=False)  # cancels what is under way


def checks_here(settings: Settings) -> str:
    """Return the hash of what decides a grade on this machine."""
    with tempfile.TemporaryDirectory(prefix="class-") as name:
        return fingerprint(settings.homework(Path(name)), settings.only)


def _places(client: Client) -> int:
    """Return how many threads the workers have now; that may change."""
    return sum(client.nthreads().values())
