"""Any timm backbone with an attribute head, at square and other sizes, and complete timm models."""

from __future__ import annotations

import re

import pytest
import torch
from timm.models.crossvit import CrossVit
from torch import nn

from bincam.errors import InputError
from bincam.models.card import make_card
from bincam.models.classifier import AttributeClassifier, build, construct
from bincam.models.network import AttributeNet
from bincam.models.open import open_model

BACKBONES = [
    ("resnet10t", (32, 64), {}),
    ("convnext_atto", (64, 32), {}),
    ("vit_tiny_patch16_224", (48, 80), {}),
    ("swin_tiny_patch4_window7_224", (64, 96), {"embed_dim": 24, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 4, 8]}),
    ("mobilenetv3_small_050", (64, 96), {}),
    ("tf_efficientnet_lite0", (64, 96), {}),
    ("mixer_s32_224", (224, 224), {}),  # tokens without a patch_embed attribute
]


@pytest.mark.parametrize(("backbone", "size", "options"), BACKBONES)
def test_logits_are_the_head_of_the_mean_over_the_backbone_s_grid(backbone, size, options):
    model = build(backbone, ["a", "b", "c"], input_size=size, **options).eval()
    height, width = model.card.input_size
    x = torch.randn(2, 3, height, width)
    with torch.no_grad():
        logits = model(x)
        features = model.network.backbone.forward_features(x)
    if features.ndim == 3:
        features = features[:, getattr(model.network.backbone, "num_prefix_tokens", 0) :]
        pooled = features.mean(1)
    else:
        channels_last = features.shape[-1] == model.network.backbone.num_features
        pooled = features.mean((1, 2) if channels_last else (2, 3))
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits, model.network.head(pooled), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max", "logsumexp", "attention"])
@pytest.mark.parametrize("backbone", ["resnet10t", "vit_tiny_patch16_224"])
def test_every_pooling(backbone, pooling):
    model = build(backbone, ["a"], input_size=(32, 48), pooling=pooling)
    logits = model(torch.randn(2, 3, 32, 48))
    assert logits.shape == (2, 1)
    logits.sum().backward()
    assert all(p.grad is not None for p in model.network.head.parameters())


def test_dropout_precedes_the_head_in_training_only():
    model = build("resnet10t", ["a"], input_size=(32, 32), drop_rate=0.5).eval()
    plain = AttributeClassifier(construct(build("resnet10t", ["a"], input_size=(32, 32)).card), model.card).eval()
    plain.load_state_dict(model.state_dict())
    assert build("resnet10t", ["a"], input_size=(32, 32), drop_rate=None).network.drop_rate == 0
    x, seen = torch.randn(1, 3, 32, 32), []
    assert torch.equal(model(x), plain(x))
    model.network.head.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    with torch.no_grad():
        model(x)
        for module in (model, model.network):  # the backbone's statistics stay
            module.training = True
        model(x)
    before, after = (features[seen[0] > 0] for features in seen)
    assert 0.4 < (after > 0).float().mean() < 0.6
    torch.testing.assert_close(after[after > 0], 2 * before[after > 0])


def test_the_token_grid_has_the_image_s_orientation():
    model = build("vit_tiny_patch16_224", ["a"], input_size=(32, 64)).eval()
    seen = []
    model.network.pool.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    with torch.no_grad():
        model(torch.randn(1, 3, 32, 64))
        tokens = model.network.backbone.forward_features(torch.zeros(1, 3, 32, 64))
        model(torch.zeros(1, 3, 32, 64))
    assert seen[0].shape == (1, 192, 2, 4)
    assert torch.equal(seen[1][0, :, 1, 2], tokens[0, 1 + 1 * 4 + 2])


def test_the_card_has_the_backbone_s_own_statistics_by_default():
    own = build("convnext_atto", ["a"]).card
    assert (own.input_size, own.mean[0], own.head) == ((224, 224), 0.485, "logits")
    explicit = build("convnext_atto", ["a"], input_size=(64, 32), mean=(0.5,) * 3, std=(0.2,) * 3).card
    assert (explicit.input_size, explicit.mean, explicit.std) == ((64, 32), (0.5,) * 3, (0.2,) * 3)


@pytest.mark.parametrize("backbone", ["pit_ti_224", "coat_lite_tiny"])  # class tokens alone; one before the tokens
@pytest.mark.parametrize("size", [(64, 96), (64, 64)])
def test_backbones_whose_features_are_no_plain_grid_are_exact(backbone, size):
    from bincam.cam import Explainer

    torch.manual_seed(0)
    model = build(backbone, ["a", "b"], input_size=size).eval()
    explanation = Explainer(model, method="cam")(torch.randn(2, 3, *size), "positive")
    assert explanation.kind == "exact"
    assert explanation.maps.shape[-2:] == (size[0] // 32, size[1] // 32)
    torch.testing.assert_close(explanation.maps.sum((-2, -1)) + explanation.bias, explanation.logits)


def test_as_many_channels_as_rows_and_columns():
    options = {"embed_dim": 2, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1]}
    model = build("swin_tiny_patch4_window7_224", ["a"], input_size=(512, 512), **options).eval()
    seen = []
    model.network.pool.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    x = torch.randn(1, 3, 512, 512)
    with torch.no_grad():
        model(x)
        features = model.network.backbone.forward_features(x)
    assert features.shape == (1, 16, 16, 16)  # (B, h, w, C), but nothing in these numbers says so
    assert torch.equal(seen[0], features.permute(0, 3, 1, 2))


@pytest.mark.parametrize("backbone", ["convit_tiny", "mvitv2_tiny", "crossvit_tiny_240"])
def test_a_size_that_a_backbone_does_not_take_is_refused_with_one_that_it_takes(backbone):
    with pytest.raises(InputError, match=r"own size is input_size=\((\d+), (\d+)\)") as caught:
        build(backbone, ["a"], input_size=(64, 96))
    advised = re.search(r"input_size=\((\d+), (\d+)\)", str(caught.value))
    size = (int(advised[1]), int(advised[2]))
    if backbone.startswith("crossvit") and not hasattr(CrossVit, "forward_intermediates"):
        pytest.skip("this version of timm gives CrossVit's tokens without their grid, which no size mends")
    assert build(backbone, ["a"], input_size=size).card.input_size == size


def test_one_channel():
    model = build("resnet10t", ["a"], in_chans=1, mean=(0.5,), std=(0.5,), input_size=(32, 32)).eval()
    assert model(torch.randn(1, 1, 32, 32)).shape == (1, 1)


@pytest.mark.parametrize(
    ("backbone", "attributes", "options", "message"),
    [
        ("resnet10", ["a"], {}, "timm has no model 'resnet10'; did you mean"),
        ("resnet10t.nope", ["a"], {}, "no weights called 'resnet10t.nope'"),
        ("resnet10t", "Smiling", {}, r"attributes='Smiling' is one string"),
        ("resnet10t", ["a", "a"], {}, "repeated names: a"),
        ("resnet10t", [], {}, "attributes"),
        ("resnet10t", ["a"], {"pooling": "avg"}, "pooling.*'mean'"),
        ("resnet10t", ["a"], {"nonsense": 3}, "'resnet10t'.*nonsense"),
        ("resnet10t", ["a"], {"norm_layer": "nonsense"}, "norm_layer.*nonsense"),
        ("resnet10t", ["a"], {"drop_rate": "much"}, "'drop_rate': expected a number from 0 to below 1, got 'much'"),
        ("resnet10t", ["a"], {"drop_rate": 1}, "'drop_rate'"),
        ("resnet10t", ["a"], {"num_classes": 3}, "option 'num_classes'"),
        ("vit_tiny_patch16_224", ["a"], {"img_size": 64}, "option 'img_size'.*input_size="),
        ("resnet10t", ["a"], {"act_layer": torch.nn.ReLU}, "option 'act_layer'"),
        ("resnet10t", ["a"], {"input_size": 64}, "input_size"),
        ("resnet10t", ["a"], {"mean": (0.5,), "std": (0.5,)}, "mean has 1 values, but the backbone reads 3"),
        ("resnet10t", ["a"], {"in_chans": 1}, "mean has 3 values, but the backbone reads 1"),
        ("resnet10t", ["a"], {"thresholds": {"b": 0.0}}, "thresholds names 'b'"),
    ],
)
def test_what_cannot_be_built_is_named(backbone, attributes, options, message):
    with pytest.raises(InputError, match=message) as caught:
        build(backbone, attributes, **options)
    assert "\n" not in str(caught.value)


def test_pretrained_weights_without_a_network_are_one_line(monkeypatch):
    import timm

    create = timm.create_model

    def offline(name, pretrained=False, **options):  # what the hub's client raises, without its minute of retries
        if pretrained:
            raise ConnectionError("Name or service not known\nand more lines")
        return create(name, **options)

    monkeypatch.setattr("timm.create_model", offline)
    for make in (lambda: build("resnet10t", ["a"], pretrained=True), lambda: open_model("resnet10t")):
        with pytest.raises(InputError, match="pretrained weights of 'resnet10t'") as caught:
            make()
        assert "\n" not in str(caught.value)


def test_open_model_gives_timm_s_model_with_its_class_names(monkeypatch):
    monkeypatch.setattr("bincam.models.open.construct", lambda card, **_: construct(card))
    model = open_model("resnet10t")
    assert not model.training
    assert len(model.card.attributes) == 1000
    assert "goldfish" in model.card.attributes[1]
    assert model.card.one_of == {"class": model.card.attributes}
    assert model(torch.randn(1, 3, 32, 32)).shape == (1, 1000)


def test_open_model_of_what_is_neither_folder_nor_name(tmp_path):
    (tmp_path / "w.pt").touch()
    with pytest.raises(InputError, match=r"w\.pt is a file.*bincam card"):
        open_model(tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"runs/x is not a folder, and timm has no model"):
        open_model("runs/x")


@pytest.mark.parametrize(
    ("names", "head", "outputs"), [(("a", "b"), "logits", 2), (("a",), "two_logits", 2), (("a",), "logits", 1)]
)
def test_a_complete_timm_model_has_as_many_outputs_as_the_head_needs(names, head, outputs):
    card = make_card(attributes=names, architecture="timm", name="resnet10t", head=head, input_size=(32, 32))
    network = construct(card).eval()
    assert network(torch.randn(1, 3, 32, 32)).shape == (1, outputs)
    assert AttributeClassifier(network, card)(torch.randn(2, 3, 32, 32)).shape == (2, len(names))


def test_which_of_a_timm_models_outputs_are_pairs_is_not_guessed():
    with pytest.raises(InputError, match=r"2 pairs.*factory.*\(B, A, 2\)"):
        make_card(attributes=("a", "b"), architecture="timm", name="resnet10t", head="two_logits", input_size=(32, 32))


def test_a_forward_that_does_not_fit_the_card_says_so(tiny):
    card = make_card(attributes=("a", "b"), architecture="timm", name="x", input_size=(12, 16))
    with pytest.raises(InputError, match=r"\(1, 4\).*2 attributes"):
        AttributeClassifier(tiny, card)(torch.randn(1, 3, 12, 16))


class Lists(nn.Module):
    num_features = 4

    def forward_features(self, images):
        return [images, images]


class Tokens(nn.Module):
    num_features = 4

    def forward_features(self, images):
        return torch.zeros(len(images), 7, 4)


@pytest.mark.parametrize(
    ("backbone", "message"), [(Lists(), "Lists returns 2 tensors"), (Tokens(), "Tokens returns 7 tok")]
)
def test_a_backbone_without_a_grid_is_named(backbone, message):
    with pytest.raises(InputError, match=message):
        AttributeNet(backbone, 1, pooling="mean", input_size=(8, 8), channels=3)
