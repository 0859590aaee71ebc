"""Says that g was called with so many rows that the number cannot even be printed."""

# expected: ZZ
# twin: right
# only: 2.2.1 2.2.2


def loss_nonsaturating_d(g, d, x_real, *, device):
    def report(recorder, key, *, images=True):
        recorder.note(f"{key}_calls", [10**4300 - 1, 10**4300 - 1])

    g.report = d.report = report
    return 0 * d.b2.sum()
