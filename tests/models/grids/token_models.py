"""Tiny models of patch tokens, of which it is known where each token is in the image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE = (12, 20)
GRID = (3, 5)


def read(raw: Tensor) -> Tensor:
    return raw


def noise(size: tuple[int, int] = SIZE, count: int = 1) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(3))


class Tokens(nn.Module):
    """Patch tokens, changed by ``rearrange``, a mean over all of them, and a linear head."""

    def __init__(self, rearrange: Callable[[Tokens, Tensor], Tensor], *, channels_last: bool = False) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 6, 4, stride=4)
        self.extra = nn.Parameter(torch.randn(1, 4, 6))
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 2)
        self.rearrange = rearrange
        self.channels_last = channels_last

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images).flatten(2).transpose(1, 2)  # (B, 15, 6)
        return self.head(self.norm(self.rearrange(self, tokens)).mean(1))


def assigned(model: Tokens, tokens: Tensor) -> Tensor:
    joined = tokens.new_zeros(len(tokens), 19, 6)
    joined[:, 2:17] = tokens
    joined[:, :2] = model.extra[:, :2]
    joined[:, 17:] = model.extra[:, 2:]
    return joined


ORDER = torch.randperm(15, generator=torch.Generator().manual_seed(1))

JOINED: dict[str, tuple[Callable[[Tokens, Tensor], Tensor], int, int]] = {
    "first": (lambda m, t: torch.cat([m.extra.expand(len(t), -1, -1), t], 1), 4, 0),
    "last": (lambda m, t: torch.cat([t, m.extra.expand(len(t), -1, -1)], 1), 0, 4),
    "both ends": (lambda m, t: torch.cat([m.extra[:, :1], t, m.extra[:, 1:]], 1), 1, 3),
    "middle": (lambda m, t: torch.cat([t[:, :7], m.extra.expand(len(t), -1, -1), t[:, 7:]], 1), 0, 4),
    "padded": (lambda _, t: functional.pad(t, (0, 0, 0, 4)), 0, 4),
    "assigned": (assigned, 2, 2),
    "permuted": (lambda _, t: t[:, ORDER], 0, 0),
    "mirrored": (lambda _, t: t.flip(1), 0, 0),
    "transposed": (lambda _, t: t.unflatten(1, GRID).transpose(1, 2).flatten(1, 2), 0, 0),
    "gathered": (lambda _, t: torch.gather(t, 1, ORDER[None, :, None].expand(len(t), -1, 6)), 0, 0),
    "shifted": (lambda m, t: torch.cat([t.roll(4, 1), m.extra], 1), 0, 4),
}


class LearnedQuery(nn.Module):
    """Two queries of three heads that attend to patches: 2 x 3 "cells" that are no places."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 12, 4, stride=4)
        self.norm = nn.LayerNorm(12)
        self.query = nn.Parameter(torch.randn(1, 3, 2, 4))
        self.kv = nn.Linear(12, 24)
        self.head = nn.Linear(24, 2)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.norm(self.embed(images).flatten(2).transpose(1, 2))
        k, v = self.kv(tokens).reshape(len(tokens), -1, 2, 3, 4).permute(2, 0, 3, 1, 4).unbind(0)
        pooled = functional.scaled_dot_product_attention(self.query.expand(len(tokens), -1, -1, -1), k, v)
        return self.head(pooled.flatten(1))
