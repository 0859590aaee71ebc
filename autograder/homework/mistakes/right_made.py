"""Correct solutions of MADE.forward and MADE.inverse that differ from the reference."""

from autograder.engine.catalogue.solutions import Right
from autograder.homework.mistakes.flow_code import FORWARD, INVERSE, MADE_FORWARD, MADE_INVERSE, but

_STEP = "(x - mu) * torch.exp(-alpha)"
_INVERSE_LOG_DET = "-alpha.sum(dim=1)"


def _forward(id: str, sentence: str, code: str) -> Right:
    return Right(id, FORWARD, sentence, code)


def _inverse(id: str, sentence: str, code: str) -> Right:
    return Right(id, INVERSE, sentence, code)


RIGHT: tuple[Right, ...] = (
    # ---- MADE.forward --------------------------------------------------------------------------
    _forward(
        "right-forward-in-place",
        "Assigns one column after the other into x; backward() through forward() would fail.",
        MADE_FORWARD,
    ),
    _forward(
        "right-forward-clones-x",
        "Gives the network a copy of x before it assigns into x.",
        but(MADE_FORWARD, ("self.net(x)", "self.net(x.clone())")),
    ),
    _forward(
        "right-forward-whole-vector-passes",
        "Computes all columns in each of D passes, until they no longer change.",
        """
        x = torch.zeros_like(z)
        for _ in range(z.size(1)):
            mu, alpha = torch.split(self.net(x), self.input_size, dim=-1)
            x = z * alpha.exp() + mu
        log_det = -alpha.sum(-1)
        """,
    ),
    _forward(
        "right-forward-starts-from-noise",
        "Starts with z instead of zeros; the masks hide what is not yet computed.",
        but(MADE_FORWARD, ("torch.zeros_like(z)", "z.clone()")),
    ),
    _forward(
        "right-forward-list-of-columns",
        "Collects the columns in a list, filled up with zeros.",
        """
        columns = []
        for i in range(self.input_size):
            missing = torch.zeros(z.shape[0], self.input_size - i, device=z.device)
            x = torch.cat([*(c.unsqueeze(1) for c in columns), missing], dim=1)
            out = self.net(x)
            mu, alpha = out[:, i], out[:, self.input_size + i]
            columns.append(mu + z[:, i] * alpha.exp())
        x = torch.stack(columns, dim=1)
        log_det = self.net(x)[:, self.input_size :].sum(dim=1)
        """,
    ),
    _forward(
        "right-forward-log-det-step-by-step",
        "Adds up the log-determinant column by column, with the opposite sign.",
        """
        x = torch.zeros_like(z)
        log_det = torch.zeros(len(z), device=z.device)
        i = 0
        while i < self.input_size:
            mu, alpha = self.net(x).tensor_split(2, dim=1)
            x = x.clone()
            x[:, i] = torch.addcmul(mu[:, i], z[:, i], torch.exp(alpha[:, i]))
            log_det -= alpha[:, i]
            i += 1
        """,
    ),
    _forward(
        "right-forward-log-det-from-extra-pass",
        "Runs the network once more on the finished x to get alpha.",
        but(
            MADE_FORWARD,
            (
                "log_det = alpha.sum(dim=1)",
                "_, alpha = self.net(x).chunk(2, 1)\nlog_det = -alpha.sum(1)",
            ),
        ),
    ),
    _forward(
        "right-forward-where",
        "Chooses the new column by torch.where.",
        """
        x = torch.zeros_like(z)
        for i in range(self.input_size):
            mu, alpha = self.net(x).view(-1, 2, self.input_size).unbind(dim=1)
            turn = torch.arange(self.input_size, device=z.device) == i
            x = torch.where(turn, mu + z * torch.exp(alpha), x)
        log_det = torch.log(torch.exp(alpha).prod(dim=1))
        """,
    ),
    _forward(
        "right-forward-without-gradient",
        "Records nothing for autograd: forward() is used only to draw samples.",
        """
        with torch.no_grad():
            x = torch.zeros_like(z)
            for i in range(self.input_size):
                mu, alpha = self.net(x).chunk(2, dim=1)
                x[:, i] = mu[:, i] + z[:, i] * torch.exp(alpha[:, i])
            log_det = alpha.sum(dim=1)
        """,
    ),
    _forward(
        "right-forward-one-example-at-a-time",
        "Loops over the examples too.",
        """
        xs, log_dets = [], []
        for row in z:
            x = torch.zeros(1, self.input_size, device=z.device)
            for i in range(self.input_size):
                out = self.net(x)[0]
                x = x.clone()
                x[0, i] = out[i] + row[i] * out[self.input_size + i].exp()
            xs.append(x[0])
            log_dets.append(self.net(x)[0, self.input_size :].sum())
        x, log_det = torch.stack(xs), torch.stack(log_dets)
        """,
    ),
    _forward(
        "right-forward-in-float64",
        "Computes in double precision outside the network.",
        """
        x = torch.zeros_like(z, dtype=torch.float64)
        for i in range(self.input_size):
            mu, alpha = self.net(x.float()).double().chunk(2, dim=1)
            x[:, i] = mu[:, i] + z[:, i].double() * torch.exp(alpha[:, i])
        x, log_det = x.float(), alpha.sum(dim=1).float()
        """,
    ),
    # ---- MADE.inverse --------------------------------------------------------------------------
    _inverse(
        "right-inverse-two-threads",
        "Asks torch for two threads; a worker always has one.",
        "torch.set_num_threads(2)" + MADE_INVERSE,
    ),
    _inverse(
        "right-inverse-divides",
        "Divides, and takes the halves by slices.",
        """
        out = self.net(x)
        mu, alpha = out[:, : self.input_size], out[:, self.input_size :]
        z = (x - mu) / torch.exp(alpha)
        log_det = -torch.sum(alpha, dim=1)
        """,
    ),
    _inverse(
        "right-inverse-column-by-column",
        "Computes one column after the other, as forward() must, and runs the network each time.",
        """
        z = torch.zeros_like(x)
        log_det = torch.zeros(x.shape[0], device=x.device)
        for i in range(self.input_size):
            mu, alpha = self.net(x).chunk(2, dim=1)
            z[:, i] = (x[:, i] - mu[:, i]) / torch.exp(alpha[:, i])
            log_det = log_det - alpha[:, i]
        """,
    ),
    _inverse(
        "right-inverse-unbind",
        "Reshapes the output and unbinds it; sums by einsum.",
        """
        mu, alpha = self.net(x).reshape(len(x), 2, -1).unbind(1)
        z = x.sub(mu).mul(alpha.neg().exp())
        log_det = -torch.einsum("bd->b", alpha)
        """,
    ),
    _inverse(
        "right-inverse-list-of-columns",
        "Stacks a list of columns.",
        """
        mu, alpha = torch.split(self.net(x), self.input_size, dim=1)
        z = torch.stack(
            [(x[:, i] - mu[:, i]) / alpha[:, i].exp() for i in range(x.shape[1])], dim=1
        )
        log_det = torch.stack([-a for a in alpha.unbind(1)]).sum(0)
        """,
    ),
    _inverse(
        "right-inverse-log-of-product",
        "Takes the logarithm of the product of the scales.",
        but(MADE_INVERSE, (_INVERSE_LOG_DET, "torch.log(torch.exp(-alpha).prod(dim=1).abs())")),
    ),
    _inverse(
        "right-inverse-in-place-on-a-copy",
        "Works in place, on a copy of x.",
        but(MADE_INVERSE, (_STEP, "x.clone(); z -= mu; z /= torch.exp(alpha)")),
    ),
    _inverse(
        "right-inverse-in-float64",
        "Computes in double precision outside the network and casts back.",
        """
        mu, alpha = self.net(x).double().chunk(2, dim=1)
        z = ((x.double() - mu) * torch.exp(-alpha)).float()
        log_det = -alpha.sum(dim=1).float()
        """,
    ),
    _inverse(
        "right-inverse-guarded-division",
        "Adds a tiny number to the divisor.",
        but(MADE_INVERSE, (_STEP, "(x - mu) / (torch.exp(alpha) + 1e-8)")),
    ),
    _inverse(
        "right-inverse-of-a-normal",
        "Standardises with the mean and standard deviation of a Normal.",
        """
        mu, alpha = self.net(x).chunk(2, dim=1)
        conditional = Normal(mu, alpha.exp())
        z = (x - conditional.loc) / conditional.scale
        log_det = -conditional.scale.log().sum(dim=1)
        """,
    ),
    _inverse(
        "right-inverse-returns-a-list",
        "Returns a list instead of a tuple.",
        but(MADE_INVERSE, ("log_det = -alpha.sum(dim=1)", "return [z, alpha.sum(dim=1).neg()]")),
    ),
)
