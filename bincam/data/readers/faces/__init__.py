"""Readers of formats of data sets of faces."""

from __future__ import annotations

from bincam.data.readers.format import Format, either, holds

_ATTRIBUTES = [f"{place}list_attr_celeba.{ending}" for place in ("", "celeba/", "Anno/") for ending in ("txt", "csv")]

FORMATS: tuple[Format, ...] = (
    Format(
        "celeba",
        "CelebA, or a folder in its layout, such as generated faces",
        "list_attr_celeba.txt, and img_align_celeba or img_celeba",
        "faces.celeba:celeba",
        either(*(holds(name) for name in (*_ATTRIBUTES, "img_align_celeba", "img_celeba", "Img/img_align_celeba"))),
    ),
)
