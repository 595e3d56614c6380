"""Cost of explanations: relative to the plain forward pass and to other libraries, and with attributes and images.

    python experiments/bench/explain.py [--device cuda] [--only SECTION ...] [--rounds N]

writes ``experiments/bench/explain-<device>.json``, one section after another, so that an interrupted run keeps the
finished ones. All figures: 224 x 224 pixels, random weights, 40 attributes and 8 images unless stated otherwise, every
map enlarged to the size of the image.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from race import machine, milliseconds, race, ratios, write
from torch import Tensor, nn

from bincam.cam import Explainer

HERE = Path(__file__).parent
A, B = 40, 8
METHODS = ("cam", "grad_cam", "hirescam", "elementwise", "grad_cam_pp", "xgrad_cam", "layer_cam")
MEAN_POOLED: dict[str, dict[str, Any]] = {
    "resnet50": {},
    "resnet50 + LayerNorm": {},
    "resnet50 + MLP": {},
    "efficientnet_b0": {},
    "convnext_tiny": {},
    "swin_tiny_patch4_window7_224": {},
    "mobilenetv3_large_100": {},
    "vit_small_patch16_224": {"global_pool": "avg"},
}


def timm_model(name: str, attributes: int = A, **options: Any) -> nn.Module:
    import timm

    torch.manual_seed(0)
    backbone, _, head = name.partition(" + ")
    model: nn.Module = timm.create_model(backbone, num_classes=attributes, **options)
    if head == "LayerNorm":
        model.fc = nn.Sequential(nn.LayerNorm(2048), nn.Linear(2048, attributes))
    elif head == "MLP":
        model.fc = nn.Sequential(nn.Linear(2048, 512), nn.GELU(), nn.Linear(512, attributes))
    return model.eval()


def pixels(count: int = B) -> Tensor:
    return torch.randn(count, 3, 224, 224, generator=torch.Generator().manual_seed(0))


def eager(model: nn.Module, images: Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.no_grad():
            model(images)

    return run


def explaining(model: nn.Module, images: Tensor, **options: Any) -> Callable[[], None]:
    explainer = Explainer(model, **options)

    def run() -> None:
        for maps in explainer(images).upsampled():  # (A, 224, 224), image by image
            del maps

    return run


def mean_pooled(device: str, rounds: int) -> dict[str, Any]:
    """Time every native one-layer method on mean-pooled models relative to timm's eager pass in the same layout."""
    table = {}
    for name, options in MEAN_POOLED.items():
        model, images = timm_model(name, **options).to(device), pixels().to(device)
        kind = Explainer(model)(images[:1]).kind
        methods = [method for method in METHODS if method != "cam" or kind != "diagnostic"]
        runners: dict[str, Callable[[], object]] = {"eager": eager(model, images)}
        runners |= {m: explaining(model, images, method=m, channels_last=False) for m in methods}
        table[name] = {"kind": kind, **ratios(race(runners, rounds, device=device), "eager")}
    return table


def defaults(device: str, rounds: int) -> dict[str, Any]:
    """Time ResNet-50 by bincam's defaults and in bf16 relative to the plain contiguous eager pass."""
    model, images = timm_model("resnet50").to(device), pixels().to(device)
    runners: dict[str, Callable[[], object]] = {"eager": eager(model, images)}
    for method in METHODS:
        runners[method] = explaining(model, images, method=method)
        runners[f"{method} bf16"] = explaining(model, images, method=method, precision="bf16")
    seconds = race(runners, rounds, device=device)
    exact = Explainer(model, method="grad_cam")(images, "positive")
    rough = Explainer(model, method="grad_cam", precision="bf16")(images, "positive")
    distance = (rough.maps - exact.maps).flatten(2).norm(dim=-1) / exact.maps.flatten(2).norm(dim=-1)
    return {
        "over_eager": ratios(seconds, "eager"),
        "milliseconds": milliseconds(seconds),
        "bf16_map_distance": {
            "what": "norm of the difference over norm of the fp32 map, per image and attribute, grad_cam",
            "median": round(float(distance.median()), 5),
            "largest": round(float(distance.max()), 5),
            "largest_logit_difference": round(float((rough.logits - exact.logits).abs().max()), 6),
            "logit_standard_deviation": round(float(exact.logits.std()), 6),
        },
    }


PEER_CASES = {
    "resnet50 layer4": ("resnet50", "layer4"),
    "resnet50 layer3": ("resnet50", "layer3"),
    "vit_small class token": ("vit_small_patch16_224", "blocks.11.norm1"),
}


def peers(device: str, _rounds: int) -> dict[str, Any]:
    """Time Grad-CAM: bincam and torch-cam with one forward pass, captum and pytorch-grad-cam once per attribute."""
    import torchcam.methods
    from captum.attr import LayerAttribution, LayerGradCam

    from bincam.cam import target

    try:
        from pytorch_grad_cam import GradCAM
    except ImportError as error:  # it needs OpenCV, which some GPU machines lack
        GradCAM, absent = None, str(error)
    table: dict[str, Any] = {} if GradCAM is not None else {"left out": f"pytorch-grad-cam: {absent}"}
    for title, (name, layer) in PEER_CASES.items():
        model, images = timm_model(name).to(device), pixels().to(device)
        module = dict(model.named_modules())[layer]
        explainer = Explainer(model, layer=layer)
        layout = explainer.anatomy((224, 224)).layer.layout

        def grad_cam() -> None:
            with GradCAM(model, [module], reshape_transform=layout.grid_of) as runner:  # noqa: B023
                for attribute in range(A):
                    runner(images, targets=[target(attribute, "positive")] * B)  # noqa: B023

        def captum() -> None:
            runner = LayerGradCam(model, module)  # noqa: B023
            for attribute in range(A):
                maps = runner.attribute(images, target=attribute)  # noqa: B023
                if maps.ndim == 4:
                    LayerAttribution.interpolate(maps, (224, 224), "bilinear")

        def torch_cam() -> None:
            with torchcam.methods.GradCAM(model, layer) as runner:  # noqa: B023
                scores = model(images)  # noqa: B023
                for attribute in range(A):
                    (maps,) = runner(attribute, scores, normalized=False, retain_graph=True)
                    torch.nn.functional.interpolate(maps[:, None], (224, 224), mode="bilinear")

        runners: dict[str, Callable[[], object]] = {
            "bincam": explaining(model, images, layer=layer),
            "eager": eager(model, images),
            "captum": captum,
        }
        if GradCAM is not None:
            runners["pytorch-grad-cam"] = grad_cam
        if layout.order == "NCHW":  # torch-cam supports grids only
            runners["torch-cam"] = torch_cam
        if layer == "layer4":
            default = explaining(model, images)
            runners["bincam default layer"] = default
            default()  # convolutions are folded in the first pass
        runners["bincam"]()
        runners["eager"]()
        seconds = race(runners, 1, warm=0, device=device)  # the other libraries take minutes, and the ratios are large
        table[title] = {"over_bincam": ratios(seconds, "bincam"), "milliseconds": milliseconds(seconds)}
    return table


def growth(device: str, rounds: int) -> dict[str, Any]:
    """Measure time and peak memory as attributes and images grow, each in its own process."""
    table: dict[str, Any] = {"attributes at 8 images": {}, "images at 40 attributes": {}}
    for attributes in (1, 10, 40, 200):
        table["attributes at 8 images"][str(attributes)] = _grown(device, rounds, attributes, B)
    for images in (1, 4, 16, 64):
        table["images at 40 attributes"][str(images)] = _grown(device, rounds, A, images)
    return table


def _grown(device: str, rounds: int, attributes: int, images: int) -> dict[str, float]:
    command = [
        sys.executable,
        __file__,
        "--device",
        device,
        "--rounds",
        str(rounds),
        "--grown",
        str(attributes),
        str(images),
    ]
    result: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return result


def grown(device: str, rounds: int, attributes: int, images: int) -> dict[str, float]:
    model, batch = timm_model("resnet50", attributes).to(device), pixels(images).to(device)
    forward = eager(model, batch)
    single = explaining(model, batch, attributes=[0])
    native = Explainer(model)
    forward()
    peak_of_forward = _peak(device)
    native(batch)
    peak_native = _peak(device)
    every = explaining(model, batch)
    every()
    peak = _peak(device)
    seconds = race({"eager": forward, "one": single, "all": every}, rounds, device=device)
    return {
        "milliseconds": milliseconds(seconds)["all"],
        "over_eager": ratios(seconds, "eager")["all"],
        "over_one_attribute": ratios(seconds, "one")["all"],
        "peak_mib_of_eager": peak_of_forward,
        "extra_peak_mib_native_grid": round(peak_native - peak_of_forward, 1),
        "extra_peak_mib_all_maps_upsampled": round(peak - peak_of_forward, 1),
        "mib_of_upsampled_maps": round(images * attributes * 224 * 224 * 4 / 2**20, 1),
    }


def _peak(device: str) -> float:
    if device == "cuda":
        return round(torch.cuda.max_memory_allocated() / 2**20, 1)
    status = Path("/proc/self/status").read_text()  # getrusage would report the parent's peak where that is higher
    return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)


SECTIONS = {"mean_pooled": mean_pooled, "defaults": defaults, "peers": peers, "growth": growth}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=tuple(SECTIONS), default=list(SECTIONS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--grown", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.grown:
        print(json.dumps(grown(options.device, options.rounds, *options.grown)))
        return
    path = options.out or HERE / f"explain-{options.device}.json"
    results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    results["machine"] = machine(options.device)
    for section in options.only:
        with contextlib.redirect_stderr(io.StringIO()):
            results[section] = SECTIONS[section](options.device, options.rounds)
        print(section, json.dumps(results[section], indent=1), flush=True)
        write(path, results)


if __name__ == "__main__":
    main()
