"""Golden values: fixed problems with their right answers, and those that known mistakes give.

A golden check runs on a laptop as on Gradescope: it needs no formula, for `golden.json` holds what
is right, made from the oracles by `python -m autograder golden`. Of a loss only such problems are
there whose answer does not depend on what the student's code draws: the generator gives the same
image whatever z is, the discriminator answers it alike whatever its label is, and a critic whose
gradient is asked for is linear.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from autograder.engine.judge.compare import Tolerance, close, close_to_any, difference
from autograder.engine.judge.verdicts import CheckFailed
from autograder.homework import golden_snippets, tolerances
from autograder.homework.flow_parameters import MadeParameters, MapParameters
from autograder.homework.gradients import gradient_error
from autograder.homework.probe_networks import Array, Critic, Generator, Labels, LinearCritic
from autograder.homework.student import Student

GOLDEN = Path(__file__).with_name("checks") / "public" / "golden.json"

SIDE = 28
PIXELS = SIDE * SIDE
N_PATTERNS = 6
# As tight as the diagnosis of private checks: a mistake must be met, not merely not excluded.
_EQUAL = Tolerance(rtol=2e-3, atol=2e-4)

# From the name of an answer to all arrays that are right (or a mistake's); NaN is not compared.
Answers: TypeAlias = Mapping[str, Sequence[Array]]


@lru_cache(maxsize=1)
def patterns() -> Array:
    """Return six images (6, 784) of 1 and -1, orthogonal to each other: plain, and stripes."""
    row, column = np.divmod(np.arange(PIXELS), SIDE)
    stripes = [np.zeros(PIXELS, int), column, row, column // 2, row // 2, row + column]
    made: Array = (1.0 - 2.0 * (np.stack(stripes) % 2)).astype(np.float64)
    made.setflags(write=False)
    return made


@dataclass(frozen=True, eq=False)
class Made:
    """A MADE with data x and noise z (B, D)."""

    input_size: int
    hidden_size: int
    n_hidden: int
    weights: MadeParameters
    x: Array
    z: Array
    seed: int = 0

    @property
    def batch(self) -> int:
        """B."""
        return len(self.x)

    def __str__(self) -> str:
        return f"{self.input_size} variables, {self.hidden_size} hidden units, batch {self.batch}"


@dataclass(frozen=True, eq=False)
class Maf:
    """A MAF with data x (B, D), and known maps that can stand in for its MADEs."""

    input_size: int
    hidden_size: int
    n_hidden: int
    n_flows: int
    blocks: tuple[MadeParameters, ...]
    maps: tuple[MapParameters, ...]
    x: Array
    seed: int = 0

    @property
    def batch(self) -> int:
        """B."""
        return len(self.x)

    def __str__(self) -> str:
        return f"{self.n_flows} blocks with {self.input_size} variables, batch {self.batch}"


@dataclass(frozen=True, eq=False)
class Gan:
    """Networks and images for a loss, all made of `patterns` by the numbers in `told`."""

    told: Mapping[str, Any]
    conditional: bool
    dim_z: int = 3
    seed: int = 0

    @property
    def batch(self) -> int:
        """B."""
        return len(self.x_real)

    @cached_property
    def x_real(self) -> Array:
        """Real images (B, 784)."""
        return np.asarray(self.told["real"], np.float64) @ patterns()

    @cached_property
    def labels(self) -> Labels:
        """Their labels (B,)."""
        return np.asarray(self.told.get("labels", [0] * self.batch), np.int64)

    @cached_property
    def generator(self) -> Generator:
        """Gives one image, whatever z and label are."""
        return Generator(
            weight=np.zeros((PIXELS, self.dim_z)),
            bias=np.asarray(self.told["fake"], np.float64) @ patterns(),
            label_embedding=np.zeros((10, PIXELS)) if self.conditional else None,
        )

    @cached_property
    def critic(self) -> Critic | LinearCritic:
        """The discriminator."""
        told = {name: np.asarray(value, np.float64) for name, value in self.told["critic"].items()}
        if "w" in told:
            return LinearCritic(w=told["w"] @ patterns() / SIDE, b=float(told["b"]))
        w1 = told["w1"] @ patterns() / PIXELS
        return Critic(w1=w1, b1=told["b1"], w2=told["w2"], b2=told["b2"])

    def __str__(self) -> str:
        kind = "a linear critic" if "w" in self.told["critic"] else "one generated image"
        return f"batch {self.batch}, {kind}"


Problem: TypeAlias = Made | Maf | Gan


@dataclass(frozen=True)
class Mistake:
    """What a known mistake (or several that cannot be told apart here) answers to the problems."""

    names: tuple[str, ...]
    hints: tuple[str, ...]
    answers: tuple[Answers, ...]


@dataclass(frozen=True)
class Golden:
    """The problems of one function, the right answers to them, and those of its mistakes."""

    function: str
    problems: tuple[Problem, ...]
    right: tuple[Answers, ...]
    # To the same problems with the student's own MADE blocks, where known maps are asked first.
    right_on_own: tuple[Answers, ...]
    mistakes: tuple[Mistake, ...]


@lru_cache(maxsize=1)
def _file() -> Mapping[str, Any]:
    told: Mapping[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return told


def load(function: str) -> Golden:
    """Read the golden values of one function, such as "MADE.forward"."""
    told = _file()["functions"][function]
    return Golden(
        function=function,
        problems=tuple(_problem(one) for one in _file()["problems"][told["problems"]]),
        right=tuple(map(_answers, told["right"])),
        right_on_own=tuple(map(_answers, told.get("right_on_own", []))),
        mistakes=tuple(
            Mistake(
                tuple(each["names"]), tuple(each["hints"]), tuple(map(_answers, each["answers"]))
            )
            for each in told["mistakes"]
        ),
    )


def _problem(told: Mapping[str, Any]) -> Problem:
    if "real" in told:
        return Gan(told, conditional="labels" in told)
    sizes = {key: told[key] for key in ("input_size", "hidden_size", "n_hidden")}
    if "n_flows" not in told:
        return Made(
            **sizes, weights=_made(told["layers"]), x=_array(told["x"]), z=_array(told["z"])
        )
    return Maf(
        **sizes,
        n_flows=told["n_flows"],
        blocks=tuple(map(_made, told["blocks"])),
        maps=tuple(MapParameters(**{k: _array(v) for k, v in m.items()}) for m in told["maps"]),
        x=_array(told["x"]),
    )


def _made(layers: Sequence[Any]) -> MadeParameters:
    return MadeParameters(tuple((_array(weight), _array(bias)) for weight, bias in layers))


def _answers(told: Mapping[str, Any]) -> Answers:
    return {name: [_array(one) for one in alternatives] for name, alternatives in told.items()}


def _array(told: Any) -> Array:
    return np.asarray(told, dtype=np.float64)  # null becomes NaN


# ---- checks -------------------------------------------------------------------------------------


def check_golden(student: Student, function: str) -> None:
    """All problems of a function are answered right; where not, the mistake is named if known.

    Raises:
        CheckFailed: about the first problem that is not; the first is the smallest.
    """
    golden = load(function)
    seen: list[Mapping[str, Array]] = []
    failure: CheckFailed | None = None
    for i, problem in enumerate(golden.problems):
        place = f"Fixed problem {i + 1} of {len(golden.problems)}: {problem}."
        try:
            got = ask(student, function, problem)
            seen.append(got)
            _compare(function, got, golden.right[i], place)
        except CheckFailed as error:
            if golden.right_on_own and _right_on_own_blocks(student, problem, golden, i):
                continue
            failure = failure or error
            failure.where = failure.where or place
            failure.snippet = failure.snippet or golden_snippets.snippet(golden, i)
    if failure is None:
        return
    if not failure.hint and len(seen) == len(golden.problems):
        named = name_mistake(golden, seen)
        if named is not None:
            failure.mistake, failure.hint = "+".join(named.names), " Or: ".join(named.hints)
    raise failure


def check_input_unchanged(student: Student) -> None:
    """MADE.inverse leaves the tensor that it was given as it was.

    Raises:
        CheckFailed: it does not.
    """
    golden = load("MADE.inverse")
    for i, problem in enumerate(golden.problems):
        assert isinstance(problem, Made)
        after = student.made_inverse(problem).input_after
        if not close(after, problem.x, tolerances.FLOW):
            failure = CheckFailed(
                "MADE.inverse() changes its input x in place.",
                where=f"Fixed problem {i + 1} of {len(golden.problems)}: {problem}.",
                numbers=difference("x afterwards", after, problem.x, tolerances.FLOW),
                hint="Make a new tensor instead of assigning into x or calling x.sub_(), "
                "x /= ... .",
            )
            failure.snippet = golden_snippets.snippet(golden, i)
            raise failure


def ask(student: Student, function: str, problem: Problem) -> dict[str, Array]:
    """Return the student's answers to one problem, by their names.

    Raises:
        CheckFailed: they have not the form of an answer, or no gradient arrives.
    """
    if isinstance(problem, Maf):
        return _log_probs(student, problem, problem.maps)
    if isinstance(problem, Gan):
        return _loss(student, function, problem)
    if function == "MADE.forward":
        forward = student.made_forward(problem)
        return {"x": forward.x, "log_det": forward.log_det}
    inverse = student.made_inverse(problem, jacobian=True)
    answers = {"z": inverse.z, "log_det": inverse.log_det}
    return answers if inverse.jacobian is None else {**answers, "jacobian": inverse.jacobian}


def _log_probs(
    student: Student, problem: Maf, blocks: Sequence[MadeParameters | MapParameters]
) -> dict[str, Array]:
    found = student.log_probs(problem, blocks)
    gradients = {f"gradient {name}": array for name, array in found.gradients.items()}
    return {"value": np.asarray(found.value), **gradients}


def _loss(student: Student, function: str, problem: Gan) -> dict[str, Array]:
    found = student.gan_loss(function, problem, images=False)
    if not found.reached:
        network = "discriminator" if function.endswith("_d") else "generator"
        raise CheckFailed(
            f"No gradient of {function} reaches the {network}, which it is to train.",
            hint="Look for detach(), no_grad(), .item() or .data on the way to the loss.",
        )
    answers = {"value": np.asarray(found.value)}
    for name, gradient in found.gradients.items():
        answers[f"gradient {name}"] = in_patterns(gradient)
    return answers


def in_patterns(gradient: Array) -> Array:
    """Return a gradient by images (..., 784) as multiples of the patterns, others as they are."""
    if gradient.shape[-1:] != (PIXELS,):
        return gradient
    return np.asarray(gradient @ patterns().T / PIXELS)


def _right_on_own_blocks(student: Student, problem: Problem, golden: Golden, i: int) -> bool:
    if not isinstance(problem, Maf):
        return False
    try:
        got = _log_probs(student, problem, problem.blocks)
        _compare(golden.function, got, golden.right_on_own[i], "")
    except CheckFailed:
        return False
    return True


_STATEMENTS = {
    "x": "MADE.forward() does not give x_i = mu_i + z_i exp(alpha_i).",
    "z": "MADE.inverse() does not give z_i = (x_i - mu_i) / exp(alpha_i).",
    "jacobian": "z_i does not depend on the x_j as it should: dz/dx of MADE.inverse() is wrong.",
}
_LOG_DETS = {
    "MADE.forward": "The log-determinant of MADE.forward() is neither the sum of alpha over the "
    "variables nor minus that.",
    "MADE.inverse": "The log-determinant of MADE.inverse() is not minus the sum of alpha.",
}


def _compare(function: str, got: Mapping[str, Array], right: Answers, place: str) -> None:
    for name, alternatives in right.items():
        if name.startswith("gradient "):
            continue
        tolerance = {"log_det": tolerances.LOG_DET, "value": tolerances.LOSS}.get(
            name, tolerances.FLOW
        )
        found = got.get(name)
        if found is None or not close_to_any(found, alternatives, tolerance):
            what = _STATEMENTS.get(name) or _LOG_DETS.get(function) or _value_statement(function)
            shown = np.full_like(alternatives[0], np.nan) if found is None else found
            raise CheckFailed(
                what, where=place, numbers=difference(name, shown, alternatives[0], tolerance)
            )
    wanted, found_too = _gradients(got, right)
    error = gradient_error(found_too, wanted)
    if error:
        raise CheckFailed(f"The gradient of {function} is wrong.", where=place, numbers=error)


def _value_statement(function: str) -> str:
    if function == "MAF.log_probs":
        return "MAF.log_probs() does not give the mean over the batch of log p(x)."
    return f"{function} does not have the value that the handout states."


def _gradients(
    got: Mapping[str, Array], right: Answers
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the right gradients and those found, without the entries that are not compared."""
    wanted, found = {}, {}
    for name, (expected, *_) in right.items():
        if name.startswith("gradient "):
            known = np.isfinite(expected)
            wanted[name.removeprefix("gradient ")] = expected[known]
            if name in got and got[name].shape == expected.shape:
                found[name.removeprefix("gradient ")] = got[name][known]
    return wanted, found


def name_mistake(golden: Golden, seen: Sequence[Mapping[str, Array]]) -> Mistake | None:
    """Return the mistake whose answers are those seen, on every problem; None if there is none.

    One that explains several wrong answers is likelier than one for each.
    """
    wrong = [
        group
        for group in _groups(golden.right[0])
        if not all(_same(s, r, group) for s, r in zip(seen, golden.right, strict=True))
    ]
    explained = [(set(_explained_by(m, seen)) & set(wrong), m) for m in golden.mistakes]
    for group in wrong:
        most = max((len(ours) for ours, _ in explained if group in ours), default=0)
        named = [m for ours, m in explained if group in ours and len(ours) == most]
        if named:
            return Mistake(
                tuple(dict.fromkeys(name for m in named for name in m.names)),
                tuple(dict.fromkeys(hint for m in named for hint in m.hints)),
                (),
            )
    return None


def _explained_by(mistake: Mistake, seen: Sequence[Mapping[str, Array]]) -> list[str]:
    return [
        group
        for group in _groups(mistake.answers[0])
        if all(_same(s, told, group) for s, told in zip(seen, mistake.answers, strict=True))
    ]


def _groups(answers: Answers) -> list[str]:
    """The answers by name; all gradients are one."""
    return list(dict.fromkeys(name.partition(" ")[0] for name in answers))


def _same(got: Mapping[str, Array], told: Answers, group: str) -> bool:
    names = [name for name in told if name.partition(" ")[0] == group]
    return bool(names) and all(any(_equal(got.get(name), t) for t in told[name]) for name in names)


def _equal(got: Array | None, told: Array) -> bool:
    if got is None or got.shape != told.shape:
        return False
    known = np.isfinite(told)
    return close(got[known], told[known], _EQUAL)
