"""Readers of formats of data sets of faces."""

from __future__ import annotations

from pathlib import Path

from bincam.data.readers.format import Format, either, holds, named

_ATTRIBUTES = [f"{place}list_attr_celeba.{ending}" for place in ("", "celeba/", "Anno/") for ending in ("txt", "csv")]
_WIDER = ("", "wider_attribute_annotation/", "Anno/", "Annotations/")


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
        "celebamask_hq",
        "CelebAMask-HQ: CelebA's attributes of larger images, with masks of parts",
        "CelebAMask-HQ-attribute-anno.txt and CelebA-HQ-img",
        "faces.celebamask_hq:celebamask_hq",
        holds("CelebAMask-HQ-attribute-anno.txt", "CelebA-HQ-img"),
    ),
    Format(
        "lfwa",
        "LFWA: CelebA's attributes of Labeled Faces in the Wild",
        "lfw_att_40.mat, and lfw or lfw-deepfunneled",
        "faces.lfwa:lfwa",
        either(holds("lfw_att_40.mat"), holds("Anno/lfw_att_40.mat")),
    ),
    Format(
        "maad_face",
        "MAAD-Face: 47 attributes of VGGFace2; 0 is undefined",
        "MAAD_Face.csv",
        "faces.maad_face:maad_face",
        either(holds("MAAD_Face.csv"), named("MAAD_Face.csv")),
    ),
    Format(
        "wider_attribute",
        "WIDER Attribute: people in photographs; 0 is unspecified",
        "wider_attribute_trainval.json or wider_attribute_test.json, and Image",
        "faces.wider_attribute:wider_attribute",
        either(*(holds(f"{place}wider_attribute_*.json", "Image") for place in _WIDER)),
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
