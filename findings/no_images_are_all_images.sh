#!/usr/bin/env bash
# Guessed: pycocotools' getAnnIds and getImgIds filter: of an empty list of images there are no annotations, and of an empty
# list of categories no images.
# True: an empty list means no filter: all annotations, all images. An unknown category, or an unknown image, gives none.
# Matters: a split, a slice or a batch that happens to be empty is evaluated with the boxes of the whole data set.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pycocotools==2.0.11 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io
from importlib.metadata import version

from pycocotools.coco import COCO

print("pycocotools", version("pycocotools"))
with contextlib.redirect_stdout(io.StringIO()):
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number, "height": 8, "width": 8} for number in (1, 2, 3)],
        "categories": [{"id": 1, "name": "face"}],
        "annotations": [
            {"id": 10 + image, "image_id": image, "category_id": 1, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 0}
            for image in (1, 2, 3)
        ],
    }
    coco.createIndex()
asked = {
    "annotations of image 2": coco.getAnnIds(imgIds=[2]),
    "annotations of image 7, which is unknown": coco.getAnnIds(imgIds=[7]),
    "annotations of no image": coco.getAnnIds(imgIds=[]),
    "images with no category asked for": sorted(coco.getImgIds(catIds=[])),
}
for question, found in asked.items():
    print(f"{question:42} {found}")
if list(asked.values()) != [[12], [], [11, 12, 13], [1, 2, 3]]:
    raise SystemExit("the behaviour has changed")
PYTHON
