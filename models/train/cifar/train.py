#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Trains one net of the experiments on CIFAR-10 and exports it as float ONNX, batch norms unfolded.

    python3 models/train/cifar/train.py separable --data CIFAR10 --out models/cifar10

Needs PyTorch, onnx and Pillow. One thread and one seed: the same machine type and library versions
give the same file. A run that was stopped goes on from its last epoch when the command is repeated.
"""

import argparse
import dataclasses
import hashlib
import json
import platform
import sys
import time
from pathlib import Path

import torch
from torch import nn

import dataset
from loop import Training, falling_rate, top1
from nets import NETS, ConvNorm, NetSpec, build

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from export import export_onnx  # noqa: E402 (the folder above is no package)

# Learning rate of nets with and without batch norms: without, a higher one diverges.
RATES = {True: 0.3, False: 0.02}


def parameter_groups(net: nn.Module, decay: float, spec: NetSpec) -> "list[dict]":
    """L2 on weights only, as TF-slim does; on depthwise ones where the net's specification says so."""
    depthwise = {
        id(module.conv.weight)
        for module in net.modules()
        if isinstance(module, ConvNorm) and module.depthwise
    }
    decayed, free = [], []
    for parameter in net.parameters():
        keeps_size = id(parameter) in depthwise and not spec.decays_depthwise
        (decayed if parameter.dim() > 1 and not keeps_size else free).append(parameter)
    return [{"params": decayed, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]


class FloatTraining(Training):
    """A float net from its random start."""

    def __init__(self, spec: NetSpec, options: argparse.Namespace, steps: int) -> None:
        super().__init__()
        torch.manual_seed(options.seed)
        self.net = build(spec)
        # RMSProp as TF-slim's MobileNet trainer sets it up: decay 0.9, momentum 0.9, epsilon 1.
        self.optimizer = torch.optim.RMSprop(
            parameter_groups(self.net, options.weight_decay, spec),
            lr=options.rate,
            alpha=0.9,
            momentum=0.9,
            eps=1.0,
        )
        self.schedule = falling_rate(self.optimizer, options.epochs * steps)
        self.generator = torch.Generator().manual_seed(options.seed)


@torch.no_grad()
def multiply_accumulates(net: nn.Module) -> int:
    """Of one image, convolutions and the last matrix."""
    total = 0

    def count(module: nn.Module, _: object, y: torch.Tensor) -> None:
        nonlocal total
        total += y[0].numel() * module.weight[0].numel()

    layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    net(torch.zeros(1, 3, 32, 32))
    for hook in hooks:
        hook.remove()
    return total


def dead_channels(net: nn.Module) -> int:
    """Channels of norms behind depthwise convolutions whose running variance is as good as zero."""
    return sum(
        int((module.norm.running_var < 1e-6).sum())
        for module in net.modules()
        if isinstance(module, ConvNorm) and module.depthwise and module.norm is not None
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("net", choices=NETS)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and test/")
    parser.add_argument("--out", type=Path, required=True, help="folder for the .onnx and .json")
    parser.add_argument("--work", type=Path, default=Path("build/train"), help="unfinished runs")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, help="default: 0.3 with batch norms, else 0.02")
    parser.add_argument("--weight-decay", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.rate is None:
        options.rate = RATES[NETS[options.net].norm]
    return options


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    name = options.net if options.seed == 1 else f"{options.net}_seed{options.seed}"
    spec = NETS[options.net]
    pixels, labels = dataset.read_split(options.data, "train", options.work)
    training = FloatTraining(spec, options, len(pixels) // options.batch)
    checkpoint = options.work / f"{name}-{options.epochs}-{options.rate}-{options.weight_decay}.pt"
    if checkpoint.exists():
        training.restore(checkpoint)
    for epoch in range(len(training.log) + 1, options.epochs + 1):
        started = time.process_time()
        loss = training.train_epoch((pixels, labels), options.batch)
        training.seconds += time.process_time() - started
        training.log.append({"epoch": epoch, "loss": round(loss, 4)})
        training.save(checkpoint)
        print(f"{name} epoch {epoch:2}  loss {loss:.4f}  cpu {training.seconds:.0f} s", flush=True)

    test_pixels, test_labels = dataset.read_split(options.data, "test", options.work)
    net = training.net.eval()
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{name}.onnx"
    metadata = {"lastbit.preprocess": "tf", "lastbit.data": "CIFAR-10 32x32, decoded from JPEG"}
    export_onnx(net, name, file, metadata)
    report = {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "bytes": file.stat().st_size,
        "net": dataclasses.asdict(spec),
        "parameters": sum(p.numel() for p in net.parameters()),
        "multiplyAccumulates": multiply_accumulates(net),
        "settings": {
            key: getattr(options, key) for key in ("epochs", "batch", "rate", "weight_decay", "seed")
        },
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "cpuSeconds": round(training.seconds),
        "top1": {"all10000": top1(net, test_pixels, test_labels)},
        "deadDepthwiseChannels": dead_channels(net),
        "log": training.log,
    }
    (options.out / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps({k: v for k, v in report.items() if k != "log"}, indent=2), flush=True)


if __name__ == "__main__":
    main()
