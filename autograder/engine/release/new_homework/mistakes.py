"""The known mistakes. `audit` grades each as a submission; feedback names it. Secret.

`code` replaces the region of that title in reference/. `answers` predicts, by the name that a check
gives to `diagnosis.observe`, what the mistake answers. If a student's answers are the same in every
case, he reads the hint. It says what is wrong and shows no code.
"""

from __future__ import annotations

from autograder import Wrong
from autograder.engine.release.new_homework.oracles import softmax

WRONG = (
    Wrong(
        id="softmax-over-batch",
        region="1.1 softmax",
        sentence="Normalises over the batch, not over the classes.",
        code="return torch.exp(x) / torch.exp(x).sum(dim=0, keepdim=True)",
        hint="softmax() sums over the batch (dim 0); each row must sum to 1.",
        answers={"softmax": lambda x: softmax(x.T).T},
    ),
)
