"""Options of timm's architectures that a card may pass on: numbers and names of layers, and nothing that is opened.

A card comes with a model's folder, from whoever made it. What timm's ``create_model`` takes besides an architecture's
own options names files and folders to read (``checkpoint_path``, ``cache_dir``) and configurations with addresses to
download from (``pretrained_cfg``), so options are allowed by name.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from torch import nn

from bincam.errors import InputError, nearest

DERIVED = ("num_classes", "pretrained", "img_size", "global_pool")
"""Options that follow from other fields of a card."""

ALLOWED = frozenset(
    [
        "act_layer",
        "aa_layer",
        "attn_drop_rate",
        "attn_layer",
        "attn_mlp_ratio",
        "attn_ratio",
        "avg_down",
        "aa_stem_only",
        "base_width",
        "block_args",
        "block_reduce_first",
        "cardinality",
        "channel_multiplier",
        "channels",
        "class_token",
        "conv_bias",
        "conv_mlp",
        "conv_ratio",
        "depth",
        "depth_mult",
        "depths",
        "dims",
        "down_kernel_size",
        "downsamples",
        "downsample_ratio",
        "drop_block_rate",
        "drop_path_rate",
        "drop_rate",
        "dynamic_img_pad",
        "dynamic_img_size",
        "embed_dim",
        "embed_dims",
        "embed_norm",
        "expand_ratio",
        "fc_norm",
        "final_norm",
        "fix_stem",
        "growth_rate",
        "growth_rates",
        "head_dim",
        "head_hidden_size",
        "head_init_scale",
        "head_norm_first",
        "in_chans",
        "init_values",
        "kernel_size",
        "kernel_sizes",
        "layer_scale_init_value",
        "layers",
        "local_up_to_layer",
        "locality_strength",
        "ls_init_value",
        "mlp_layer",
        "mlp_ratio",
        "mlp_ratios",
        "no_embed_class",
        "norm_eps",
        "norm_layer",
        "num_heads",
        "num_init_features",
        "num_reg_tokens",
        "output_stride",
        "pad_type",
        "patch_drop_rate",
        "patch_size",
        "pool_size",
        "pos_drop_rate",
        "pos_embed",
        "pre_norm",
        "proj_bias",
        "proj_drop_rate",
        "qk_norm",
        "qkv_bias",
        "reg_tokens",
        "replace_stem_pool",
        "se_layer",
        "se_ratio",
        "sr_ratios",
        "stem_bias",
        "stem_chs",
        "stem_norm",
        "stem_size",
        "stem_stride",
        "stem_type",
        "stem_width",
        "strict_img_size",
        "strides",
        "swiglu_mlp",
        "token_mixers",
        "use_abs_pos_emb",
        "use_fc_norm",
        "use_grn",
        "use_rope",
        "use_layer_scale",
        "weight_init",
        "width_mult",
        "widths",
        "window_size",
        "window_sizes",
        "zero_init_last",
    ]
)
"""Numbers, switches and names of layers that many of timm's architectures take, some of them by ``**kwargs``."""

_NOT_PLAIN = frozenset(["block_cfg", "cfg", "cfgs", "device", "dtype", "pretrained_cfg", "pretrained_cfg_overlay"])
"""Arguments of constructors that are configurations, or that follow from where a model is put."""

_LAYER = re.compile(r"[A-Za-z0-9_]{0,40}")


def check_options(architecture: str, options: Mapping[str, Any]) -> None:
    """Refuse options that a card may not pass to timm.

    Args:
        architecture: Its name, for messages.
        options: Keyword arguments, as a card has them.

    Raises:
        InputError: An option follows from the card, is neither in ``ALLOWED`` nor an argument of the architecture's own
            constructor, or its value holds more than numbers and names of layers.

    Example:
        >>> check_options("resnet18", {"drop_path_rate": 0.1, "norm_layer": "groupnorm"})
        >>> check_options("resnet18", {"checkpoint_path": "elsewhere.pt"})
        Traceback (most recent call last):
        bincam.errors.InputError: 'resnet18': option 'checkpoint_path' is none that a card may pass to timm; ...
    """
    for name, value in options.items():
        where = f"{architecture!r}: option {name!r}"
        if name in DERIVED:
            raise InputError(
                f"{where} follows from the card and cannot be set; the number of outputs is that of the attributes, "
                "and size and pooling are input_size= and pooling="
            )
        if name not in ALLOWED and name not in (own := constructor_arguments(architecture)):
            raise InputError(
                f"{where} is none that a card may pass to timm{nearest(name, sorted(ALLOWED | own))}; build other "
                "networks in a function of your own (architecture 'factory')"
            )
        if not _plain(value):
            raise InputError(f"{where}: expected numbers and names of layers, got {value!r}")


@lru_cache(maxsize=64)
def constructor_arguments(architecture: str) -> frozenset[str]:
    """Return the arguments of the constructors of classifiers in the module of timm that defines an architecture.

    They are the network's own: what ``create_model`` itself takes, files and addresses among them, is not passed to a
    constructor by name.

    Args:
        architecture: A name of timm's, with or without a tag.

    Returns:
        Their names; none of an architecture that timm does not have.

    Example:
        >>> sorted(constructor_arguments("hieradet_small") & {"stages", "checkpoint_path"})
        ['stages']
    """
    from timm.models import is_model, model_entrypoint

    name = architecture.partition(".")[0]
    if not is_model(name):
        return frozenset()
    module = inspect.getmodule(model_entrypoint(name))
    names: set[str] = set()
    for kind in vars(module).values():
        if inspect.isclass(kind) and issubclass(kind, nn.Module) and kind.__module__ == getattr(module, "__name__", ""):
            parameters = inspect.signature(kind).parameters
            names.update(parameters if "num_classes" in parameters else ())
    return frozenset(names - _NOT_PLAIN)


def _plain(value: Any) -> bool:
    """True for numbers, switches, names of layers, and lists and mappings of them."""
    if isinstance(value, str):
        return _LAYER.fullmatch(value) is not None
    if isinstance(value, Mapping):
        return all(_plain(str(key)) and _plain(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return value is None or isinstance(value, bool | int | float)
