"""The explainer's contract: state is restored, results do not depend on batches or modes, and mistakes are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bincam.cam import METHODS, Explainer
from bincam.errors import InputError, UnsupportedError
from bincam.models import AttributeClassifier, build, make_card
from tests.conftest import ATTRIBUTES, TinyNet, randomize

NATIVE = tuple(METHODS)


class Mlp(TinyNet):
    """A nonlinear head: diagnostic, so every gradient method differentiates it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, len(ATTRIBUTES)))


@pytest.fixture
def mlp() -> nn.Module:
    torch.manual_seed(0)
    return randomize(Mlp())


# -- what comes back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", NATIVE)
def test_shapes_and_signs(tiny: nn.Module, images: Tensor, method: str) -> None:
    explanation = Explainer(tiny, ATTRIBUTES, method=method)(images)
    grid = (12, 16) if method == "fullgrad" else (6, 8)
    assert explanation.maps.shape == (3, 4, *grid)
    assert explanation.attributes == ATTRIBUTES
    assert explanation.side.abs().eq(1).all()
    assert torch.equal(explanation.side > 0, explanation.logits >= 0)
    assert not explanation.maps.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(explanation.logits, tiny(images))
    if not METHODS[method].signed and method != "grad_cam_pp":
        assert explanation.maps.min() >= 0
    assert explanation.upsample().shape == (3, 4, 12, 16)
    torch.testing.assert_close(torch.stack(list(explanation.upsampled((5, 7)))), explanation.upsample((5, 7)))


@pytest.mark.parametrize("method", [m for m in NATIVE if m != "cam"])
@pytest.mark.parametrize("layer", [None, "pre_activation", "conv1", "relu"])
def test_layers(mlp: nn.Module, images: Tensor, method: str, layer: str | None) -> None:
    explanation = Explainer(mlp, method=method, layer=layer)(images)
    assert torch.isfinite(explanation.maps).all()
    assert explanation.maps.any()


def test_negative_side_is_the_positive_map_negated_for_linear_methods(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, method="grad_cam")
    torch.testing.assert_close(explainer(images, "negative").maps, -explainer(images, "positive").maps)


def test_true_side_follows_the_labels(tiny: nn.Module, images: Tensor) -> None:
    labels = torch.tensor([[1, 0, -1, torch.nan]] * 3)
    explanation = Explainer(tiny)(images, "true", labels)
    assert explanation.side[:, :3].tolist() == [[1, -1, -1]] * 3
    assert torch.isnan(explanation.side[:, 3]).all()
    assert torch.isnan(explanation.maps[:, 3]).all()
    assert torch.isfinite(explanation.maps[:, :3]).all()


def test_threshold_moves_the_predicted_side_and_ties_are_positive(tiny: nn.Module, images: Tensor) -> None:
    logits = Explainer(tiny, ATTRIBUTES)(images).logits
    at = Explainer(tiny, ATTRIBUTES, threshold={"Bald": float(logits[0, 1])})(images)
    assert at.side[0, 1] == 1
    above = Explainer(tiny, ATTRIBUTES, threshold=float(logits.max()) + 1)(images)
    assert (above.side == -1).all()
    ledger = above.ledger()
    torch.testing.assert_close(ledger.support - ledger.opposition, above.threshold - logits)


def test_logits_alone_are_the_explanations(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ["Young", "Bald"], names=ATTRIBUTES)
    tiny.train()
    got = explainer.logits(images)
    assert tiny.training
    assert not got.requires_grad
    torch.testing.assert_close(got, explainer(images).logits)
    assert Explainer(tiny).logits(images).shape == (3, 4)


@pytest.mark.parametrize("method", NATIVE)
def test_a_subset_is_the_same_columns(tiny: nn.Module, images: Tensor, method: str) -> None:
    whole = Explainer(tiny, names=ATTRIBUTES, method=method)(images)
    part = Explainer(tiny, ["Young", "Bald"], names=ATTRIBUTES, method=method)(images)
    assert part.attributes == ("Young", "Bald")
    torch.testing.assert_close(part.maps, whole.maps[:, [3, 1]])
    torch.testing.assert_close(part.logits, whole.logits[:, [3, 1]])
    by_column = Explainer(tiny, [-1, 1], method=method)(images)
    assert by_column.attributes == ("3", "1")
    torch.testing.assert_close(by_column.maps, part.maps)


@pytest.mark.parametrize("method", [m for m in NATIVE if m != "cam"])
def test_chunks_do_not_matter(mlp: nn.Module, images: Tensor, method: str) -> None:
    for layer in (None, "conv1"):
        whole = Explainer(mlp, method=method, layer=layer)(images).maps
        for chunk in (1, 3, 100):
            torch.testing.assert_close(Explainer(mlp, method=method, layer=layer, chunk=chunk)(images).maps, whole)


@pytest.mark.parametrize("model_name", ["tiny", "mlp"])
@pytest.mark.parametrize("method", NATIVE)
def test_batch_mates_do_not_matter(request: Any, images: Tensor, method: str, model_name: str) -> None:
    if (method, model_name) == ("cam", "mlp"):
        return  # refused, see below
    model = request.getfixturevalue(model_name)
    explainer = Explainer(model, method=method)
    together = explainer(images).maps
    for index in range(3):
        torch.testing.assert_close(explainer(images[index : index + 1]).maps[0], together[index], rtol=1e-4, atol=1e-6)


def test_complete_is_told_truthfully(tiny: nn.Module, mlp: nn.Module, images: Tensor) -> None:
    for model in (tiny, mlp):
        for method in NATIVE:
            if model is mlp and method == "cam":
                continue
            for layer in (None, "pre_activation"):
                double = model.double()
                explanation = Explainer(double, method=method, layer=layer)(images.double())
                adds_up = float(explanation.identity_gap.abs().max()) < 1e-6
                if explanation.complete:
                    assert adds_up, (method, layer)
                elif model is tiny:
                    assert not adds_up, (method, layer)


# -- how it may be called ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", NATIVE)
def test_modes_of_the_caller(tiny: nn.Module, images: Tensor, method: str) -> None:
    expected = Explainer(tiny, method=method)(images).maps
    for parameter in tiny.parameters():
        parameter.requires_grad_(False)
    torch.testing.assert_close(Explainer(tiny, method=method)(images).maps, expected)
    with torch.no_grad():
        torch.testing.assert_close(Explainer(tiny, method=method)(images).maps, expected)
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        made_inside = images.clone()
        got = Explainer(tiny, method=method)(made_inside).maps
        assert torch.is_inference_mode_enabled()
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(
        Explainer(tiny, method=method)(images.to(memory_format=torch.channels_last)).maps, expected
    )
    torch.testing.assert_close(Explainer(tiny, method=method, channels_last=False)(images).maps, expected)
    tiny.train()
    torch.testing.assert_close(Explainer(tiny, method=method)(images).maps, expected)
    wrapped = nn.DataParallel(tiny)
    torch.testing.assert_close(Explainer(wrapped, method=method)(images).maps, expected)


def test_after_compile(tiny: nn.Module, images: Tensor) -> None:
    expected = Explainer(tiny, method="hirescam")(images).maps
    compiled = torch.compile(tiny, backend="eager")
    compiled(images)
    torch.testing.assert_close(Explainer(compiled, method="hirescam")(images).maps, expected)


@pytest.mark.parametrize("method", NATIVE)
def test_double_adds_up_to_rounding(tiny: nn.Module, images: Tensor, method: str) -> None:
    explanation = Explainer(tiny.double(), method=method)(images.double())
    assert explanation.maps.dtype == torch.float64
    if explanation.complete:
        tolerance = 1e-6 if method == "xgrad_cam" else 1e-12  # 1e-7 in its denominator
        assert float(explanation.identity_gap.abs().max()) < tolerance


@pytest.mark.parametrize("name", ["resnet10t", "resnet18"])
def test_before_the_last_relu_hirescam_draws_what_grad_cam_draws_behind_it(name: str) -> None:
    """So a table of both methods at both layers has two different entries, where the head is exact."""
    model = build(name, ATTRIBUTES, input_size=(64, 64)).double()
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    pooled = Explainer(model)(images).maps
    before = Explainer(model, method="hirescam", layer="pre_activation")(images).maps
    torch.testing.assert_close(before, pooled)
    torch.testing.assert_close(Explainer(model, method="hirescam")(images).maps, pooled)
    assert not torch.allclose(Explainer(model, layer="pre_activation")(images).maps, pooled)


@pytest.mark.parametrize("method", [m for m in NATIVE if m != "grad_cam_pp"])
def test_bf16_autocast_stays_close(tiny: nn.Module, images: Tensor, method: str) -> None:
    exact = Explainer(tiny, method=method)(images)
    rough = Explainer(tiny, method=method, precision="bf16")(images)
    assert rough.maps.dtype == torch.float32
    assert (rough.maps - exact.maps).norm() < 0.1 * exact.maps.norm()  # a ReLU near zero may switch
    assert not torch.equal(rough.logits, exact.logits)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ambient = Explainer(tiny, method=method)(images)
        assert torch.is_autocast_enabled("cpu")
    assert torch.equal(ambient.maps, rough.maps)
    if method not in ("layer_cam", "elementwise", "fullgrad"):  # summed in float32, so not a bf16 number
        assert not torch.equal(rough.maps, rough.maps.bfloat16().float())


class State:
    """Everything about a model and the process that an explainer could leave changed."""

    def __init__(self, model: nn.Module) -> None:
        self.modes = [module.training for module in model.modules()]
        self.wants = [parameter.requires_grad for parameter in model.parameters()]
        self.grads = [parameter.grad for parameter in model.parameters()]
        self.values = [tensor.clone() for tensor in model.state_dict().values()]
        self.modules = list(model.modules())
        self.hooks = [
            (len(module._forward_hooks), len(module._forward_pre_hooks), len(module._backward_hooks))
            for module in model.modules()
        ]
        self.rng = torch.get_rng_state()
        self.numpy = np.random.get_state()[1].copy()  # noqa: NPY002  # the global state is what is watched
        self.enabled = torch.is_grad_enabled()

    def assert_same(self, model: nn.Module) -> None:
        now = State(model)
        assert now.modes == self.modes
        assert now.wants == self.wants
        assert all(a is b for a, b in zip(now.grads, self.grads, strict=True))
        assert all(torch.equal(a, b) for a, b in zip(now.values, self.values, strict=True))
        assert all(a is b for a, b in zip(now.modules, self.modules, strict=True))
        assert now.hooks == self.hooks
        assert torch.equal(now.rng, self.rng)
        assert np.array_equal(now.numpy, self.numpy)
        assert now.enabled == self.enabled


BRIDGED_QUESTIONS = [
    ("score_cam", "predicted"),
    ("eigen_cam", "any"),
    ("random_cam", "any"),
    ("shapley_cam", "predicted"),
]


@pytest.mark.parametrize(("method", "side"), [*[(m, "predicted") for m in NATIVE], *BRIDGED_QUESTIONS])
def test_state_is_borrowed(tiny: nn.Module, images: Tensor, method: str, side: Any) -> None:
    tiny.train()
    tiny.bn.eval()
    tiny.conv1.weight.requires_grad_(False)
    tiny.head.weight.grad = torch.ones_like(tiny.head.weight)
    before = State(tiny)
    layer = "conv2" if method in ("score_cam", "eigen_cam", "random_cam", "shapley_cam") else None
    Explainer(tiny, ["Bald"], names=ATTRIBUTES, method=method, layer=layer)(images, side)
    before.assert_same(tiny)


@pytest.mark.parametrize(("method", "side"), [*[(m, "predicted") for m in NATIVE], *BRIDGED_QUESTIONS])
def test_state_comes_back_when_the_model_raises(images: Tensor, method: str, side: Any) -> None:
    class Brittle(TinyNet):
        armed = False

        def forward(self, images: Tensor) -> Tensor:
            hidden = self.features(images)
            torch.rand(1)
            if self.armed:
                raise RuntimeError("out of luck")
            return self.head(hidden.mean((2, 3)))

    torch.manual_seed(0)
    model = randomize(Brittle()).train()
    model.head.weight.grad = torch.ones_like(model.head.weight)
    layer = "conv2" if side == "any" or method in ("score_cam", "shapley_cam") else None
    explainer = Explainer(model, ["Bald"], names=ATTRIBUTES, method=method, layer=layer)
    explainer(images, side)  # resolves
    before = State(model)
    model.armed = True
    with pytest.raises(RuntimeError, match="out of luck"):
        explainer(images, side)
    before.assert_same(model)


def test_weights_may_change_between_calls(tiny: nn.Module, images: Tensor) -> None:
    explainer = Explainer(tiny, ATTRIBUTES)
    before = explainer(images)
    optimizer = torch.optim.SGD(tiny.parameters(), lr=0.5)
    tiny(images).sum().backward()
    optimizer.step()
    stepped = explainer(images)
    assert not torch.allclose(stepped.maps, before.maps)
    torch.testing.assert_close(stepped.maps, Explainer(tiny, ATTRIBUTES)(images).maps)
    assert float(stepped.identity_gap.abs().max()) < 1e-5
    torch.manual_seed(9)
    tiny.load_state_dict(TinyNet().state_dict())
    assert float(explainer(images).identity_gap.abs().max()) < 1e-5
    tiny.head.weight.data = tiny.head.weight.data * 3
    assert float(explainer(images).identity_gap.abs().max()) < 1e-5
    assert explainer(images).maps.dtype == torch.float32
    tiny.double()
    assert explainer(images).maps.dtype == torch.float64


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"torch.uint8.*floats.*preprocess"),
        (torch.zeros(3, 8, 8), r"\(B, C, H, W\), got \(3, 8, 8\)"),
        (torch.zeros(0, 3, 8, 8), "empty batch"),
        (np.zeros((1, 3, 8, 8)), "torch.Tensor.*ndarray"),
        (torch.full((2, 3, 8, 8), torch.nan), "2 of 2 images have NaN"),
        (torch.cat([torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), torch.inf)]), r"1 of 2 .*index 1"),
    ],
)
def test_bad_images(tiny: nn.Module, batch: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Explainer(tiny)(batch)


def test_wrong_channel_count_names_both(tiny: nn.Module) -> None:
    with pytest.raises(InputError, match=r"\(1, 1, 8, 8\).*3 channels"):
        Explainer(tiny)(torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attributes": ["Smilling"], "names": ATTRIBUTES}, r"'Smilling'; did you mean 'Smiling'"),
        ({"attributes": ["Bald", "Bald"], "names": ATTRIBUTES}, "'Bald' is selected twice"),
        ({"names": ["a", "a", "b", "c"]}, "'a' is named twice"),
        ({"attributes": [], "names": ATTRIBUTES}, "no attribute"),
        ({"attributes": [9], "names": ATTRIBUTES}, "attribute 9 of a model with 4"),
        ({"names": ATTRIBUTES, "threshold": {"Bold": 1.0}}, r"unknown attribute 'Bold'; did you mean 'Bald'"),
        ({"names": ATTRIBUTES, "threshold": float("nan")}, "finite"),
        ({"method": "grad_cmm"}, "'grad_cmm'.*'grad_cam'"),
        ({"precision": "fp16"}, "'fp16'"),
        ({"chunk": 0}, "chunk=0"),
        ({"head": "logit"}, "head='logit'.*logits"),
    ],
)
def test_bad_statements(tiny: nn.Module, images: Tensor, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Explainer(tiny, **options)(images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "needs labels"),
        (torch.zeros(3, 2), r"\(3, 2\).*\(3, 4\)"),
        (torch.tensor([[0, 1, 0, 1], [0, 1, 2, 1], [0, 0, 0, 0]]), "label 2 of image 1, attribute 2"),
        (torch.full((3, 4), 0.5), "label 0.5 of image 0, attribute 0.*12 are not"),
    ],
)
def test_bad_labels(tiny: nn.Module, images: Tensor, labels: Tensor | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Explainer(tiny)(images, "true", labels)


def test_unknown_side(tiny: nn.Module, images: Tensor) -> None:
    with pytest.raises(InputError, match=r"'postive'.*'positive'"):
        Explainer(tiny)(images, "postive")  # type: ignore[arg-type]


def test_names_that_do_not_fit_the_output_name_both(tiny: nn.Module, images: Tensor) -> None:
    with pytest.raises(InputError, match=r"shape \(1, 4\).*2 attributes"):
        Explainer(tiny, names=["a", "b"])(images)


def test_cam_is_refused_where_the_head_has_no_account(mlp: nn.Module, images: Tensor) -> None:
    with pytest.raises(UnsupportedError, match=r"'tanh'.*not affine.*another method"):
        Explainer(mlp, method="cam")(images)


def test_a_card_is_not_contradicted(tiny: nn.Module) -> None:
    card = make_card(
        attributes=ATTRIBUTES, architecture="factory", name="m:f", input_size=(12, 16), mean=(0,) * 3, std=(1,) * 3
    )
    model = AttributeClassifier(tiny, card)
    assert Explainer(model).selection.attributes == ATTRIBUTES
    with pytest.raises(InputError, match="card"):
        Explainer(model, head="logits")


# -- degenerate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", NATIVE)
def test_constant_features(images: Tensor, method: str) -> None:
    model = TinyNet()
    with torch.no_grad():
        model.conv2.weight.zero_()
        model.conv2.bias.fill_(0.5)
    explanation = Explainer(model.eval(), method=method)(images)
    if method != "fullgrad":
        assert explanation.maps.std((-2, -1)).max() < 1e-6
    ledger = explanation.ledger("floor")
    assert ledger.placed_support.abs().max() < 1e-6
    assert (ledger.bias_share == 1).all()


@pytest.mark.parametrize("method", NATIVE)
def test_dead_features(images: Tensor, method: str) -> None:
    model = TinyNet()
    with torch.no_grad():
        model.conv2.weight.zero_()
        model.conv2.bias.fill_(-0.5)
    explanation = Explainer(model.eval(), method=method)(images)
    assert not explanation.maps.any()
    assert (explanation.ledger().empty == 1).all()
    assert (explanation.ledger().bias_share == 1).all()


def test_nan_logits_stay_nan(images: Tensor) -> None:
    model = TinyNet().eval()
    with torch.no_grad():
        model.head.bias[1] = torch.nan
    explanation = Explainer(model, ATTRIBUTES, layer="conv2")(images)
    assert torch.isnan(explanation.side[:, 1]).all()
    assert torch.isnan(explanation.maps[:, 1]).all()
    assert torch.isfinite(explanation.maps[:, [0, 2, 3]]).all()


# -- heads -------------------------------------------------------------------------------------------------------------


class Returning(nn.Module):
    def __init__(self, inner: nn.Module, how: Any) -> None:
        super().__init__()
        self.inner = inner
        self.how = how

    def forward(self, images: Tensor) -> Any:
        return self.how(self.inner(images))


@pytest.mark.parametrize(
    ("how", "options"),
    [
        (torch.sigmoid, {"head": "probabilities"}),
        (lambda z: torch.stack([torch.zeros_like(z), z], -1), {"head": "two_logits"}),
        (lambda z: (None, z), {"output": 1}),
        (lambda z: {"aux": z * 0, "logits": z}, {"output": "logits"}),
        (lambda z: z, {"head": "margin"}),
    ],
)
def test_every_stated_head_gives_the_same_logits_and_maps(
    tiny: nn.Module, images: Tensor, how: Any, options: dict[str, Any]
) -> None:
    expected = Explainer(tiny.double(), ATTRIBUTES)(images.double())
    got = Explainer(Returning(tiny, how), names=ATTRIBUTES, **options)(images.double())
    torch.testing.assert_close(got.logits, expected.logits)
    torch.testing.assert_close(got.maps, expected.maps)
    assert got.kind == "exact"
    assert float(got.ledger().gap.abs().max()) < 1e-9


@pytest.mark.parametrize("how", [lambda z: z[:, 0], lambda z: z[:, :1]])
def test_single_logit(tiny: nn.Module, images: Tensor, how: Any) -> None:
    expected = Explainer(tiny, ["Smiling"], names=ATTRIBUTES)(images)
    got = Explainer(Returning(tiny, how), ["Smiling"])(images)
    assert got.logits.shape == (3, 1)
    torch.testing.assert_close(got.maps, expected.maps)


def test_saturated_probabilities_are_refused_with_their_count(tiny: nn.Module, images: Tensor) -> None:
    model = Returning(tiny, lambda z: torch.sigmoid(1e4 * z))
    with pytest.raises(InputError, match=r"12 of 12 probabilities are exactly 0 or 1"):
        Explainer(model, head="probabilities")(images)
    with pytest.raises(InputError, match=r"outside \[0, 1\].*before a sigmoid are head=.logits"):
        Explainer(Returning(tiny, lambda z: z * 10), head="probabilities")(images)


def test_built_models_explain_themselves() -> None:
    torch.manual_seed(0)
    model = randomize(build("resnet10t", ATTRIBUTES, input_size=(64, 48), thresholds={"Bald": 0.25}))
    explainer = Explainer(model)
    assert explainer.selection.thresholds.tolist() == [0, 0.25, 0, 0]
    from PIL import Image

    picture = explainer.preprocess(Image.new("RGB", (80, 100), (255, 0, 0)))
    assert picture.shape == (3, 64, 48)
    assert explainer(picture[None]).maps.shape == (1, 4, 2, 2)
    assert explainer.anatomy((64, 48)).kind == "exact"
