"""Tolerances between a solution in float32 and the oracle in float64.

Cases are well conditioned for float32, so correct solutions stay within about 1e-5; the nearest
known mistakes are off by 1e-2 and more. The tolerances lie between, nearer to the mistakes.
"""

from autograder.engine.judge.compare import Tolerance

FLOW = Tolerance(rtol=1e-3, atol=2e-4)
LOG_DET = Tolerance(rtol=1e-3, atol=5e-4)
LOSS = Tolerance(rtol=1e-3, atol=2e-4)
# Where the discriminator is sure and wrong, the probability in the logarithm is about 7e-5. Its
# relative error is the relative error of the gradient and the absolute error of the loss: 0.016 for
# an epsilon of 1e-6, less than 0.001 for rounding 1 - p to float32. A clamp at 1e-4 changes the
# loss by 0.3 and removes the gradient; a constant of 1e-4 changes them by 0.9 and 0.6.
SURE = Tolerance(rtol=0.0, atol=0.07)
SURE_GRADIENT_RELATIVE = 0.07
# The error of the trapezoidal rule on a grid of points is less than 1e-3.
INTEGRAL = Tolerance(rtol=0.0, atol=1e-2)
