# SPDX-License-Identifier: Apache-2.0
"""
Exponents of weights by squared error: Bae, Zielinski and Chatterjee 2022 (arXiv 2210.03671), formulas of
the authors' qkeras `quantizers_po2.py`.

Symbols: w the weights of a layer, q = clip(rint(w / 2^e), -max, max), e an integer, omega >= 0 what the
error of a weight counts; to be minimized: E(e) = sum of omega (w - 2^e q)^2.
"""

import math

import torch

# Keeps quotients and logarithms finite.
TINY = 1e-7
# Neighbours that the line search tries.
SEARCHED = (-3, -2, -1, 1, 2, 3)
LEAST_SQUARES_STEPS = 3


def codes(w: torch.Tensor, exponent: int, max_code: int) -> torch.Tensor:
    """Integers as floats; ties to even."""
    return torch.round(w * 2.0**-exponent).clamp(-max_code, max_code)


def squared_error(w: torch.Tensor, omega: torch.Tensor, exponent: int, max_code: int) -> float:
    rest = w - codes(w, exponent, max_code) * 2.0**exponent
    return float((omega * rest * rest).sum())


def first_exponent(w: torch.Tensor, max_code: int) -> int:
    """rint(log2(max |w| / max code))."""
    return round(math.log2(max(float(w.abs().max()), TINY) / max_code))


def _fitted(w: torch.Tensor, omega: torch.Tensor, exponent: int, max_code: int) -> int:
    """The power of two nearest to the scale that fits the codes of `exponent` best."""
    q = codes(w, exponent, max_code)
    scale = float((omega * q * w).mean()) / (float((omega * q * q).mean()) + TINY)
    return round(math.log2(max(scale, 0.0) + TINY))


def least_squares(w: torch.Tensor, omega: torch.Tensor, start: int, max_code: int) -> int:
    """
    Three fits and a line search, each kept where strictly better. The fits go on from the newest codes, not
    from the best, as the authors' do.
    """
    best, exponent = start, start
    lowest = squared_error(w, omega, start, max_code)
    for _ in range(LEAST_SQUARES_STEPS):
        exponent = _fitted(w, omega, exponent, max_code)
        error = squared_error(w, omega, exponent, max_code)
        if error < lowest:
            best, lowest = exponent, error
    found = best
    for step in SEARCHED:
        error = squared_error(w, omega, found + step, max_code)
        if error < lowest:
            best, lowest = found + step, error
    return best


def neighbour_of_lower_error(
    w: torch.Tensor, omega: torch.Tensor, real: float, max_code: int
) -> int:
    """floor or ceil of a real exponent; of equal ones the upper."""
    lower, upper = math.floor(real), math.ceil(real)
    below = squared_error(w, omega, lower, max_code)
    return lower if below < squared_error(w, omega, upper, max_code) else upper
