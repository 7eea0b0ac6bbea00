# SPDX-License-Identifier: Apache-2.0
"""
What plain 8-bit quantization does to a trained net, simulated in float: batch norms folded, weights
and activations rounded to 256 levels between their minimum and maximum (zero included), biases and
logits left alone. An estimate made at training time, independent of lastbit's own integers.
"""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fashion import CLASSES
from nets import ConvNorm, InvertedResidual


def fake_quantize(x: torch.Tensor, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Asymmetric 8 bits between `low` and `high`, which broadcast against x."""
    low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    scale = ((high - low) / 255).clamp(min=1e-12)
    zero_point = torch.round(-low / scale)
    return (torch.clamp(torch.round(x / scale) + zero_point, 0, 255) - zero_point) * scale


def fold(net: nn.Module) -> nn.Module:
    """A copy in which each batch norm is part of its convolution."""
    folded = copy.deepcopy(net).eval()
    for module in folded.modules():
        if isinstance(module, ConvNorm) and module.norm is not None:
            module.conv, module.norm = fuse_conv_bn_eval(module.conv, module.norm), None
    return folded


def quantize_weights(folded: nn.Module, per_channel: bool) -> None:
    for module in folded.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            w = module.weight.data
            rows = w.flatten(1)
            low, high = (rows.amin(1), rows.amax(1)) if per_channel else (rows.min(), rows.max())
            shape = (-1, *[1] * (w.dim() - 1)) if per_channel else ()
            module.weight.data = fake_quantize(w, low.reshape(shape), high.reshape(shape))


def quantize_activations(folded: nn.Module, calibration: torch.Tensor) -> None:
    """Finds each output's range on `calibration` (in float), then rounds all outputs to it."""
    measured = [
        module
        for module in folded.modules()
        if isinstance(module, (InvertedResidual, nn.AdaptiveAvgPool2d))
        or (isinstance(module, ConvNorm) and module.conv.out_channels != len(CLASSES))
    ]
    ranges: "dict[nn.Module, tuple[torch.Tensor, torch.Tensor]]" = {}

    def observe(module: nn.Module, _: object, y: torch.Tensor) -> None:
        ranges[module] = (y.min(), y.max())

    hooks = [module.register_forward_hook(observe) for module in measured]
    folded(calibration)
    for hook in hooks:
        hook.remove()
    for module in measured:
        module.register_forward_hook(lambda m, _, y: fake_quantize(y, *ranges[m]))


def accuracy(net: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> float:
    """Top-1 in percent; ties go to the lowest class."""
    with torch.no_grad():
        hits = sum(
            int((net(x).argmax(1) == y).sum())
            for x, y in zip(inputs.split(500), labels.split(500))
        )
    return 100.0 * hits / len(labels)


def spread(weight: torch.Tensor) -> float:
    """Average channel precision: mean over channels of (channel's range / tensor's range)."""
    rows = weight.detach().flatten(1)
    return float((rows.amax(1) - rows.amin(1)).mean() / (rows.max() - rows.min()))


def probe(
    net: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, calibration: torch.Tensor
) -> "dict[str, float]":
    """Top-1 in percent of the float net and of its simulated 8-bit forms."""
    result = {"float": accuracy(net, inputs, labels), "folded": accuracy(fold(net), inputs, labels)}
    for name, per_channel, activations in (
        ("weightsPerTensor", False, None),
        ("weightsPerChannel", True, None),
        ("perTensor", False, calibration),
        ("perChannel", True, calibration),
    ):
        quantized = fold(net)
        with torch.no_grad():
            if activations is not None:
                quantize_activations(quantized, activations)
            quantize_weights(quantized, per_channel)
        result[name] = accuracy(quantized, inputs, labels)
    return result


def dead_channels(net: nn.Module, tolerance: float = 1e-6) -> int:
    """Channels of depthwise norms whose running variance is as good as zero."""
    return sum(
        int((module.norm.running_var < tolerance).sum())
        for module in net.modules()
        if isinstance(module, ConvNorm) and module.depthwise and module.norm is not None
    )
