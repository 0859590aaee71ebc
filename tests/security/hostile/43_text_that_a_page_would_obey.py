"""Raises a text with HTML, ANSI, NUL, lone surrogates and bidi marks."""

# expected: Z
# twin: right
# says: x1b.31mred .x00 .ud800 .u202eright
# only: 2.2.6 2.2.3
def loss_nonsaturating_d(g, d, x_real, *, device):
    raise ValueError("<script>x</script> \x1b[31mred \x00 \ud800 \u202eright-to-left \u2028 %s {0}")
