# SPDX-License-Identifier: Apache-2.0
"""
Weight quantizers for training, one power of two a layer: both families of Bae et al. 2022, each improvement
a switch. Forward: w' = 2^e clip(rint(w / 2^e), -max, max). Backward: straight through inside the codes, zero
where clipped.
"""

import dataclasses
import math

import torch
from torch import nn

import solvers


@dataclasses.dataclass(frozen=True)
class Method:
    """One row of the comparison."""

    # Learned real exponent (Jain et al. 2020, TQT), else the exponent of least squared error at each step.
    learned: bool
    # Squared errors count by the root of the gradients' second moments.
    weighted: bool = False
    # Outliers count nothing: beyond two deviations for least squares, beyond the last code for a gradient.
    masked: bool = False
    # The exponent is averaged over the steps and frozen in the second half of training.
    stable: bool = False
    # A learned exponent is rounded to the neighbour of lower squared error, else up.
    rounds_by_error: bool = False


METHODS = {
    "msqe": Method(learned=False),
    "msqe_weighted": Method(learned=False, weighted=True),
    "msqe_masked": Method(learned=False, masked=True),
    "msqe_stable": Method(learned=False, stable=True),
    "msqe_improved": Method(learned=False, weighted=True, masked=True, stable=True),
    "gradient": Method(learned=True),
    "gradient_rounded": Method(learned=True, rounds_by_error=True),
    "gradient_weighted": Method(learned=True, rounds_by_error=True, weighted=True),
    "gradient_masked": Method(learned=True, masked=True),
    "gradient_improved": Method(learned=True, weighted=True, masked=True, rounds_by_error=True),
}

# Of the moving averages of squared gradients and of exponents.
MOMENT_DECAY = 0.999
EXPONENT_DECAY = 0.99
OUTLIER_DEVIATIONS = 2.0
# A learned exponent starts where three deviations of the weights reach the last code.
START_DEVIATIONS = 3.0


class _PowerOfTwo(torch.autograd.Function):
    """w' and its gradients by w and by the real exponent."""

    @staticmethod
    def forward(ctx, w, real, exponent, max_code, limit):
        scale = 2.0**exponent
        rounded = torch.round(w / scale)
        code = rounded.clamp(-max_code, max_code)
        inside = rounded == code
        response = torch.where(inside, code - w / scale, code) * (math.log(2) * scale)
        if limit is not None:
            response = response * (w.abs() <= limit)
        ctx.save_for_backward(inside, response)
        return code * scale

    @staticmethod
    def backward(ctx, gradient):
        inside, response = ctx.saved_tensors
        by_exponent = (gradient * response).sum().reshape(1) if ctx.needs_input_grad[1] else None
        return gradient * inside, by_exponent, None, None, None


class WeightQuantizer(nn.Module):
    """
    Quantizes the weights of one layer at each step of training. `exponent` is the one in use; `trace` holds
    the steps at which it changed.
    """

    def __init__(self, w: torch.Tensor, bits: int, method: Method) -> None:
        super().__init__()
        self.method = method
        self.max_code = 2 ** (bits - 1) - 1
        deviation = float(w.std(unbiased=False))
        start = math.log2(max(START_DEVIATIONS * deviation / self.max_code, 1e-5))
        self.real = nn.Parameter(torch.tensor([start]), requires_grad=method.learned)
        # Starts at 1, as the authors' does.
        self.register_buffer("moment", torch.ones_like(w))
        self.exponent = solvers.first_exponent(w, self.max_code)
        self.average: "float | None" = None
        self.frozen = False
        self.steps = 0
        self.trace: "list[tuple[int, int]]" = []
        self.clipped_share = 0.0

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """In evaluation the exponent stays."""
        if self.training:
            self._choose(w.detach())
        real = float(self.real.detach())
        limit = 2.0**real * (self.max_code + 0.5) if self.method.masked else None
        y = _PowerOfTwo.apply(w, self.real, self.exponent, self.max_code, limit)
        if y.requires_grad and self.method.weighted:
            y.register_hook(self._watch(w.detach()))
        return y

    def codes(self, w: torch.Tensor) -> torch.Tensor:
        return solvers.codes(w.detach(), self.exponent, self.max_code)

    def state(self) -> "dict[str, object]":
        """What the module's own tensors do not hold."""
        names = ("exponent", "average", "frozen", "steps", "trace", "clipped_share")
        return {name: getattr(self, name) for name in names}

    def restore(self, state: "dict[str, object]") -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def _watch(self, w: torch.Tensor):
        """Follows squared gradients of weights that were not clipped."""
        inside = torch.round(w * 2.0**-self.exponent).abs() <= self.max_code

        def update(gradient: torch.Tensor) -> None:
            self.moment.mul_(MOMENT_DECAY).add_((1 - MOMENT_DECAY) * inside * gradient**2)

        return update

    @torch.no_grad()
    def _choose(self, w: torch.Tensor) -> None:
        exponent = self.exponent
        if not (self.frozen and self.method.stable):
            exponent = self._newest(w)
        if exponent != self.exponent or not self.trace:
            self.trace.append((self.steps, exponent))
        self.exponent = exponent
        self.steps += 1
        self.clipped_share = float(
            (torch.round(w * 2.0**-exponent).abs() > self.max_code).float().mean()
        )

    def _newest(self, w: torch.Tensor) -> int:
        omega = self._importance(w)
        method = self.method
        if not method.learned:
            exponent = solvers.least_squares(w, omega, self.exponent, self.max_code)
        elif method.rounds_by_error:
            exponent = solvers.neighbour_of_lower_error(w, omega, float(self.real), self.max_code)
        else:
            exponent = math.ceil(float(self.real))
        if not method.stable:
            return exponent
        before = exponent if self.average is None else self.average
        self.average = EXPONENT_DECAY * before + (1 - EXPONENT_DECAY) * exponent
        return round(self.average)

    def _importance(self, w: torch.Tensor) -> torch.Tensor:
        omega = self.moment.sqrt() if self.method.weighted else torch.ones_like(w)
        if not self.method.masked:
            return omega
        if self.method.learned:
            limit = 2.0 ** float(self.real) * (self.max_code + 0.5)
        else:
            limit = OUTLIER_DEVIATIONS * float(w.std(unbiased=False))
        return omega * (w.abs() <= limit)
