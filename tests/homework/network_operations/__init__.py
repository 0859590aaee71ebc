"""All that a loss may do with a generator and a discriminator, by name."""

from tests.homework.network_operations import calls, derivatives, modules
from tests.homework.network_operations.networks import OPERATIONS, Networks

__all__ = ["OPERATIONS", "Networks", "calls", "derivatives", "modules"]
