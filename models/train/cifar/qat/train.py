#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Quantization-aware training of a CIFAR-10 net with weights on a power of two a layer (Bae et al. 2022), from
its float net; exported as QDQ ONNX.

    python3 models/train/cifar/qat/train.py separable --method msqe --bits 4 \\
        --data CIFAR10 --out models/cifar10/bae

Needs PyTorch, onnx and Pillow. One thread and one seed. A run that was stopped goes on from its last epoch.
"""

import argparse
import dataclasses
import hashlib
import json
import platform
import sys
import time
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import dataset  # noqa: E402 (the folder above is no package)
from loop import Training, answers, falling_rate, top1  # noqa: E402
from nets import NETS, build  # noqa: E402

from export import export_qdq  # noqa: E402
from net import QuantizedNet  # noqa: E402
from quantizers import METHODS, WeightQuantizer  # noqa: E402

# Training images whose activations choose the exponents.
CALIBRATION_IMAGES = 500
# Of Adam on weights and biases, and on learned exponents (the latter as Jain et al. 2020 set it).
RATE = 1e-3
EXPONENT_RATE = 1e-2


def float_net(file: Path, name: str) -> torch.nn.Module:
    """The float net with the weights of its ONNX file, which have the names of its modules."""
    net = build(NETS[name])
    tensors = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in onnx.load(file).graph.initializer
    }
    state = net.state_dict()
    missing = [key for key in state if key not in tensors and "num_batches" not in key]
    if missing:
        raise SystemExit(f"{file}: expected the weights of {name}, but {missing[0]} is not there")
    net.load_state_dict({key: tensors.get(key, value) for key, value in state.items()})
    return net.eval()


class QuantizedTraining(Training):
    """A quantized net from its float weights."""

    net: QuantizedNet

    def __init__(self, net: QuantizedNet, options: argparse.Namespace, steps: int) -> None:
        super().__init__()
        self.net = net
        exponents = [quantizer.real for quantizer in self.quantizers().values()]
        known = {id(exponent) for exponent in exponents}
        others = [p for p in net.parameters() if id(p) not in known]
        self.optimizer = torch.optim.Adam(
            [
                {"params": others, "lr": RATE},
                {"params": exponents, "lr": EXPONENT_RATE},
            ]
        )
        self.schedule = falling_rate(self.optimizer, options.epochs * steps)
        self.generator = torch.Generator().manual_seed(options.seed)

    def quantizers(self) -> "dict[str, WeightQuantizer]":
        return {name: layer.quantizer for name, layer in self.net.layers().items()}

    def epoch(self, images: "tuple[torch.Tensor, torch.Tensor]", batch: int) -> None:
        started = time.process_time()
        loss = self.train_epoch(images, batch)
        self.seconds += time.process_time() - started
        clipped = {
            name: round(100 * quantizer.clipped_share, 3)
            for name, quantizer in self.quantizers().items()
        }
        epoch = len(self.log) + 1
        self.log.append({"epoch": epoch, "loss": round(loss, 4), "clippedPercent": clipped})

    def freeze(self) -> None:
        for quantizer in self.quantizers().values():
            quantizer.frozen = True

    def state(self) -> dict:
        quantizers = [quantizer.state() for quantizer in self.quantizers().values()]
        return {**super().state(), "quantizers": quantizers}

    def load(self, state: dict) -> None:
        super().load(state)
        for quantizer, kept in zip(self.quantizers().values(), state["quantizers"]):
            quantizer.restore(kept)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("net", choices=NETS)
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--bits", type=int, choices=(4, 3, 2), default=4)
    parser.add_argument("--float", type=Path, default=Path("models/cifar10"), help="float nets")
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and test/")
    parser.add_argument("--out", type=Path, required=True, help="folder for the .onnx and .json")
    parser.add_argument("--work", type=Path, default=Path("build/train"), help="unfinished runs")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def report_of(training: QuantizedTraining, options: argparse.Namespace, file: Path) -> dict:
    layers = training.net.layers()
    return {
        "file": file.name,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "net": options.net,
        "method": {"name": options.method, **dataclasses.asdict(METHODS[options.method])},
        "weightBits": options.bits,
        "settings": {key: getattr(options, key) for key in ("epochs", "batch", "seed")},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "cpuSeconds": round(training.seconds),
        # Exponents of each layer: the first one, then every step at which it changed.
        "exponents": {name: layer.quantizer.trace for name, layer in layers.items()},
        "flips": sum(len(layer.quantizer.trace) - 1 for layer in layers.values()),
        "log": training.log,
    }


def main() -> None:
    options = parse()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(options.seed)
    name = f"{options.net}_{options.method}_w{options.bits}_seed{options.seed}"
    train = dataset.read_split(options.data, "train", options.work)
    test = dataset.read_split(options.data, "test", options.work)
    net = QuantizedNet(
        float_net(options.float / f"{options.net}.onnx", options.net),
        options.bits,
        METHODS[options.method],
    )
    net.choose_activations(dataset.normalize(train[0][:: len(train[0]) // CALIBRATION_IMAGES]))
    untrained = top1(net.eval(), *test)
    training = QuantizedTraining(net, options, len(train[0]) // options.batch)
    checkpoint = options.work / f"{name}-{options.epochs}.pt"
    if checkpoint.exists():
        training.restore(checkpoint)
    while len(training.log) < options.epochs:
        if 2 * len(training.log) >= options.epochs:
            training.freeze()
        training.epoch(train, options.batch)
        training.save(checkpoint)
        print(f"{name} {training.log[-1]['epoch']}: {training.log[-1]['loss']}", flush=True)

    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{name}.onnx"
    export_qdq(net.eval(), name, options.bits, file)
    report = report_of(training, options, file)
    found = answers(net, test[0])
    trained = 100.0 * int((found == test[1]).sum()) / len(found)
    report["top1"] = {"untrained": untrained, "all10000": trained}
    # One digit an image, in the order of class and file name.
    report["answers"] = "".join(str(int(answer)) for answer in found)
    (options.out / f"{name}.json").write_text(json.dumps(report) + "\n")
    print(name, report["top1"], f"flips {report['flips']}", f"{report['cpuSeconds']} s", flush=True)


if __name__ == "__main__":
    main()
