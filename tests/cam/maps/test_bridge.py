"""Methods of pytorch-grad-cam by name: the same result class, and refusal of questions that they cannot answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils.image import scale_cam_image
from torch import Tensor, nn

from bincam.cam import BRIDGED, Explainer, Explanation, target, targets
from bincam.errors import InputError, UnsupportedError
from tests.conftest import ATTRIBUTES, TinyNet, randomize

BLIND = [name for name, method in BRIDGED.items() if not method.knows_side and name != "ablation_cam"]


class Modular(TinyNet):
    """grad-cam needs modules whose outputs nothing overwrites."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.ReLU()

    def features(self, images: Tensor) -> Tensor:
        return self.last(self.conv2(self.relu(self.bn(self.conv1(images)))))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return randomize(Modular())


def question(name: str) -> str:
    return "any" if name in BLIND else "positive" if name == "ablation_cam" else "negative"


@pytest.mark.parametrize("name", BRIDGED)
def test_same_result_object_and_same_map(model: nn.Module, images: Tensor, name: str) -> None:
    if name == "ablation_cam":
        with torch.no_grad():
            model.head.bias.add_(10)
    np.random.seed(0)  # noqa: NPY002  # RandomCAM draws from the global generator
    explanation = Explainer(model, ["Bald"], names=ATTRIBUTES, method=name)(images, question(name))
    assert isinstance(explanation, Explanation)
    assert explanation.maps.shape == (3, 1, 6, 8)
    assert explanation.layer == "last"
    assert not explanation.complete
    assert torch.isfinite(explanation.ledger().support).all()  # the account is the head's, whatever draws the map
    sign = "negative" if question(name) == "negative" else "positive"
    np.random.seed(0)  # noqa: NPY002
    kwargs = {"ablation_layer": pytorch_grad_cam.AblationLayer()} if name == "ablation_cam" else {}
    with getattr(pytorch_grad_cam, BRIDGED[name].cls)(model, [model.last], **kwargs) as theirs:
        expected = theirs(images.clone().requires_grad_(), targets=[target(1, sign)] * 3)
    scaled = scale_cam_image(np.maximum(explanation.maps[:, 0].numpy(), 0), (16, 12))
    np.testing.assert_allclose(scale_cam_image(np.maximum(scaled, 0)), expected, atol=1e-5)


@pytest.mark.parametrize("name", BLIND)
def test_blind_to_the_side(model: nn.Module, images: Tensor, name: str) -> None:
    for side in ("predicted", "positive", "negative"):
        with pytest.raises(UnsupportedError, match=rf"{name} cannot explain side='{side}'.*side='any'"):
            Explainer(model, ["Bald"], names=ATTRIBUTES, method=name)(images, side)


@pytest.mark.parametrize("name", [name for name in BLIND if not BRIDGED[name].knows_attribute])
def test_blind_to_the_attribute(model: nn.Module, images: Tensor, name: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"{name} cannot distinguish 'Smiling' from 'Bald'.*one attribute"):
        Explainer(model, ATTRIBUTES, method=name)(images, "any")


def test_why_ablation_cam_is_refused(model: nn.Module, images: Tensor) -> None:
    """The weight (s - s')/s is the same for z and -z: both sides would get one map."""
    maps = []
    for sign in ("positive", "negative"):
        with pytorch_grad_cam.AblationCAM(
            model, [model.last], ablation_layer=pytorch_grad_cam.AblationLayer()
        ) as theirs:
            maps.append(theirs(images.clone(), targets=[target(1, sign)] * 3))
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-6)
    explainer = Explainer(model, ["Bald"], names=ATTRIBUTES, method="ablation_cam")
    with pytest.raises(UnsupportedError, match=r"ablation_cam cannot explain side='negative'"):
        explainer(images, "negative")
    with torch.no_grad():
        model.head.bias.fill_(-10)
    with pytest.raises(UnsupportedError, match=r"positive side of image 0, attribute 'Bald'"):
        explainer(images, "positive")


def test_methods_that_know_sides_do_not_take_any(model: nn.Module, images: Tensor) -> None:
    for method in ("grad_cam", "score_cam"):
        with pytest.raises(UnsupportedError, match="distinguishes the sides"):
            Explainer(model, method=method)(images, "any")


def test_a_layer_that_is_no_modules_output_is_refused(tiny: nn.Module, images: Tensor) -> None:
    with pytest.raises(UnsupportedError, match="module's output"):
        Explainer(tiny, method="score_cam", layer="pre_activation")(images)


def test_ablation_puts_the_layer_back_when_the_model_raises(images: Tensor) -> None:
    calls: list[int] = []  # not in the model, whose state is the same before every pass

    class Brittle(Modular):
        def forward(self, images: Tensor) -> Tensor:
            calls.append(len(images))
            if len(calls) > 9:
                raise RuntimeError("out of luck")
            return super().forward(images)

    torch.manual_seed(0)
    model = randomize(Brittle())
    with torch.no_grad():
        model.head.bias.fill_(10)
    last = model.last
    with pytest.raises(InputError, match="its forward raised RuntimeError: out of luck"):
        Explainer(model, method="ablation_cam")(images, "positive")
    assert model.last is last
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("output", "head", "expected"),
    [
        (torch.tensor([1.0, -2.0]), "logits", 2.0),
        (torch.tensor([[0.0, 1.0], [3.0, 1.0]]), "two_logits", 2.0),
        (torch.sigmoid(torch.tensor([1.0, -2.0])), "probabilities", 2.0),
    ],
)
def test_target_reads_one_images_output(output: Tensor, head: Any, expected: float) -> None:
    assert float(target(1, "negative", head)(output)) == pytest.approx(expected)


def test_target_of_a_single_logit() -> None:
    assert float(target(0, "negative")(torch.tensor(1.5))) == -1.5
    assert float(target(0, "positive", "two_logits")(torch.tensor([1.0, 4.0]))) == 3


def test_targets_fix_the_side_on_the_clean_image() -> None:
    logits = torch.tensor([[0.2, 1.0], [-0.3, 1.0]])
    assert [t.sign for t in targets(logits, 0, "predicted")] == [1, -1]
    assert [t.sign for t in targets(logits, 0, "predicted", threshold=0.5)] == [-1, -1]
    assert [t.sign for t in targets(logits, 1, "true", labels=torch.tensor([[0, 0], [0, 1]]))] == [-1, 1]
    with pytest.raises(InputError, match=r"'predicted'.*targets"):
        target(0, "predicted")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="attribute 5 of a model with 2"):
        target(5, "positive")(torch.zeros(2))
    with pytest.raises(InputError, match="side of image 1"):
        targets(torch.tensor([[0.0], [torch.nan]]), 0, "predicted")
