# SPDX-License-Identifier: Apache-2.0
"""What every training on CIFAR-10 does: passes over the images, and top-1."""

from pathlib import Path

import torch
from torch import nn

import dataset


class Training:
    """A net, its optimizer and its random numbers: all that an interrupted run needs to go on."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator

    def __init__(self) -> None:
        self.log: "list[dict]" = []
        self.seconds = 0.0

    def state(self) -> dict:
        """What a file keeps."""
        return {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "log": self.log,
            "seconds": self.seconds,
        }

    def load(self, state: dict) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"])
        self.log, self.seconds = state["log"], state["seconds"]

    def save(self, file: Path) -> None:
        """As a whole or not at all."""
        temporary = file.with_suffix(".partial")
        torch.save(self.state(), temporary)
        temporary.replace(file)

    def restore(self, file: Path) -> None:
        self.load(torch.load(file))

    def train_epoch(self, images: "tuple[torch.Tensor, torch.Tensor]", batch: int) -> float:
        """One pass over the images in random order; returns the mean loss."""
        parts = (self.net, self.optimizer, self.schedule, self.generator)
        return train_epoch(*parts, images, batch)


def train_epoch(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    generator: torch.Generator,
    images: "tuple[torch.Tensor, torch.Tensor]",
    batch: int,
) -> float:
    """One pass over pixels u8 [N, 3, 32, 32] and labels i64 [N] in random order; returns the mean loss."""
    pixels, labels = images
    net.train()
    order = torch.randperm(len(pixels), generator=generator)
    steps = len(pixels) // batch
    total = 0.0
    for step in range(steps):
        chosen = order[step * batch : (step + 1) * batch]
        x = dataset.normalize(dataset.augment(pixels[chosen], generator))
        loss = nn.functional.cross_entropy(net(x), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        total += loss.item()
    net.eval()
    return total / steps


@torch.no_grad()
def answers(net: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """The class of the highest score of each image, i64 [N]; ties go to the lowest class."""
    return torch.cat([net(dataset.normalize(x)).argmax(1) for x in pixels.split(500)])


def top1(net: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> float:
    """Percent."""
    return 100.0 * int((answers(net, pixels) == labels).sum()) / len(labels)


def falling_rate(
    optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Falls exponentially to 1 % of the first rate."""
    return torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.01 ** (1 / steps))
