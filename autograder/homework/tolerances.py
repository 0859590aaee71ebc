"""How far a right solution in float32 may lie from the oracle in float64.

Cases are drawn where float32 is well conditioned, so right solutions stay within about 1e-5; the
nearest known mistakes are off by 1e-2 and more. The tolerances lie between, nearer to the mistakes.
"""

from autograder.engine.judge.compare import Tolerance

FLOW = Tolerance(rtol=1e-3, atol=2e-4)
LOG_DET = Tolerance(rtol=1e-3, atol=5e-4)
LOSS = Tolerance(rtol=1e-3, atol=2e-4)
# Gradients are compared parameter by parameter: ||got - expected|| <= this * ||expected|| + 1e-6.
GRADIENT_RELATIVE = 2e-3
# Where the discriminator is sure and wrong, the probability in the logarithm is about 7e-5; its
# relative error is that of the loss's gradient, and the absolute error of the loss. An epsilon of
# 1e-6 makes 0.016, rounding 1 - p to float32 less than 0.001. A clamp at 1e-4 makes 0.3 in the
# loss and leaves no gradient; a constant of 1e-4 makes 0.9, and 0.6 in the gradient.
SURE = Tolerance(rtol=0.0, atol=0.07)
SURE_GRADIENT_RELATIVE = 0.07
# The trapezoidal rule on a grid of points leaves less than 1e-3.
INTEGRAL = Tolerance(rtol=0.0, atol=1e-2)
