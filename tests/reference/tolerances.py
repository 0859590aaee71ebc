"""How close the reference must be to closed forms."""

from __future__ import annotations

# Float64 throughout, so these are far above rounding and far below any mistake in a formula.
RTOL, ATOL = 1e-9, 1e-9
# For what runs through the given networks in float32.
RTOL32, ATOL32 = 1e-4, 1e-5
