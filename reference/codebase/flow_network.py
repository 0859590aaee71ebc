"""Problem 1: a masked autoregressive flow (MAF) made of MADE blocks.

`forward` goes from base noise z to data x, `inverse` from data x to base noise z, as in the
handout. You write `MADE.forward` (1.1), `MADE.inverse` (1.2) and `MAF.log_probs` (1.3).
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Normal
from torch.nn import functional as F

# BEGIN REFERENCE ONLY
# torch's own annotations do not know that the blocks have an inverse, nor type log_prob.
# mypy: disable-error-code="operator, no-untyped-call"
# END REFERENCE ONLY


class MaskedLinear(nn.Linear):
    """A linear layer some of whose weights are switched off by a fixed mask of zeros and ones."""

    mask: Tensor

    def __init__(self, input_size: int, output_size: int, mask: Tensor) -> None:
        """
        Args:
            input_size: number of input features.
            output_size: number of output features.
            mask: (output_size, input_size); 1 keeps a weight, 0 removes it.
        """
        super().__init__(input_size, output_size)
        self.register_buffer("mask", mask)

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, input_size) to (B, output_size) with the masked weights."""
        return F.linear(input, self.mask * self.weight, self.bias)


class PermuteLayer(nn.Module):
    """Reverses the order of the columns, so that the next block conditions the other way round."""

    def __init__(self, num_inputs: int) -> None:
        """
        Args:
            num_inputs: D, the number of columns.
        """
        super().__init__()
        self.num_inputs = num_inputs

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (B, D) inputs with columns reversed, and a log-determinant of zeros (B, 1)."""
        return inputs.flip(1), inputs.new_zeros(inputs.shape[0], 1)

    def inverse(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Undo `forward`: reversing twice changes nothing. Shapes as in `forward`."""
        return self.forward(inputs)


class MADE(nn.Module):
    """One autoregressive block: x_i is Gaussian given x_1 .. x_{i-1}.

    `self.net` maps x (B, D) to a tensor (B, 2 * D): the first D columns are the means mu, the last
    D columns the log standard deviations alpha. Its masks see to it that mu_i and alpha_i depend
    on x_1 .. x_{i-1} only.
    """

    def __init__(self, input_size: int, hidden_size: int, n_hidden: int) -> None:
        """
        Args:
            input_size: D, the number of variables; at least 2.
            hidden_size: width of the hidden layers.
            n_hidden: number of hidden layers after the input layer.
        """
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.n_hidden = n_hidden

        masks = self.create_masks()
        layers: list[nn.Module] = [MaskedLinear(input_size, hidden_size, masks[0]), nn.ReLU()]
        for mask in masks[1:-1]:
            layers += [MaskedLinear(hidden_size, hidden_size, mask), nn.ReLU()]
        # The same mask twice: once for mu, once for alpha.
        layers.append(MaskedLinear(hidden_size, 2 * input_size, masks[-1].repeat(2, 1)))
        self.net = nn.Sequential(*layers)

    def create_masks(self) -> list[Tensor]:
        """Return the masks of the sequential ordering, from the input layer to the output layer.

        Every unit has a degree, and a weight is kept where the degree of the later unit is at
        least that of the earlier one.
        """
        degrees = [torch.arange(self.input_size)]  # 0 .. D-1
        for _ in range(self.n_hidden + 1):
            degrees.append(torch.arange(self.hidden_size) % (self.input_size - 1))  # 0 .. D-2
        degrees.append(torch.arange(self.input_size) - 1)  # -1 .. D-2
        return [
            (later.unsqueeze(1) >= earlier.unsqueeze(0)).float()
            for earlier, later in pairwise(degrees)
        ]

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map base noise to data: x_i = mu_i + z_i * exp(alpha_i).

        mu_i and alpha_i depend on x_1 .. x_{i-1}, so the columns of x come one after the other.

        Args:
            z: base noise, (B, D).

        Returns:
            x: data, (B, D).
            log_det: the log-determinant, (B,). The handout leaves its sign open here: both
                sum(alpha) and -sum(alpha) are accepted. Nothing given uses it.
        """
        # BEGIN SOLUTION 1.1 MADE.forward
        x = torch.zeros_like(z)
        for i in range(self.input_size):
            mu, alpha = self.net(x).chunk(2, dim=1)  # each (B, D)
            x_i = mu[:, i] + z[:, i] * torch.exp(alpha[:, i])  # (B,)
            # A new tensor instead of an assignment into x: autograd may need the old one.
            x = torch.cat([x[:, :i], x_i.unsqueeze(1), x[:, i + 1 :]], dim=1)
        # In the last pass every alpha_i had seen the finished x_1 .. x_{i-1}.
        log_det = alpha.sum(dim=1)  # (B,)
        # END SOLUTION
        return x, log_det

    def inverse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map data to base noise: z_i = (x_i - mu_i) / exp(alpha_i).

        Args:
            x: data, (B, D).

        Returns:
            z: base noise, (B, D).
            log_det: log |det dz/dx| = -sum(alpha), (B,).
        """
        # BEGIN SOLUTION 1.2 MADE.inverse
        mu, alpha = self.net(x).chunk(2, dim=1)  # each (B, D)
        z = (x - mu) * torch.exp(-alpha)
        log_det = -alpha.sum(dim=1)  # (B,)
        # END SOLUTION
        return z, log_det


class MAF(nn.Module):
    """A flow of `n_flows` MADE blocks, each followed by a reversal of the columns."""

    def __init__(self, input_size: int, hidden_size: int, n_hidden: int, n_flows: int) -> None:
        """
        Args:
            input_size: D, the number of variables; at least 2.
            hidden_size: width of the hidden layers of each block.
            n_hidden: number of hidden layers of each block after its input layer.
            n_flows: number of MADE blocks.
        """
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.n_hidden = n_hidden
        self.n_flows = n_flows
        self.base_dist = Normal(0.0, 1.0)

        blocks: list[nn.Module] = []
        for _ in range(n_flows):
            blocks += [MADE(input_size, hidden_size, n_hidden), PermuteLayer(input_size)]
        self.nf = nn.Sequential(*blocks)

    def log_probs(self, x: Tensor) -> Tensor:
        """Return the mean over the batch of log p(x), by the change of variables.

        Walk `self.nf` from first to last, calling each block's `inverse`; the base distribution
        of each of the D variables is `self.base_dist`.

        Args:
            x: data, (B, D).

        Returns:
            log_prob: 0-d tensor, in nats, that gradients flow through.
        """
        # BEGIN SOLUTION 1.3 MAF.log_probs
        z = x
        log_det = x.new_zeros(x.shape[0])  # (B,)
        for block in self.nf:
            z, block_log_det = block.inverse(z)
            # A PermuteLayer returns (B, 1); without the reshape the sum would become (B, B).
            log_det = log_det + block_log_det.reshape(-1)
        log_prob: Tensor = (self.base_dist.log_prob(z).sum(dim=1) + log_det).mean()
        # END SOLUTION
        return log_prob

    def loss(self, x: Tensor) -> Tensor:
        """Return the negative log-likelihood of a batch (B, D), in nats per example."""
        return -self.log_probs(x)

    def sample(self, device: torch.device | str, n: int) -> Any:
        """Draw n samples, returned as a float32 numpy array of shape (n, D)."""
        with torch.no_grad():
            x = torch.randn(n, self.input_size, device=device)
            for block in reversed(list(self.nf)):
                x, _ = block.forward(x)
        return x.cpu().numpy()
