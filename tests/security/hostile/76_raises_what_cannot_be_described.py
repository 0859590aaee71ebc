"""Raises an exception whose class, name and text are traps."""

# expected: Z
# twin: right
# says: raised|exited
class Meta(type):
    @property
    def __name__(cls):
        raise SystemExit(0)

    def __instancecheck__(cls, instance):
        return True


class Trap(Exception, metaclass=Meta):
    def __str__(self):
        raise KeyboardInterrupt


def loss_nonsaturating_d(g, d, x_real, *, device):
    raise Trap
