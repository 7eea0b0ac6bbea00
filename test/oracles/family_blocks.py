# SPDX-License-Identifier: Apache-2.0
"""Networks that no library has at hand, from their papers' tables, and small ones of every family's blocks."""
import torch
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, kernel=1, stride=1, group=1, act=nn.ReLU):
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=group, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if act is nn.PReLU:
        layers.append(nn.PReLU(outputs))
    elif act is not None:
        layers.append(act())
    return nn.Sequential(*layers)


class Squeeze(nn.Module):
    """Squeeze and excitation: a gate for each channel from the mean over the image."""

    def __init__(self, channels, reduced, gate=nn.Hardsigmoid):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, channels, 1)
        self.gate = gate()

    def forward(self, x):
        means = F.adaptive_avg_pool2d(x, 1)
        return x * self.gate(self.up(F.relu(self.down(means))))


class Inverted(nn.Module):
    """The inverted residual of MobileNetV2 and its descendants."""

    def __init__(self, inputs, outputs, kernel=3, stride=1, expand=4, act=nn.ReLU6, squeeze=None):
        super().__init__()
        middle = inputs * expand
        parts = [conv(inputs, middle, act=act)] if expand > 1 else []
        parts.append(conv(middle, middle, kernel, stride, middle, act))
        if squeeze:
            parts.append(Squeeze(middle, max(4, middle // 4), squeeze))
        parts.append(conv(middle, outputs, act=None))
        self.body = nn.Sequential(*parts)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


class Head(nn.Module):
    def __init__(self, trunk, channels, classes):
        super().__init__()
        self.trunk, self.classifier = trunk, nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(self.trunk(x).mean([2, 3]))


def ds_cnn(channels=64, blocks=4, classes=12):
    """DS-CNN of keyword spotting (Zhang et al. 2017; MLPerf Tiny): 49 x 10 coefficients."""
    parts = [nn.Conv2d(1, channels, (10, 4), 2, (5, 1), bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
    for _ in range(blocks):
        parts += [conv(channels, channels, 3, 1, channels), conv(channels, channels)]
    return Head(nn.Sequential(*parts), channels, classes)


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.body = nn.Sequential(conv(inputs, outputs, 3, stride), conv(outputs, outputs, 3, act=None))
        same = stride == 1 and inputs == outputs
        self.skip = nn.Identity() if same else conv(inputs, outputs, 1, stride, act=None)

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


def resnet8(width=16, classes=10):
    """The image classifier of MLPerf Tiny."""
    trunk = nn.Sequential(
        conv(3, width, 3),
        Residual(width, width),
        Residual(width, 2 * width, 2),
        Residual(2 * width, 4 * width, 2),
    )
    return Head(trunk, 4 * width, classes)


def mcunet(width=8, classes=10):
    """Inverted residuals with kernels of 3, 5 and 7, as MCUNet's search space (Lin et al. 2020) has them."""
    w = width
    trunk = nn.Sequential(
        conv(3, 2 * w, 3, 2, act=nn.ReLU6),
        Inverted(2 * w, w, 3, 1, 1),
        Inverted(w, 2 * w, 7, 2, 4),
        Inverted(2 * w, 2 * w, 5, 1, 3),
        Inverted(2 * w, 3 * w, 5, 2, 5),
        Inverted(3 * w, 3 * w, 7, 1, 4),
        Inverted(3 * w, 5 * w, 7, 2, 6),
        Inverted(5 * w, 5 * w, 3, 1, 3),
    )
    return Head(trunk, 5 * w, classes)


class Fomo(nn.Module):
    """A trunk cut at an eighth of the size and scores for each cell (Edge Impulse's FOMO), raw."""

    def __init__(self, width=16, classes=3):
        super().__init__()
        self.trunk = nn.Sequential(
            conv(3, width, 3, 2, act=nn.ReLU6),
            Inverted(width, width // 2, 3, 1, 1),
            Inverted(width // 2, width, 3, 2, 6),
            Inverted(width, width, 3, 1, 6),
            Inverted(width, 2 * width, 3, 2, 6),
        )
        self.head = nn.Sequential(nn.Conv2d(2 * width, 32, 1), nn.ReLU(), nn.Conv2d(32, classes, 1))

    def forward(self, x):
        return self.head(self.trunk(x))


class Ssd(nn.Module):
    """SSD-MobileNet's heads: boxes and scores of two scales, as rows of anchors, raw."""

    def __init__(self, width=16, classes=4, anchors=3):
        super().__init__()
        self.classes = classes
        self.near = nn.Sequential(
            conv(3, width, 3, 2, act=nn.ReLU6), Inverted(width, 2 * width, 3, 2), Inverted(2 * width, 2 * width)
        )
        self.far = Inverted(2 * width, 3 * width, 3, 2)
        sizes = (2 * width, 3 * width)
        self.boxes = nn.ModuleList(nn.Conv2d(size, 4 * anchors, 3, 1, 1) for size in sizes)
        self.scores = nn.ModuleList(nn.Conv2d(size, classes * anchors, 3, 1, 1) for size in sizes)

    def forward(self, x):
        near = self.near(x)
        maps = (near, self.far(near))
        rows = lambda y, each: y.permute(0, 2, 3, 1).reshape(1, -1, each)  # noqa: E731
        # Batch norms settle on many pictures; the rows are for one.
        if x.shape[0] > 1:
            return [head(y) for heads in (self.boxes, self.scores) for head, y in zip(heads, maps)]
        boxes = torch.cat([rows(head(y), 4) for head, y in zip(self.boxes, maps)], 1)
        scores = torch.cat([rows(head(y), self.classes) for head, y in zip(self.scores, maps)], 1)
        return boxes, scores


class SsdMaps(Ssd):
    """The same heads without their rows: four images."""

    def forward(self, x):
        near = self.near(x)
        maps = (near, self.far(near))
        return tuple(head(y) for heads in (self.boxes, self.scores) for head, y in zip(heads, maps))


def mobilefacenet(width=16, embedding=32, size=7):
    """Chen et al. 2018: PReLU for each channel, a global depthwise convolution, an embedding."""
    w = width
    trunk = nn.Sequential(
        conv(3, w, 3, 2, act=nn.PReLU),
        conv(w, w, 3, 1, w, act=nn.PReLU),
        Inverted(w, w, 3, 2, 2, act=nn.PReLU),
        Inverted(w, w, 3, 1, 2, act=nn.PReLU),
        Inverted(w, 2 * w, 3, 2, 4, act=nn.PReLU),
        Inverted(2 * w, 2 * w, 3, 2, 4, act=nn.PReLU),
        conv(2 * w, 4 * w, act=nn.PReLU),
        nn.Conv2d(4 * w, 4 * w, size, groups=4 * w, bias=False),
        nn.BatchNorm2d(4 * w),
    )
    net = nn.Sequential(trunk, nn.Conv2d(4 * w, embedding, 1, bias=False), nn.BatchNorm2d(embedding), nn.Flatten())
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.PReLU):
                module.weight.uniform_(0.05, 0.45)
    return net


class Ghost(nn.Module):
    """Half of the channels from a convolution, half from cheap ones (Han et al. 2020)."""

    def __init__(self, inputs, outputs, act=nn.ReLU):
        super().__init__()
        self.main = conv(inputs, outputs // 2, act=act)
        self.cheap = conv(outputs // 2, outputs // 2, 3, 1, outputs // 2, act)

    def forward(self, x):
        main = self.main(x)
        return torch.cat([main, self.cheap(main)], 1)


class Shuffled(nn.Module):
    """ShuffleNetV2's unit (Ma et al. 2018)."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(conv(half, half), conv(half, half, 3, 1, half, None), conv(half, half))

    def forward(self, x):
        left, right = x.chunk(2, 1)
        y = torch.cat([left, self.body(right)], 1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Fire(nn.Module):
    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.one, self.three = nn.Conv2d(squeezed, expanded, 1), nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(x))], 1)


def squeezenet(width=8, classes=5):
    return nn.Sequential(
        nn.Conv2d(3, 2 * width, 3, 2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        Fire(2 * width, width, width),
        nn.Dropout(),
        nn.Conv2d(2 * width, classes, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def stacked(act, squeeze, outputs=12, middle=8, classes=5):
    def make():
        trunk = nn.Sequential(
            conv(3, middle, 3, 2, act=act),
            Inverted(middle, middle, 3, 1, 2, act, squeeze),
            Inverted(middle, outputs, 5, 2, 3, act, squeeze),
        )
        return Head(trunk, outputs, classes)

    return make


def through(*blocks, channels, classes=5):
    return lambda: Head(nn.Sequential(conv(3, 8, 3, 2), *[block() for block in blocks]), channels, classes)


class Pooled(nn.Module):
    """The end of a network that keeps the greatest of each channel."""

    def __init__(self, slope=0.1):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.LeakyReLU(slope), nn.Conv2d(8, 12, 3, 2, 1), nn.SiLU()
        )
        self.classifier = nn.Linear(12, 5)

    def forward(self, x):
        return self.classifier(self.trunk(x).amax([2, 3]))


def tiny_families():
    """Networks for microcontrollers and faces, at their published kind of size."""
    return {
        "ds-cnn": (ds_cnn, (1, 49, 10)),
        "resnet8": (resnet8, (3, 32, 32)),
        "mcunet": (mcunet, (3, 64, 64)),
        "fomo": (Fomo, (3, 96, 96)),
        "ssd-mobilenet": (Ssd, (3, 96, 96)),
        "ssd-mobilenet-maps": (SsdMaps, (3, 96, 96)),
        "mobilefacenet": (mobilefacenet, (3, 112, 112)),
    }


def small_families():
    """One or two blocks of each family, 16 x 16 pixels: files below 100 kB."""
    size = (3, 16, 16)
    return {
        "mobilenetv3": (stacked(nn.Hardswish, nn.Hardsigmoid), size),
        "efficientnet": (stacked(nn.SiLU, nn.Sigmoid), size),
        "mnasnet": (stacked(nn.ReLU, None), size),
        "mobilefacenet": (lambda: mobilefacenet(4, 6, 1), size),
        "ghostnet": (through(lambda: Ghost(8, 12), lambda: Ghost(12, 16), channels=16), size),
        "shufflenetv2": (through(lambda: Shuffled(8), lambda: Shuffled(8), channels=8), size),
        "squeezenet": (squeezenet, size),
        "resnet8": (lambda: resnet8(4, 5), size),
        "ds-cnn": (lambda: ds_cnn(8, 2, 5), (1, 16, 10)),
        "fomo": (lambda: Fomo(8), size),
        "ssd-mobilenet": (lambda: Ssd(4), size),
        "leaky": (Pooled, size),
    }
