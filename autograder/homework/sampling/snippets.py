"""Python snippets that show a loss's random numbers and its training; they need only torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from autograder.engine.judge.exceptions import CheckFailed


@contextlib.contextmanager
def showing(snippet: str) -> Iterator[None]:
    """Attach a snippet to a failure in this context."""
    try:
        yield
    except CheckFailed as failure:
        failure.snippet = failure.snippet or snippet
        raise


def draws(functions: Sequence[str]) -> str:
    """Return Python that prints the inputs of g and d in these losses.

    Real images are 0 and generated ones 1 everywhere, so that the pixels of a mixture are its
    weight.
    """
    conditional = functions[0].startswith("conditional")
    labels = ", labels" if conditional else ""
    shown = ', "labels", labels.tolist()' if conditional else ""
    lines = [
        "import torch",
        f"from codebase.gan import {', '.join(functions)}",
        "",
        "",
        "class G(torch.nn.Module):",
        "    dim_z = 6",
        "",
        f"    def forward(self, z{labels}):",
        '        print("g: z", tuple(z.shape), "mean", z.mean().item(),',
        f'              "variance", z.var().item(), "different rows", len(z.unique(dim=0)){shown})',
        "        return torch.ones(len(z), 1, 28, 28) + 0 * z.sum()  # generated images are 1",
        "",
        "",
        "class D(torch.nn.Module):",
        "    def __init__(self):",
        "        super().__init__()",
        "        self.w = torch.nn.Parameter(torch.full((784,), 0.01))",
        "",
        f"    def forward(self, x{labels}):",
        f'        print("d: pixels from", x.flatten(1).amin(1).tolist(){shown})',
        '        print("        up to", x.flatten(1).amax(1).tolist())',
        "        return x.flatten(1) @ self.w",
        "",
        "",
        "x_real = torch.zeros(4, 1, 28, 28)  # real images are 0",
    ]
    if conditional:
        lines.append("labels = torch.tensor([1, 4, 4, 9])")
    for function in functions:
        lines += [f'print("{function}")', f'{function}(G(), D(), x_real{labels}, device="cpu")']
    return "\n".join(lines) + "\n"


def training(functions: Sequence[str]) -> str:
    """Return Python that trains two small networks and prints the progress of the generator."""
    conditional = functions[0].startswith("conditional")
    labels = ", labels" if conditional else ""
    d_loss, g_loss = functions
    lines = [
        "import torch",
        f"from codebase.gan import {d_loss}, {g_loss}",
        "",
        "torch.manual_seed(0)",
        "",
        "",
        "class G(torch.nn.Module):",
        "    dim_z = 4",
        "",
        "    def __init__(self):",
        "        super().__init__()",
        "        self.linear = torch.nn.Linear(4, 784)",
        "        self.of_class = torch.nn.Embedding(10, 784)",
        "        torch.nn.init.zeros_(self.of_class.weight)",
        "",
        f"    def forward(self, z{labels}):",
        "        images = self.linear(z)" + (" + self.of_class(labels)" if conditional else ""),
        "        return images.reshape(-1, 1, 28, 28)",
        "",
        "",
        "class D(torch.nn.Module):",
        "    def __init__(self):",
        "        super().__init__()",
        "        self.first = torch.nn.Linear(784, 16)",
        f"        self.last = torch.nn.Linear(16, {10 if conditional else 1})",
        "",
        f"    def forward(self, x{labels}):",
        "        logits = self.last(torch.nn.functional.leaky_relu(self.first(x.flatten(1)), 0.2))",
        "        return "
        + ("logits.gather(1, labels[:, None])[:, 0]" if conditional else "logits[:, 0]"),
        "",
        "",
        "g, d = G(), D()",
        "optimisers = [torch.optim.Adam(d.parameters(), 5e-3, (0.5, 0.999)),",
        "              torch.optim.Adam(g.parameters(), 2e-2, (0.5, 0.999))]",
        "for step in range(151):",
        *(["    labels = torch.randint(0, 10, (32,))"] if conditional else []),
        "    x_real = 0.5 + 0.2 * torch.randn(32, 1, 28, 28)",
        f"    for loss, optimiser in zip(({d_loss}, {g_loss}), optimisers):",
        "        for one in optimisers:",
        "            one.zero_grad()",
        f'        value = loss(g, d, x_real{labels}, device="cpu")',
        "        value.backward()",
        "        optimiser.step()",
        "    if step % 30 == 0:",
        "        with torch.no_grad():",
        "            made = g(torch.randn(32, 4)"
        + (", torch.randint(0, 10, (32,))" if conditional else "")
        + ").mean().item()",
        '        print("step", step, "mean pixel of generated images", made, "(of real ones 0.5)")',
    ]
    return "\n".join(lines) + "\n"
