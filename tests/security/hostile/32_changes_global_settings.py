"""Changes default dtype, seeds, threads and gradient mode for all that comes after it."""

# expected: N
# twin: half
import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
torch.set_num_threads(4)
torch.set_default_dtype(torch.float32)
