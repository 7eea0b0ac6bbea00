# SPDX-License-Identifier: Apache-2.0
"""
A net whose forward pass does what integers do under lastbit's target `pow2`: weights and activations on
powers of two, zero points 0, biases on the accumulator's grid, one half-up rounding a layer. Sums of such
products stay below 2^24 units, so float32 holds them exactly and PyTorch's top-1 is the integers' top-1.
"""

import math

import torch
from torch import nn

from nets import Classifier, ConvNorm, InvertedBlock
from quantizers import Method, WeightQuantizer

# Signed 8 bits.
MAX_ACTIVATION = 127
RELU6 = 6.0


class _RoundHalfUp(torch.autograd.Function):
    """floor(x + 1/2), straight through."""

    @staticmethod
    def forward(ctx, x):
        return torch.floor(x + 0.5)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def round_half_up(x: torch.Tensor) -> torch.Tensor:
    return _RoundHalfUp.apply(x)


class Activation(nn.Module):
    """Values on the grid of one power of two, s8, clamped to what the activation in front allows."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high
        self.exponent: "int | None" = None
        # Values seen while the exponent is not chosen.
        self.seen: "list[torch.Tensor]" = []

    def bounds(self, exponent: int) -> "tuple[float, float]":
        """In codes."""
        unit = 2.0**exponent
        low = max(-MAX_ACTIVATION - 1, self.low / unit if math.isfinite(self.low) else -math.inf)
        high = min(MAX_ACTIVATION, self.high / unit if math.isfinite(self.high) else math.inf)
        return math.floor(low + 0.5), math.floor(high + 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.exponent is None:
            x = x.clamp(self.low, self.high)
            self.seen.append(x.detach())
            return x
        unit = 2.0**self.exponent
        low, high = self.bounds(self.exponent)
        return round_half_up(x / unit).clamp(low, high) * unit

    @torch.no_grad()
    def choose_exponent(self) -> None:
        """The exponent of least squared error over the values seen."""
        values = torch.cat([x.flatten() for x in self.seen])
        self.seen = []
        top = math.ceil(math.log2(max(float(values.abs().max()), 1e-6) / MAX_ACTIVATION))
        errors = {}
        for exponent in (top, top - 1, top - 2, top - 3):
            low, high = self.bounds(exponent)
            unit = 2.0**exponent
            rounded = torch.floor(values / unit + 0.5).clamp(low, high) * unit
            errors[exponent] = float(((rounded - values) ** 2).mean())
        self.exponent = min(errors, key=errors.get)


class QuantizedLayer(nn.Module):
    """A convolution or matrix with its bias, on integers in all but type, then its activation."""

    def __init__(self, w, bias, options, active: bool, bits: int, method: Method) -> None:
        super().__init__()
        self.weight = nn.Parameter(w.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())
        # Stride, padding and groups; none for a matrix.
        self.options = options
        self.quantizer = WeightQuantizer(self.weight.detach(), bits, method)
        self.output = Activation(0.0, RELU6) if active else Activation(-math.inf, math.inf)
        self.input_exponent: "int | None" = None
        # The float net's way, for the choice of the activations' exponents.
        self.is_float = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w, bias = self.weight, self.bias
        if not self.is_float:
            w = self.quantizer(w)
            unit = 2.0 ** (self.quantizer.exponent + self.input_exponent)
            bias = round_half_up(bias / unit) * unit
        if self.options is None:
            return self.output(nn.functional.linear(x, w, bias))
        return self.output(nn.functional.conv2d(x, w, bias, **self.options))

    def bias_codes(self) -> torch.Tensor:
        unit = 2.0 ** (self.quantizer.exponent + self.input_exponent)
        return torch.floor(self.bias.detach() / unit + 0.5)


def _fold(module: ConvNorm, bits: int, method: Method) -> QuantizedLayer:
    """The batch norm goes into weights and bias, with its running statistics."""
    conv, norm = module.conv, module.norm
    alpha = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    bias = norm.bias - alpha * norm.running_mean
    options = {"stride": conv.stride, "padding": conv.padding, "groups": conv.groups}
    active = module.activation is not None
    return QuantizedLayer(conv.weight * alpha.reshape(-1, 1, 1, 1), bias, options, active, bits, method)


class QuantizedInverted(nn.Module):
    """MobileNetV2's block; a sum has its own rounding."""

    def __init__(self, layers: nn.Sequential, residual: bool) -> None:
        super().__init__()
        self.layers = layers
        self.sum = Activation(-math.inf, math.inf) if residual else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return y if self.sum is None else self.sum(x + y)


class QuantizedClassifier(nn.Module):
    """The pool's mean is rounded to the grid of its input, as `pow2` does."""

    def __init__(self, classifier: Classifier, bits: int, method: Method) -> None:
        super().__init__()
        self.pool = Activation(-math.inf, math.inf)
        linear = classifier.linear
        self.linear = QuantizedLayer(linear.weight, linear.bias, None, False, bits, method)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.pool(x.mean((2, 3))))


class QuantizedNet(nn.Module):
    """The input on its own grid, then the layers of `net` with folded batch norms."""

    def __init__(self, net: nn.Sequential, bits: int, method: Method) -> None:
        super().__init__()
        self.input = Activation(-math.inf, math.inf)
        self.blocks = nn.Sequential()
        for name, block in net.named_children():
            self.blocks.add_module(name, _convert(block, bits, method))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.input(x))

    def layers(self) -> "dict[str, QuantizedLayer]":
        return {
            name.removeprefix("blocks."): module
            for name, module in self.named_modules()
            if isinstance(module, QuantizedLayer)
        }

    @torch.no_grad()
    def choose_activations(self, x: torch.Tensor) -> None:
        """Exponents of all activations from the float net's values on `x`."""
        self.eval()
        self(x)
        for module in self.modules():
            if isinstance(module, Activation):
                module.choose_exponent()
        self._connect()

    def _connect(self) -> None:
        """Gives each layer the exponent of its input, and a pool's output the one of its input."""
        exponent = self.input.exponent
        for block in self.blocks:
            if isinstance(block, QuantizedInverted):
                exponent = _chain(block.layers, exponent)
                exponent = exponent if block.sum is None else block.sum.exponent
            elif isinstance(block, QuantizedClassifier):
                block.pool.exponent = exponent
                exponent = _chain([block.linear], exponent)
            else:
                exponent = _chain(block, exponent)


def _chain(layers, exponent: int) -> int:
    for layer in layers:
        layer.input_exponent = exponent
        layer.is_float = False
        exponent = layer.output.exponent
    return exponent


def _convert(block: nn.Module, bits: int, method: Method) -> nn.Module:
    if isinstance(block, Classifier):
        return QuantizedClassifier(block, bits, method)
    layers = nn.Sequential()
    if isinstance(block, ConvNorm):
        layers.add_module("conv", _fold(block, bits, method))
        return layers
    for name, part in block.named_children():
        layers.add_module(name, _fold(part, bits, method))
    if isinstance(block, InvertedBlock):
        return QuantizedInverted(layers, block.residual)
    return layers
