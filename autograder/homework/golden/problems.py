"""Fixed problems with their correct answers, and those of known mistakes.

A golden check needs no oracle, so it also runs on a laptop: `golden.json` has the correct answers,
made by `python -m autograder golden`. The answers to a loss's problems do not depend on the random
numbers of the student's code: the generator gives the same image for every z, the discriminator
gives that image the same logit for every label, and a critic with a gradient penalty is linear.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from autograder.engine.judge.diagnosis import Tabulated
from autograder.homework.problems.arrays import made_in_words, maf_in_words
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

# All correct arrays (or a mistake's) by the name of an answer; NaN is not compared.
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
    used: bool = False  # whether the network is first called once in evaluation mode

    @property
    def batch(self) -> int:
        """B."""
        return len(self.x)

    def __str__(self) -> str:
        return made_in_words(self)


@dataclass(frozen=True, eq=False)
class Maf:
    """A MAF with data x (B, D), and known maps that can replace its MADEs."""

    input_size: int
    hidden_size: int
    n_hidden: int
    n_flows: int
    blocks: tuple[MadeParameters, ...]
    maps: tuple[MapParameters, ...]
    x: Array
    seed: int = 0
    used: bool = False  # whether the network is first called once in evaluation mode

    @property
    def batch(self) -> int:
        """B."""
        return len(self.x)

    def __str__(self) -> str:
        return maf_in_words(self)


@dataclass(frozen=True, eq=False)
class Gan:
    """Networks and images for a loss, whose numbers in `data` are multiples of `patterns`."""

    data: Mapping[str, Any]
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
        return np.asarray(self.data["real"], np.float64) @ patterns()

    @cached_property
    def labels(self) -> Labels:
        """Their labels (B,)."""
        return np.asarray(self.data.get("labels", [0] * self.batch), np.int64)

    @cached_property
    def generator(self) -> Generator:
        """One that gives the same image for every z and label."""
        return Generator(
            weight=np.zeros((PIXELS, self.dim_z)),
            bias=np.asarray(self.data["fake"], np.float64) @ patterns(),
            label_embedding=np.zeros((10, PIXELS)) if self.conditional else None,
        )

    @cached_property
    def critic(self) -> Critic | LinearCritic:
        """The discriminator."""
        arrays = {key: np.asarray(value, np.float64) for key, value in self.data["critic"].items()}
        if "w" in arrays:
            return LinearCritic(w=arrays["w"] @ patterns() / SIDE, b=float(arrays["b"]))
        return Critic(**{**arrays, "w1": arrays["w1"] @ patterns() / PIXELS})

    def __str__(self) -> str:
        kind = "a linear critic" if "w" in self.data["critic"] else "one generated image"
        return f"batch {self.batch}, {kind}"


Problem: TypeAlias = Made | Maf | Gan


@dataclass(frozen=True)
class Mistake:
    """A known mistake, or several with the same answers to each problem, for `Diagnosis`."""

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
    """The problems of one function, with correct answers and those of its mistakes.

    The first `judged` problems decide. The others are asked only after a wrong answer, to separate
    mistakes that agree on two variables.
    """

    function: str
    judged: int
    problems: tuple[Problem, ...]
    right: tuple[Answers, ...]
    # With the student's own MADE blocks, for problems that put known maps in their place first.
    right_on_own: tuple[Answers, ...]
    mistakes: tuple[Mistake, ...]


@lru_cache(maxsize=1)
def _file() -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return content


def load(function: str) -> Golden:
    """Read the golden values of one function, such as "MADE.forward"."""
    data = _file()["functions"][function]
    return Golden(
        function=function,
        judged=data["judged"],
        problems=tuple(_problem(one) for one in _file()["problems"][data["problems"]]),
        right=tuple(map(_answers, data["right"])),
        right_on_own=tuple(map(_answers, data.get("right_on_own", []))),
        mistakes=tuple(
            Mistake(
                tuple(each["names"]),
                tuple(each["hints"]),
                function,
                tuple(map(_answers, each["answers"])),
            )
            for each in data["mistakes"]
        ),
    )


def _problem(data: Mapping[str, Any]) -> Problem:
    if "real" in data:
        return Gan(data, conditional="labels" in data)
    sizes = {key: data[key] for key in ("input_size", "hidden_size", "n_hidden")}
    if "n_flows" not in data:
        return Made(
            **sizes, weights=_made(data["layers"]), x=_array(data["x"]), z=_array(data["z"])
        )
    return Maf(
        **sizes,
        n_flows=data["n_flows"],
        blocks=tuple(map(_made, data["blocks"])),
        maps=tuple(MapParameters(**{k: _array(v) for k, v in m.items()}) for m in data["maps"]),
        x=_array(data["x"]),
    )


def _made(layers: Sequence[Any]) -> MadeParameters:
    return MadeParameters(tuple((_array(weight), _array(bias)) for weight, bias in layers))


def _answers(data: Mapping[str, Any]) -> Answers:
    return {name: [_array(one) for one in alternatives] for name, alternatives in data.items()}


def _array(data: Any) -> Array:
    return np.asarray(data, dtype=np.float64)  # null becomes NaN
