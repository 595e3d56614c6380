"""Readers of formats of data sets of faces."""

from __future__ import annotations

from pathlib import Path

from bincam.data.readers.format import Format, either, holds

_ATTRIBUTES = [f"{place}list_attr_celeba.{ending}" for place in ("", "celeba/", "Anno/") for ending in ("txt", "csv")]


def _utkface(path: Path) -> bool:
    from bincam.data.readers.faces.utkface import recognise

    return recognise(path)


FORMATS: tuple[Format, ...] = (
    Format(
        "celeba",
        "CelebA, or a folder in its layout, such as generated faces",
        "list_attr_celeba.txt, and img_align_celeba or img_celeba",
        "faces.celeba:celeba",
        either(*(holds(name) for name in (*_ATTRIBUTES, "img_align_celeba", "img_celeba", "Img/img_align_celeba"))),
    ),
    Format(
        "fairface",
        "FairFace: age, gender and race",
        "fairface_label_train.csv, fairface_label_val.csv",
        "faces.fairface:fairface",
        either(holds("fairface_label_train.csv"), holds("fairface_label_val.csv")),
    ),
    Format(
        "utkface",
        "UTKFace: age, gender and race in the names of files",
        "images named AGE_GENDER_RACE_TIME.jpg",
        "faces.utkface:utkface",
        _utkface,
    ),
)
