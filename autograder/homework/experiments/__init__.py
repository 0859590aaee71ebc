"""Experiments run in the worker, with the student's code; they record and never judge."""

from autograder.engine.sandbox.experiment import Experiment
from autograder.homework.experiments import devices, flow, gan, training

EXPERIMENTS: dict[str, Experiment] = {
    "made_forward": flow.made_forward,
    "made_inverse": flow.made_inverse,
    "maf_log_probs": flow.maf_log_probs,
    "maf_log_probs_at_points": flow.maf_log_probs_at_points,
    "gan_losses": gan.gan_losses,
    "on_simulated_gpu": devices.on_simulated_gpu,
    "train_flow": training.train_flow,
    "train_gan": training.train_gan,
}
