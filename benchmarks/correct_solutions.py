"""Solutions that must have the same verdicts on every machine, for `benchmarks/machines.py`.

These are correct solutions that real machines made trouble for: they import what takes long, use
what torch loads on first use, or look for what is not installed. All right solutions of the
catalogue follow. A few wrong ones are only compared: a loop without end must be found on every
machine, too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autograder.engine.catalogue.cases import all_cases, edited
from autograder.engine.catalogue.solutions import right
from tests.this_homework import THIS, reference_files

_DEFINITIONS = re.compile(r"^(def \w*loss_)", re.MULTILINE)
FLOW, GAN = "codebase/flow_network.py", "codebase/gan.py"


@dataclass(frozen=True)
class Solution:
    """A submission.

    Args:
        name: unique.
        sentence: what is special about it.
        files: text by path.
        is_correct: whether it must have full marks; others are only compared between machines.
    """

    name: str
    sentence: str
    files: Mapping[str, str]
    is_correct: bool = True


def all_solutions() -> Iterator[Solution]:
    """Yield the reference, the solutions of this module and the right ones of the catalogue."""
    texts = reference_files()
    yield Solution("reference", "The reference itself.", texts)
    for name, (sentence, lines) in _IMPORTS.items():
        files = {path: _with_lines(texts[path], code) for path, code in lines.items()}
        yield Solution(name, sentence, {**texts, **files})
    for name, (sentence, regions) in _REGIONS.items():
        yield Solution(name, sentence, edited(texts, right(name, sentence, regions)))
    compiled = _DEFINITIONS.sub(r"@torch.compile\n\1", texts[GAN])
    yield Solution("compiles-losses", "Every loss is compiled.", {**texts, GAN: compiled})
    for name, (sentence, regions) in _ONLY_COMPARED.items():
        files = edited(texts, right(name, sentence, regions))
        yield Solution(name, sentence, files, is_correct=False)
    for case in all_cases(THIS):
        # Other seeds are settings, not solutions.
        if case.kind == "right" and case.seed is None and case.id != "reference":
            yield Solution(case.id, case.sentence, case.files)


def _with_lines(text: str, lines: str) -> str:
    """Return a file with lines put before its first import."""
    first = next(
        node.lineno
        for node in ast.parse(text).body
        if isinstance(node, ast.Import)
        or (isinstance(node, ast.ImportFrom) and node.module != "__future__")
    )
    kept = text.splitlines(keepends=True)
    return "".join([*kept[: first - 1], lines, "\n", *kept[first - 1 :]])


# Name: sentence, and what stands at the top of which file.
_IMPORTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "imports-pyplot": (
        "gan.py imports pyplot and does not use it.",
        {GAN: "import matplotlib.pyplot as plt"},
    ),
    "imports-tqdm-and-pyplot": (
        "Both files import tqdm and pyplot, left over from trying things out.",
        dict.fromkeys((FLOW, GAN), "import matplotlib.pyplot as plt\nfrom tqdm import tqdm"),
    ),
    "imports-sklearn": (
        "flow_network.py imports the moons.",
        {FLOW: "from sklearn.datasets import make_moons"},
    ),
    "imports-torchvision": (
        "Both files import torchvision.",
        dict.fromkeys((FLOW, GAN), "import torchvision\nfrom torchvision import transforms"),
    ),
    "imports-wandb": (
        "gan.py imports a package that the grader does not have, and does not use it.",
        {GAN: "import wandb"},
    ),
    "imports-gan-training": (
        "gan.py imports from the template's own training loop.",
        {GAN: "from codebase.gan_training import gan_batches"},
    ),
    "imports-figures": (
        "flow_network.py imports from the template's own figures.",
        {FLOW: "from codebase.figures import save_scatter"},
    ),
    "deterministic-algorithms": (
        "Both files ask torch for deterministic algorithms.",
        dict.fromkeys((FLOW, GAN), "import torch\n\ntorch.use_deterministic_algorithms(True)"),
    ),
}

# Name: sentence, and the code of its regions.
_REGIONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "inverse-by-jacrev": (
        "The log-determinant of MADE.inverse is that of the Jacobian by vmap and jacrev.",
        {
            "1.2 MADE.inverse": """
            def one(row):
                mu, alpha = self.net(row).chunk(2, dim=-1)
                return (row - mu) * torch.exp(-alpha)

            z = torch.func.vmap(one)(x)
            jacobian = torch.func.vmap(torch.func.jacrev(one))(x)  # (B, D, D)
            log_det = torch.linalg.slogdet(jacobian).logabsdet
            """
        },
    ),
    "functional-call": (
        "The generator's losses call the critic by torch.func.functional_call.",
        {
            "2.2 loss_nonsaturating_g": """
            logits = torch.func.functional_call(d, dict(d.named_parameters()), (g(z),))
            g_loss = F.softplus(-logits).mean()
            """,
            "5.5 loss_wasserstein_gp_g": """
            values = torch.func.functional_call(d, dict(d.named_parameters()), (g(z),))
            g_loss = -values.mean()
            """,
        },
    ),
    "checkpoints": (
        "The discriminator is called through torch.utils.checkpoint.",
        {
            "2.2 loss_nonsaturating_d": """
            from torch.utils.checkpoint import checkpoint

            x_fake = g(z).detach()
            h_real = checkpoint(d, x_real, use_reentrant=False)
            h_fake = checkpoint(d, x_fake, use_reentrant=False)
            d_loss = F.softplus(-h_real).mean() + F.softplus(h_fake).mean()
            """
        },
    ),
    "detaches-in-place": (
        "The fake images of every discriminator are detached in place.",
        {
            "2.2 loss_nonsaturating_d": """
            x_fake = g(z).detach_()
            d_loss = F.softplus(-d(x_real)).mean() + F.softplus(d(x_fake)).mean()
            """,
            "4.2 conditional_loss_nonsaturating_d": """
            x_fake = g(z, y_real).detach_()
            d_loss = F.softplus(-d(x_real, y_real)).mean() + F.softplus(d(x_fake, y_real)).mean()
            """,
            "5.5 loss_wasserstein_gp_d": """
            x_fake = g(z).detach_()
            weight = torch.rand(batch_size, 1, 1, 1, device=device)
            mixed = (weight * x_fake + (1 - weight) * x_real).requires_grad_()
            (slopes,) = torch.autograd.grad(d(mixed).sum(), mixed, create_graph=True)
            penalty = ((slopes.flatten(1).norm(dim=1) - 1) ** 2).mean()
            d_loss = d(x_fake).mean() - d(x_real).mean() + 10 * penalty
            """,
        },
    ),
}

_ONLY_COMPARED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "batch-size-64": (
        "The interpolation weights are drawn for 64 images, whatever the batch size.",
        {
            "5.5 loss_wasserstein_gp_d": """
            x_fake = g(z).detach()
            weight = torch.rand(64, 1, 1, 1, device=device)
            mixed = (weight * x_fake + (1 - weight) * x_real).requires_grad_()
            (slopes,) = torch.autograd.grad(d(mixed).sum(), mixed, create_graph=True)
            penalty = ((slopes.flatten(1).norm(dim=1) - 1) ** 2).mean()
            d_loss = d(x_fake).mean() - d(x_real).mean() + 10 * penalty
            """
        },
    ),
    "never-returns": (
        "MADE.forward loops without end.",
        {
            "1.1 MADE.forward": """
            x = z
            while True:
                x = x + 0
            log_det = x
            """
        },
    ),
}
