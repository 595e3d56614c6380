"""Places of tokens: joined with others, rearranged, mixed, chosen by their values, or pooled by queries."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bincam.cam import Explainer
from bincam.errors import UnsupportedError
from bincam.models import resolve
from bincam.models.layers import candidates
from bincam.models.tracing.trace import record
from tests.conftest import randomize
from tests.models.grids.token_models import GRID, JOINED, ORDER, LearnedQuery, Tokens, noise, read


@pytest.mark.parametrize("name", JOINED)
def test_maps_are_in_raster_order_wherever_the_tokens_are(name: str) -> None:
    rearrange, prefix, suffix = JOINED[name]
    torch.manual_seed(0)
    model = randomize(Tokens(rearrange)).double()
    image = noise().double()
    anatomy = resolve(model, image, read)
    layout = anatomy.layer.layout
    assert (anatomy.kind, layout.grid, layout.prefix, layout.suffix) == ("exact", GRID, prefix, suffix)
    explanation = Explainer(model, method="cam")(image)
    assert explanation.complete
    assert explanation.decomposition is not None
    assert float(explanation.identity_gap.abs().max()) < 1e-12
    # Oracle: the head's contribution of each patch, from the patches themselves.
    patches = model.norm(model.embed(image).flatten(2).transpose(1, 2))
    count = 15 + prefix + suffix
    evidence = (patches @ model.head.weight.T).transpose(1, 2).reshape(1, 2, *GRID) / count
    torch.testing.assert_close(explanation.decomposition.evidence, evidence.detach())
    extra = explanation.decomposition.prefix
    assert (float(extra.abs().min()) > 0) == (prefix + suffix > 0)


@pytest.mark.parametrize("name", ["last", "middle", "permuted"])
def test_moving_a_patch_moves_the_map(name: str) -> None:
    torch.manual_seed(0)
    model = Tokens(JOINED[name][0]).eval()
    images = noise().repeat(15, 1, 1, 1)
    for cell in range(15):
        i, j = divmod(cell, 5)
        images[cell, :, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4] += 2
    before = Explainer(model, method="cam")(noise(), side="positive").maps
    after = Explainer(model, method="cam")(images, side="positive").maps
    changed = (after - before).abs().sum(1).flatten(1)
    assert changed.argmax(1).tolist() == list(range(15))


def test_a_product_with_a_permutation_is_no_grid_but_what_it_reads_is() -> None:
    class Mixed(Tokens):
        def __init__(self) -> None:
            super().__init__(lambda _, tokens: torch.eye(15)[ORDER] @ tokens)

    torch.manual_seed(0)
    anatomy = resolve(Mixed().eval(), noise(), read)
    assert anatomy.kind == "diagnostic"
    assert (anatomy.layer.name, anatomy.layer.layout.grid) == ("embed", GRID)


def test_tokens_chosen_by_their_values_have_no_place() -> None:
    def strongest(_: Tokens, tokens: Tensor) -> Tensor:
        order = tokens.norm(dim=2).argsort(1)
        return torch.gather(tokens, 1, order[..., None].expand_as(tokens))

    torch.manual_seed(0)
    anatomy = resolve(Tokens(strongest).eval(), noise(), read)
    assert (anatomy.kind, anatomy.layer.name) == ("diagnostic", "embed")


def test_tokens_that_cannot_be_followed_are_no_grid() -> None:
    def transformed(_: Tokens, tokens: Tensor) -> Tensor:  # complex numbers are not followed
        pairs = torch.view_as_complex(tokens.reshape(len(tokens), -1, 3, 2).contiguous())
        return torch.view_as_real(pairs[:, ORDER]).flatten(2)

    torch.manual_seed(0)
    model = Tokens(transformed).eval()
    anatomy = resolve(model, noise(), read)
    assert (anatomy.kind, anatomy.layer.name, anatomy.layer.layout.grid) == ("diagnostic", "embed", GRID)
    assert "do not respond to their own places" in anatomy.reason
    with pytest.raises(UnsupportedError, match=r"'norm'.*own places.*layers with a grid: embed"):
        resolve(model, noise(), read, layer="norm")
    assert Explainer(model, layer="embed", method="hirescam")(noise()).maps.shape[-2:] == GRID


def test_heads_and_queries_are_no_cells() -> None:
    torch.manual_seed(0)
    anatomy = resolve(LearnedQuery().eval(), noise(), read)
    assert (anatomy.kind, anatomy.layer.name, anatomy.layer.layout.grid) == ("diagnostic", "norm", GRID)


def test_patches_embedded_by_a_linear_layer() -> None:
    class LinearPatches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(48, 6)
            self.head = nn.Linear(6, 2)

        def forward(self, images: Tensor) -> Tensor:
            b, c, h, w = images.shape
            patches = images.reshape(b, c, h // 4, 4, w // 4, 4).permute(0, 2, 4, 3, 5, 1).reshape(b, -1, 16 * c)
            return self.head(self.embed(patches).mean(1))

    torch.manual_seed(0)
    anatomy = resolve(LinearPatches().eval(), noise(), read)
    assert (anatomy.kind, anatomy.layer.name, anatomy.layer.layout.grid) == ("exact", "embed", GRID)


def test_candidates_without_a_proof_are_those_of_the_trace() -> None:
    torch.manual_seed(0)
    model = Tokens(JOINED["last"][0]).eval()
    assert candidates(record(model, noise(), read)) == ["norm", "embed"]
