# SPDX-License-Identifier: Apache-2.0
"""
The nets of the experiments on CIFAR-10: MobileNetV1's block, its regular twin, MobileNetV2's block, and
the block of Sheng et al. 2018 with each of its three changes alone and in the paper's order.

All have a stem and eight blocks, so a separable net and its twin are equally deep in blocks.
"""

import dataclasses

import torch
from torch import nn

from dataset import CLASSES

# TF-slim's value; it bounds alpha = gamma / sqrt(variance + epsilon) of a dead channel at 31.6 gamma.
NORM_EPSILON = 1e-3
# PyTorch's convention: the share of the newest batch in the running statistics.
NORM_MOMENTUM = 0.01
# TF-slim draws every weight of MobileNetV1 from this truncated normal. Nets without batch norms
# would not pass a signal through it and take He et al. 2015 instead.
INITIAL_DEVIATION = 0.09

STEM_CHANNELS = 16
# Output channels and stride of each block. The twin's channels are fewer, so that both reach about
# the same accuracy; parameters and multiply-accumulates stand in each net's report.
SEPARABLE_BLOCKS = (
    *((32, 2), (64, 1), (128, 2), (128, 1)),
    *((128, 1), (128, 1), (256, 2), (256, 1)),
)
REGULAR_BLOCKS = (
    *((24, 2), (32, 1), (48, 2), (48, 1)),
    *((48, 1), (48, 1), (64, 2), (64, 1)),
)


# MobileNetV2's blocks are narrow outside and wide inside.
INVERTED_BLOCKS = (
    *((16, 1), (24, 2), (24, 1), (32, 2)),
    *((32, 1), (48, 1), (64, 2), (64, 1)),
)
EXPANSION = 4
INVERTED_HEAD = 256


@dataclasses.dataclass(frozen=True)
class NetSpec:
    """What tells one net of the experiments from another."""

    separable: bool = True
    # MobileNetV2's inverted residual in the place of MobileNetV1's block.
    inverted: bool = False
    # Batch norm behind pointwise and regular convolutions.
    norm: bool = True
    # Batch norm and activation between the depthwise and the pointwise convolution.
    inner: bool = True
    relu6: bool = True
    # L2 on depthwise weights; TF-slim's default is that they have none.
    decays_depthwise: bool = False

    def activation(self) -> nn.Module:
        return nn.ReLU6() if self.relu6 else nn.ReLU()


class ConvNorm(nn.Module):
    """A convolution, then a batch norm and an activation where the block has them."""

    def __init__(self, channels, kernel, spec, stride=1, groups=1, norm=True, active=True, bias=None):
        super().__init__()
        channels_in, channels_out = channels
        has_bias = not norm if bias is None else bias
        self.conv = nn.Conv2d(
            channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=has_bias
        )
        self.norm = (
            nn.BatchNorm2d(channels_out, eps=NORM_EPSILON, momentum=NORM_MOMENTUM) if norm else None
        )
        self.activation = spec.activation() if active else None

    @property
    def depthwise(self) -> bool:
        return self.conv.groups > 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return x if self.activation is None else self.activation(x)


class SeparableBlock(nn.Module):
    """Depthwise 3x3 (with norm and activation where `spec.inner`), then pointwise."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, spec: NetSpec) -> None:
        super().__init__()
        self.depthwise = ConvNorm(
            (channels_in, channels_in),
            3,
            spec,
            stride,
            groups=channels_in,
            norm=spec.norm and spec.inner,
            active=spec.inner,
            # Sheng's depthwise convolution has no bias: the norm behind the pointwise one removes it.
            bias=spec.inner and not spec.norm,
        )
        self.pointwise = ConvNorm((channels_in, channels_out), 1, spec, norm=spec.norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pointwise(self.depthwise(x))


class InvertedBlock(nn.Module):
    """Sandler et al. 2018: 1x1 expansion, depthwise 3x3, 1x1 projection without activation, sum."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, spec: NetSpec) -> None:
        super().__init__()
        inner = EXPANSION * channels_in
        self.expansion = ConvNorm((channels_in, inner), 1, spec)
        self.depthwise = ConvNorm((inner, inner), 3, spec, stride, groups=inner)
        self.projection = ConvNorm((inner, channels_out), 1, spec, active=False)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.projection(self.depthwise(self.expansion(x)))
        return x + y if self.residual else y


class RegularBlock(nn.Module):
    """One full 3x3 convolution in the place of a depthwise and a pointwise one."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, spec: NetSpec) -> None:
        super().__init__()
        self.regular = ConvNorm((channels_in, channels_out), 3, spec, stride, norm=spec.norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.regular(x)


class Classifier(nn.Module):
    """Global average pool, then the classes by a matrix."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(channels, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(torch.flatten(self.pool(x), 1))


def blocks_of(spec: NetSpec) -> "tuple[type[nn.Module], tuple[tuple[int, int], ...]]":
    """The block and, for each, its output channels and stride."""
    if spec.inverted:
        return InvertedBlock, INVERTED_BLOCKS
    return (SeparableBlock, SEPARABLE_BLOCKS) if spec.separable else (RegularBlock, REGULAR_BLOCKS)


def build(spec: NetSpec) -> nn.Module:
    """Input f32 [N, 3, 32, 32], output logits f32 [N, 10]."""
    block, blocks = blocks_of(spec)
    net = nn.Sequential()
    net.add_module("stem", ConvNorm((3, STEM_CHANNELS), 3, spec, norm=spec.norm))
    channels = STEM_CHANNELS
    for index, (channels_out, stride) in enumerate(blocks, 1):
        net.add_module(f"block_{index}", block(channels, channels_out, stride, spec))
        channels = channels_out
    if spec.inverted:
        net.add_module("head", ConvNorm((channels, INVERTED_HEAD), 1, spec))
        channels = INVERTED_HEAD
    net.add_module("classifier", Classifier(channels))
    _initialize(net, spec)
    return net.to(memory_format=torch.channels_last)


def _initialize(net: nn.Module, spec: NetSpec) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            if spec.norm:
                bound = 2 * INITIAL_DEVIATION
                nn.init.trunc_normal_(module.weight, 0.0, INITIAL_DEVIATION, -bound, bound)
            else:
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


NETS = {
    # Yun and Wong 2021: separable nets and their regular twins.
    "separable": NetSpec(),
    "regular": NetSpec(separable=False),
    "separable_relu": NetSpec(relu6=False),
    "regular_relu": NetSpec(separable=False, relu6=False),
    "separable_plain": NetSpec(norm=False),
    "regular_plain": NetSpec(separable=False, norm=False),
    "separable_plain_relu": NetSpec(norm=False, relu6=False),
    "regular_plain_relu": NetSpec(separable=False, norm=False, relu6=False),
    # MobileNetV2's block, for Bae et al. 2022.
    "inverted": NetSpec(inverted=True),
    # Sheng et al. 2018. The change of ReLU6 alone is `separable_relu`; the other two alone:
    "sheng_inner": NetSpec(inner=False),
    "sheng_l2": NetSpec(decays_depthwise=True),
    # In the paper's order, behind `sheng_inner`:
    "sheng_inner_relu": NetSpec(inner=False, relu6=False),
    "sheng": NetSpec(inner=False, relu6=False, decays_depthwise=True),
}
