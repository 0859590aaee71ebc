"""Advice on what was changed outside the marked regions."""

import pytest
from gradescope_utils.autograder_utils.decorators import number

from autograder.engine.handout import MarkerError, edits_outside_regions, make_template_text
from autograder.engine.judge.plugin import Submitted
from autograder.engine.judge.verdicts import Advice, NotAttempted
from autograder.homework.student import FLOW_FILE, GAN_FILE

_SHOWN = 100
_LISTED = 3


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
    advice = [each for each in (_on_edits(name, text, given), _on_imports(submitted, name)) if each]
    if advice:
        raise Advice("\n".join(advice) + "\nNo points are lost for this.")


def _on_imports(submitted: Submitted, name: str) -> str:
    """Name the packages that are not installed; a stand-in took their place."""
    missing = submitted.missing_packages(name)
    listed = ", ".join(f"{each.package} (line {each.line})" for each in missing[:_LISTED])
    more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
    return (
        f"{name} imports what is not installed where this is graded: {listed}{more}. "
        "Using it fails the checks that come to it, so remove the import and its use."
        if missing
        else ""
    )


def _on_edits(name: str, text: str, given: str) -> str:
    """Say what was changed outside the marked regions, if anything."""
    if "# BEGIN SOLUTION " in text:  # the reference is graded
        try:
            text = make_template_text(text, name)
        except MarkerError:  # or a line of a student's own making
            return f"{name} holds markers that the template does not."
    added, missing = edits_outside_regions(text, given)
    if not added and not missing:
        return ""
    first = f"for instance: {added[0][:_SHOWN]}" if added else "lines of the template are missing"
    return (
        f"{name} is changed outside the marked regions: {len(added)} lines added or changed, "
        f"{len(missing)} of the template gone ({first}). That is allowed, but the rest of the "
        "homework relies on what was given."
    )
