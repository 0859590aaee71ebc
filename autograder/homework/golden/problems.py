"""Fixed problems with their right answers, and those that known mistakes give.

A golden check runs on a laptop as on Gradescope: it needs no formula, for `golden.json` holds what
is right, made from the oracles by `python -m autograder golden`. Of a loss only such problems are
there whose answer does not depend on what the student's code draws: the generator gives the same
image whatever z is, the discriminator answers it alike whatever its label is, and a critic whose
gradient is asked for is linear.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from autograder.engine.catalogue.diagnosis import Tabulated
from autograder.homework.problems.flow_parameters import MadeParameters, MapParameters
from autograder.homework.problems.probe_networks import (
    Array,
    Critic,
    Generator,
    Labels,
    LinearCritic,
)

GOLDEN = Path(__file__).resolve().parents[1] / "checks" / "public" / "golden.json"

SIDE = 28
PIXELS = SIDE * SIDE
N_PATTERNS = 6

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


def in_patterns(gradient: Array) -> Array:
    """Return a gradient by images (..., 784) as multiples of the patterns, others as they are."""
    if gradient.shape[-1:] != (PIXELS,):
        return gradient
    return np.asarray(gradient @ patterns().T / PIXELS)


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

    @property
    def used(self) -> bool:
        """Whether the network is called once before, in evaluation mode."""
        return False

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

    @property
    def used(self) -> bool:
        """Whether the network is called once before, in evaluation mode."""
        return False

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
    """A known mistake, or several that give the same answers, as `Diagnosis` takes it.

    Args:
        ids: of the catalogue.
        hints: for the student.
        function: the function that is asked.
        tables: its answers to each problem.
    """

    ids: tuple[str, ...]
    hints: tuple[str, ...]
    function: str
    tables: tuple[Answers, ...]

    @property
    def answers(self) -> dict[str, Callable[[tuple[int, str]], Tabulated]]:
        """By the catalogue's name of an answer, the function that looks it up."""
        return {answer_name(self.function, name): self._look_up for name in self.tables[0]}

    def _look_up(self, about: tuple[int, str]) -> Tabulated:
        problem, name = about
        return Tabulated(self.tables[problem].get(name, ()))


def answer_name(function: str, name: str) -> str:
    """Return the catalogue's name of an answer; all gradients of a function are one answer."""
    return function if name == "value" else f"{function}.{name.partition(' ')[0]}"


@dataclass(frozen=True)
class Golden:
    """The problems of one function, the right answers to them, and those of its mistakes.

    Of the problems the first `judged` decide. The others are asked only where one of these is
    answered wrongly, to tell mistakes apart that agree on two variables.
    """

    function: str
    judged: int
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
        judged=told["judged"],
        problems=tuple(_problem(one) for one in _file()["problems"][told["problems"]]),
        right=tuple(map(_answers, told["right"])),
        right_on_own=tuple(map(_answers, told.get("right_on_own", []))),
        mistakes=tuple(
            Mistake(
                tuple(each["names"]),
                tuple(each["hints"]),
                function,
                tuple(map(_answers, each["answers"])),
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
