# SPDX-License-Identifier: Apache-2.0
"""Small MobileNets for 32x32 images, built so that every convolution is one named `ConvNorm`."""

from typing import Optional

import torch
from torch import nn

from fashion import CLASSES

# TF-slim's value; it bounds alpha = gamma / sqrt(variance + epsilon) of a dead channel at 31.6 gamma.
NORM_EPSILON = 1e-3
# PyTorch's convention: the share of the newest batch in the running statistics.
NORM_MOMENTUM = 0.01
# TF-slim draws every weight of MobileNetV1 from this truncated normal.
INITIAL_DEVIATION = 0.09


class ConvNorm(nn.Module):
    """A convolution, then a batch norm and an activation where the block has them."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        norm: bool = True,
        bias: bool = False,
        activation: Optional[nn.Module] = None,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=bias
        )
        self.norm = (
            nn.BatchNorm2d(channels_out, eps=NORM_EPSILON, momentum=NORM_MOMENTUM) if norm else None
        )
        self.activation = activation

    @property
    def depthwise(self) -> bool:
        return self.conv.groups > 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return x if self.activation is None else self.activation(x)


class SeparableBlock(nn.Module):
    """The block of MobileNetV1: depthwise 3x3 + BN + ReLU6, pointwise + BN + ReLU6."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.depthwise = ConvNorm(
            channels_in, channels_in, 3, stride, channels_in, activation=nn.ReLU6()
        )
        self.pointwise = ConvNorm(channels_in, channels_out, 1, activation=nn.ReLU6())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pointwise(self.depthwise(x))


class FriendlyBlock(nn.Module):
    """
    The block of Sheng et al. 2018 (arXiv 1803.08607): depthwise 3x3 alone, pointwise + BN + ReLU.

    Nothing is folded into the depthwise weights, so nothing stretches their range. They need no
    bias: the norm after the pointwise convolution would subtract it again.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.depthwise = ConvNorm(channels_in, channels_in, 3, stride, channels_in, norm=False)
        self.pointwise = ConvNorm(channels_in, channels_out, 1, activation=nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pointwise(self.depthwise(x))


class InvertedResidual(nn.Module):
    """
    The block of MobileNetV2: expand + BN + ReLU6, depthwise + BN + ReLU6, project + BN (linear),
    and the input added where shapes agree.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels_in * expansion
        self.expand = (
            ConvNorm(channels_in, inner, 1, activation=nn.ReLU6()) if expansion > 1 else None
        )
        self.depthwise = ConvNorm(inner, inner, 3, stride, inner, activation=nn.ReLU6())
        self.project = ConvNorm(inner, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self.residual else y


class Classifier(nn.Module):
    """Global average pool, then the classes: a 1x1 convolution (V1) or a matrix (V2)."""

    def __init__(self, channels: int, convolution: bool) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = (
            ConvNorm(channels, len(CLASSES), 1, norm=False, bias=True) if convolution else None
        )
        self.linear = None if convolution else nn.Linear(channels, len(CLASSES))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(x)
        if self.conv is not None:
            return torch.flatten(self.conv(x), 1)
        assert self.linear is not None
        return self.linear(torch.flatten(x, 1))


# Output channels and stride of the 13 blocks of MobileNetV1 at width 0.25. The last stage keeps
# its 2x2 (stride 1 instead of 2), so that the global average pool has something to average.
V1_BLOCKS = (
    *((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2)),
    *((128, 1), (128, 1), (128, 1), (128, 1), (128, 1)),
    *((256, 1), (256, 1)),
)
# Expansion, output channels, repeats and first stride; MobileNetV2 at about width 0.25 with the
# repeats of its deep stages cut to two.
V2_STAGES = ((1, 8, 1, 1), (6, 12, 2, 2), (6, 16, 3, 2), (6, 24, 2, 2), (6, 32, 2, 1))
V2_LAST = 192


def _build(blocks: "list[tuple[str, nn.Module]]") -> nn.Module:
    net = nn.Sequential()
    for name, block in blocks:
        net.add_module(name, block)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            bound = 2 * INITIAL_DEVIATION
            nn.init.trunc_normal_(module.weight, 0.0, INITIAL_DEVIATION, -bound, bound)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net.to(memory_format=torch.channels_last)


def mobilenet_v1(block: type, activation: type) -> nn.Module:
    """`block`: SeparableBlock with ReLU6, or FriendlyBlock with ReLU."""
    channels = 8
    blocks = [("stem", ConvNorm(3, channels, 3, 2, activation=activation()))]
    for index, (channels_out, stride) in enumerate(V1_BLOCKS, 1):
        blocks.append((f"block_{index}", block(channels, channels_out, stride)))
        channels = channels_out
    return _build([*blocks, ("classifier", Classifier(channels, convolution=True))])


def mobilenet_v2() -> nn.Module:
    channels = 8
    blocks = [("stem", ConvNorm(3, channels, 3, 2, activation=nn.ReLU6()))]
    for expansion, channels_out, repeats, first_stride in V2_STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            block = InvertedResidual(channels, channels_out, stride, expansion)
            blocks.append((f"block_{len(blocks)}", block))
            channels = channels_out
    blocks.append(("last", ConvNorm(channels, V2_LAST, 1, activation=nn.ReLU6())))
    return _build([*blocks, ("classifier", Classifier(V2_LAST, convolution=False))])


NETS = {
    "mobilenet_v1_fashion": lambda: mobilenet_v1(SeparableBlock, nn.ReLU6),
    "sheng_fashion": lambda: mobilenet_v1(FriendlyBlock, nn.ReLU),
    "mobilenet_v2_fashion": mobilenet_v2,
}
# Whether depthwise weights decay like all others; TF-slim's default is that they do not.
DECAYS_DEPTHWISE = {
    "mobilenet_v1_fashion": False,
    "sheng_fashion": True,
    "mobilenet_v2_fashion": False,
}
