#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Trains one of the embedded nets on Fashion-MNIST and exports it as float ONNX, batch norms unfolded.

    python3 models/train/train.py mobilenet_v1_fashion --out models/fashion

Needs PyTorch 1.13, onnx and the data set (Debian: python3-torch python3-onnx dataset-fashion-mnist).
One thread and one seed: the same machine type and library versions give the same file.
"""

import argparse
import hashlib
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import fashion
from export import export_onnx
from nets import DECAYS_DEPTHWISE, NETS, ConvNorm
from quantization_probe import accuracy, dead_channels, fold, probe, spread


def parameter_groups(net: nn.Module, decay: float, decays_depthwise: bool) -> "list[dict]":
    """L2 on convolution weights only, as TF-slim does; on depthwise ones where asked for."""
    decayed, free = [], []
    depthwise = {
        id(module.conv.weight)
        for module in net.modules()
        if isinstance(module, ConvNorm) and module.depthwise
    }
    for parameter in net.parameters():
        is_weight = parameter.dim() > 1
        keeps_size = id(parameter) in depthwise and not decays_depthwise
        (decayed if is_weight and not keeps_size else free).append(parameter)
    return [{"params": decayed, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]


def train(net: nn.Module, pixels: torch.Tensor, labels: torch.Tensor, options, depthwise: bool):
    """Trains in place; yields (epoch, mean loss) after each epoch."""
    steps = len(pixels) // options.batch
    # RMSProp as TF-slim's MobileNet trainer sets it up: decay 0.9, momentum 0.9, epsilon 1.
    optimizer = torch.optim.RMSprop(
        parameter_groups(net, options.weight_decay, depthwise),
        lr=options.rate,
        alpha=0.9,
        momentum=0.9,
        eps=1.0,
    )
    # Falls exponentially to 1 % of the first rate.
    schedule = torch.optim.lr_scheduler.ExponentialLR(
        optimizer, 0.01 ** (1 / (steps * options.epochs))
    )
    generator = torch.Generator().manual_seed(options.seed)
    loss_of = nn.CrossEntropyLoss()
    for epoch in range(1, options.epochs + 1):
        net.train()
        order = torch.randperm(len(pixels), generator=generator)
        total = 0.0
        for step in range(steps):
            chosen = order[step * options.batch : (step + 1) * options.batch]
            x = fashion.normalize(fashion.mirror_some(pixels[chosen], generator))
            loss = loss_of(net(x), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        net.eval()
        yield epoch, total / steps


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("net", choices=NETS)
    parser.add_argument("--out", type=Path, required=True, help="folder for the .onnx and .json")
    parser.add_argument("--data", type=Path, default=fashion.DEFAULT_FOLDER)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--weight-decay", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    torch.use_deterministic_algorithms(True)
    train_pixels, train_labels = map(torch.tensor, fashion.read_split(options.data, "train"))
    test_pixels, test_labels = map(torch.tensor, fashion.read_split(options.data, "t10k"))
    train_labels, test_labels = train_labels.long(), test_labels.long()
    test_inputs = fashion.normalize(test_pixels)
    calibration = fashion.normalize(train_pixels[:200])

    net = NETS[options.net]()
    log = []
    for epoch, loss in train(
        net, train_pixels, train_labels, options, DECAYS_DEPTHWISE[options.net]
    ):
        top1 = accuracy(net, test_inputs[:1000], test_labels[:1000])
        log.append({"epoch": epoch, "loss": round(loss, 4), "top1First1000": top1})
        cpu = time.process_time()
        print(f"epoch {epoch:2}  loss {loss:.4f}  top-1 of 1,000 {top1:.1f}  cpu {cpu:.0f} s")
        sys.stdout.flush()

    simulated = probe(net, test_inputs, test_labels, calibration)
    spreads = {
        name: round(spread(module.conv.weight), 4)
        for name, module in fold(net).named_modules()
        if isinstance(module, ConvNorm) and module.depthwise
    }
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{options.net}.onnx"
    export_onnx(net, options.net, file)
    report = {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "bytes": file.stat().st_size,
        "parameters": sum(p.numel() for p in net.parameters()),
        "command": " ".join(["python3", "models/train/train.py", *sys.argv[1:]]),
        "settings": {
            key: getattr(options, key) for key in ("epochs", "batch", "rate", "weight_decay", "seed")
        },
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "cpuSeconds": round(time.process_time()),
        "top1": {
            "first1000": accuracy(net, test_inputs[:1000], test_labels[:1000]),
            "all10000": simulated["float"],
        },
        "simulated8Bit10000": simulated,
        "deadDepthwiseChannels": dead_channels(net),
        "depthwiseAverageChannelPrecision": spreads,
        "log": log,
    }
    (options.out / f"{options.net}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps({k: v for k, v in report.items() if k != "log"}, indent=2))


if __name__ == "__main__":
    main()
