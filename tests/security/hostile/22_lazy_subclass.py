"""Returns a tensor subclass that computes, slowly, whenever it is looked at."""

# expected: Z
# twin: right
# says: did not return within|waited for
import time

import torch


class Lazy(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        time.sleep(3600)
        return super().__torch_function__(function, types, args, kwargs or {})


def loss_nonsaturating_d(g, d, x_real, *, device):
    return torch.zeros(()).as_subclass(Lazy)
