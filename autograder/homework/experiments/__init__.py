"""Experiments run in the worker, with the student's code; they record and never judge."""

from autograder.engine.sandbox.experiment import Experiment
from autograder.homework.experiments import devices, flow, gan, training

# A zygote does this once, so that no worker has to. Torch's operations on the meta device import
# torch._dynamo (2 s of processor time), and so do the first use of torch.func, of
# torch.utils.checkpoint, of torch.use_deterministic_algorithms and of grad_outputs.
WARM_UPS = (devices.warm_up,)

EXPERIMENTS: dict[str, Experiment] = {
    "made_forward": flow.made_forward,
    "made_inverse": flow.made_inverse,
    "maf_log_probs": flow.maf_log_probs,
    "maf_log_probs_at_points": flow.maf_log_probs_at_points,
    "gan_losses": gan.gan_losses,
    "on_meta_device": devices.on_meta_device,
    "train_flow": training.train_flow,
    "train_gan": training.train_gan,
}
