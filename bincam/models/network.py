"""The network of bincam's own heads: a timm backbone, a pooling and one or two linear layers."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from bincam.models.card import DECISIONS, LABEL_SETS
from bincam.models.poolings.cell_pooling import CellPool
from bincam.models.poolings.features import grid_features
from bincam.models.poolings.pooling import make_pool


class AttributeNet(nn.Module):
    """A timm backbone, a pooling and one linear layer: ``images (B, C, H, W)`` to logits ``(B, A)``.

    A pooling of cell scores follows the linear layer, which is then applied to every cell. With ``set_outputs`` a
    second linear layer reads the same features, and both outputs are returned by the names ``decisions`` and
    ``label_sets``.

    Args:
        backbone: A timm model; its own classifier is not used.
        count: A.
        pooling: Name of the pooling, see ``bincam.models.poolings.pooling``.
        input_size: ``(H, W)`` of one forward pass that determines the axes of the backbone's features.
        channels: Number of image channels.
        drop_rate: Dropout before the linear layer, in training mode; where it is applied to cells, a channel is dropped
            in all cells of an image, as behind mean pooling.
        pooling_options: Keyword arguments of the pooling.
        set_outputs: S, the number of outputs of a second head for label sets; 0 for none.

    Raises:
        InputError: The backbone does not take images of this size, or has no features with a grid.
    """

    def __init__(
        self,
        backbone: nn.Module,
        count: int,
        *,
        pooling: str,
        input_size: tuple[int, int],
        channels: int,
        drop_rate: float = 0.0,
        pooling_options: Mapping[str, float] | None = None,
        set_outputs: int = 0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.drop_rate = drop_rate
        self._features = grid_features(backbone, input_size, channels)
        self.pool = make_pool(pooling, self._features.width, pooling_options)
        self.head = nn.Linear(self._features.width, count)
        # Made last, so that the other weights of a seed are those of the network without it.
        self.set_head = nn.Linear(self._features.width, set_outputs) if set_outputs else None

    def forward(self, images: Tensor) -> Tensor | dict[str, Tensor]:
        """``(B, C, H, W)`` to ``(B, A)``, or to a dict of this and ``(B, S)``."""
        features = self._features.of(self.backbone, images)  # (B, D, h, w)
        if isinstance(self.pool, CellPool):
            if self.training and self.drop_rate:
                features = nn.functional.dropout2d(features, self.drop_rate)
        else:
            features = self.pool(features)  # (B, D)
            if self.training and self.drop_rate:
                features = nn.functional.dropout(features, self.drop_rate)
        logits = self._read(self.head, features)
        return logits if self.set_head is None else {DECISIONS: logits, LABEL_SETS: self._read(self.set_head, features)}

    def _read(self, head: nn.Linear, features: Tensor) -> Tensor:
        """Apply a head to pooled features, or to every cell and pool what it says."""
        if isinstance(self.pool, CellPool):
            cells = nn.functional.conv2d(features, head.weight[:, :, None, None], head.bias)
            of_cells: Tensor = self.pool(cells)
            return of_cells
        logits: Tensor = head(features)
        return logits
