"""Snippets that repeat a golden check's call, to run in the homework's folder.

They need only torch and the student's files, so that a debugger works.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autograder.homework.golden.problems import Gan, Golden, Made, Maf
from autograder.homework.problems.arrays import as_list


def snippet(golden: Golden, number: int) -> str:
    """Return Python code that prints the student's and the expected answer to one problem."""
    problem, right = golden.problems[number], golden.right[number]
    if golden.function == "MAF.log_probs":
        lines = _maf(problem, golden.right_on_own[number])  # type: ignore[arg-type]
    elif golden.function.startswith("MADE."):
        lines = _made(golden.function, problem, right)  # type: ignore[arg-type]
    else:
        lines = _loss(golden.function, problem, right)  # type: ignore[arg-type]
    return "\n".join(lines) + "\n"


def _made(function: str, problem: Made, right: Mapping[str, Any]) -> Iterable[str]:
    sizes = f"{problem.input_size}, {problem.hidden_size}, {problem.n_hidden}"
    given, answer = ("z", "x") if function == "MADE.forward" else ("x", "z")
    yield "import torch"
    yield "from codebase.flow_network import MADE"
    yield ""
    yield f"made = MADE({sizes})"
    yield "weights_and_biases = ["
    yield from (f"    {as_list(array)}," for layer in problem.weights.layers for array in layer)
    yield "]"
    yield "with torch.no_grad():"
    yield "    for parameter, values in zip(made.parameters(), weights_and_biases):"
    yield "        parameter.copy_(torch.tensor(values))"
    yield f"{given} = torch.tensor({as_list(problem.z if given == 'z' else problem.x)})"
    yield f"{answer}, log_det = made.{function.removeprefix('MADE.')}({given})"
    yield f'print("{answer} =", {answer}.tolist())'
    yield f'print("expected", {as_list(right[answer][0])})'
    yield 'print("log_det =", log_det.tolist())'
    yield f'print("expected", {as_list(right["log_det"][0])})' + (
        "  # or minus that" if given == "z" else ""
    )


def _maf(problem: Maf, right: Mapping[str, Any]) -> Iterable[str]:
    sizes = f"{problem.input_size}, {problem.hidden_size}, {problem.n_hidden}, {problem.n_flows}"
    yield "# With your own MADE.inverse; the check puts known maps in its place."
    yield "import torch"
    yield "from codebase.flow_network import MADE, MAF"
    yield ""
    yield f"maf = MAF({sizes})"
    yield "weights_and_biases = ["
    for block in problem.blocks:
        yield from (f"    {as_list(array)}," for layer in block.layers for array in layer)
    yield "]"
    yield "with torch.no_grad():"
    yield "    for parameter, values in zip(maf.parameters(), weights_and_biases):"
    yield "        parameter.copy_(torch.tensor(values))"
    yield f"x = torch.tensor({as_list(problem.x)})"
    yield 'print("log_probs =", maf.log_probs(x))'
    yield f'print("expected", {as_list(right["value"][0])})'


def _loss(function: str, problem: Gan, right: Mapping[str, Any]) -> Iterable[str]:
    critic = problem.data["critic"]
    linear = "w" in critic
    labels = ", labels" if problem.conditional else ""
    yield "import torch"
    yield f"from codebase.gan import {function}"
    yield ""
    yield "# Six images of 1 and -1: plain, stripes one and two pixels wide, a checkerboard."
    yield 'row, column = torch.meshgrid(torch.arange(28), torch.arange(28), indexing="ij")'
    yield "stripes = torch.stack([0 * row, column, row, column // 2, row // 2, row + column])"
    yield "images = (1.0 - 2.0 * (stripes % 2)).reshape(6, 784)"
    if linear:
        yield f"w = (torch.tensor({as_list(critic['w'])}) @ images / 28).requires_grad_()"
    yield ""
    yield ""
    yield "class G(torch.nn.Module):  # gives one image, whatever z is"
    yield f"    dim_z = {problem.dim_z}"
    yield ""
    yield f"    def forward(self, z{labels}):"
    yield f"        image = torch.tensor({as_list(problem.data['fake'])}) @ images"
    yield "        return image.expand(len(z), 784).reshape(-1, 1, 28, 28)"
    yield ""
    yield ""
    yield "class D(torch.nn.Module):"
    yield f"    def forward(self, x{labels}):"
    if linear:
        yield f"        return x.reshape(-1, 784) @ w + {as_list(critic['b'])}"
    else:
        for name in ("w1", "b1", "w2", "b2"):
            scaled = " @ images / 784" if name == "w1" else ""
            yield f"        {name} = torch.tensor({_rows(critic[name], 8)}){scaled}"
        yield "        logits = torch.tanh(x.reshape(-1, 784) @ w1.T + b1) @ w2.T + b2"
        picked = "logits.gather(1, labels[:, None])[:, 0]" if labels else "logits[:, 0]"
        yield f"        return {picked}"
    yield ""
    yield ""
    yield f"real = torch.tensor({_rows(problem.data['real'], 0)})"
    yield "x_real = (real @ images).reshape(-1, 1, 28, 28)"
    if labels:
        yield f"labels = torch.tensor({problem.data['labels']})"
    yield f'loss = {function}(G(), D(), x_real{labels}, device="cpu")'
    yield 'print("loss =", loss)'
    yield f'print("expected", {as_list(right["value"][0])})'
    if linear:
        yield "loss.backward()"
        yield 'print("gradient of w, by image =", (images @ w.grad / 784).tolist())'
        yield f'print("expected", {as_list(right["gradient w2"][0][0])})'


def _rows(values: Any, indent: int) -> str:
    """Format a matrix with a line for each row, a vector on one line."""
    if np.ndim(values) < 2:
        return as_list(values)
    rows = "".join(f"{' ' * (indent + 4)}{as_list(row)},\n" for row in values)
    return f"[\n{rows}{' ' * indent}]"
