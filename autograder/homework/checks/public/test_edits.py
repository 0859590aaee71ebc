"""Advice on a file's text: edits outside the marked regions, missing imports, torch.compile."""

from gradescope_utils.autograder_utils.decorators import number

from autograder.engine.judge.base_plugin import Submitted
from autograder.homework.student import FLOW_FILE, GAN_FILE, Student
from autograder.homework.text_advice import advise_on_text


@number("1.3.9")
def test_flow_is_changed_in_its_regions_only(submitted: Submitted, student: Student) -> None:
    """Advice: flow_network.py has no edit outside the markers, missing import or torch.compile."""
    advise_on_text(submitted, student, FLOW_FILE)


@number("2.2.9")
def test_gan_is_changed_in_its_regions_only(submitted: Submitted, student: Student) -> None:
    """Advice: gan.py has no edit outside the markers, missing import or torch.compile."""
    advise_on_text(submitted, student, GAN_FILE)
