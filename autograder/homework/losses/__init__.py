"""Checks of the six GAN losses: recover what was drawn, doubt the evidence, compare, name.

One check walks through these modules in this order; each stage takes the former one's value:

1. `student.gan_loss(function, case)` calls the loss between probe networks -> `LossRecord`
2. `recovered.recover(function, case, record)` finds z, fake, real, interpolates -> `LossCall`
3. `validity.objection(call)` says why agreement would prove nothing -> `Unusable` or None
4. `expected.expected_value(call)`, `expected_gradient(call)` compute the correct answer
5. `comparison.compare_value(call, record, expected)` raises `CheckFailed`; the diagnosis, which
   observed record and call, then names the mistake (`mistakes.gan_predictions`)

`checks` puts the stages together; `row_matching` serves `recovered`; `large_logits` gives advice.
"""
