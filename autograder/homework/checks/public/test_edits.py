"""Advice on what was changed outside the marked regions."""

import pytest
from gradescope_utils.autograder_utils.decorators import number

from autograder.engine.handout import MarkerError, edits_outside_regions, make_template_text
from autograder.engine.judge.plugin import Submitted
from autograder.engine.judge.verdicts import Advice, NotAttempted
from autograder.homework.student import FLOW_FILE, GAN_FILE

_SHOWN = 100


@number("1.3.9")
@pytest.mark.run_last
def test_flow_is_changed_in_its_regions_only(submitted: Submitted) -> None:
    """Advice: flow_network.py is changed only between the markers."""
    _advise(submitted, FLOW_FILE)


@number("2.2.9")
@pytest.mark.run_last
def test_gan_is_changed_in_its_regions_only(submitted: Submitted) -> None:
    """Advice: gan.py is changed only between the markers."""
    _advise(submitted, GAN_FILE)


def _advise(submitted: Submitted, name: str) -> None:
    text = submitted.text(name)
    given = submitted.template(name)
    if text is None or text == given:
        raise NotAttempted("Not attempted: nothing to advise on.")
    if "# BEGIN SOLUTION " in text:  # the reference is graded
        try:
            text = make_template_text(text, name)
        except MarkerError:  # or a line of a student's own making
            raise Advice(
                f"{name} holds markers that the template does not. No points are lost for this."
            ) from None
    added, missing = edits_outside_regions(text, given)
    if not added and not missing:
        return
    first = f"for instance: {added[0][:_SHOWN]}" if added else "lines of the template are missing"
    raise Advice(
        f"{name} is changed outside the marked regions: {len(added)} lines added or changed, "
        f"{len(missing)} of the template gone ({first}). That is allowed, but the rest of the "
        "homework relies on what was given. No points are lost for this."
    )
