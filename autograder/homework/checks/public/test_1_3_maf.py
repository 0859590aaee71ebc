"""1.3 Advice on the flow."""

import pytest
from gradescope_utils.autograder_utils.decorators import number

from autograder.homework.device_advice import DeviceAdvice

FUNCTIONS = ["MADE.forward", "MADE.inverse", "MAF.log_probs"]


@number("1.3.5")
@pytest.mark.run_last
def test_flow_makes_tensors_on_the_device_of_its_input(device_advice: DeviceAdvice) -> None:
    """Advice: the flow makes new tensors on the device of its input."""
    device_advice.advise(FUNCTIONS, "Use zeros_like(), new_zeros() or device=x.device.")
