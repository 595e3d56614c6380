"""Readers of formats of data sets of objects, with their boxes and masks."""

from __future__ import annotations

from bincam.data.readers.format import Format, either, holds, named, says

FORMATS: tuple[Format, ...] = (
    Format(
        "coco",
        "COCO's annotations of objects, as many programs write them",
        "a .json file with images, annotations and categories",
        "objects.coco:coco",
        says(".json", "{", '"images"', '"categories"'),
    ),
    Format(
        "cub",
        "Caltech-UCSD Birds-200-2011",
        "images.txt, classes.txt and bounding_boxes.txt",
        "objects.cub:cub",
        holds("images.txt", "classes.txt", "bounding_boxes.txt"),
    ),
    Format(
        "cvat",
        "CVAT's export 'CVAT for images 1.1'",
        "annotations.xml that begins with <annotations>",
        "objects.cvat:cvat",
        says(".xml", "<", "<annotations>"),
    ),
    Format(
        "ilsvrc",
        "ILSVRC 2012 (ImageNet)",
        "ILSVRC/Data/CLS-LOC or Data/CLS-LOC, with train and val",
        "objects.ilsvrc:ilsvrc",
        either(holds("Data/CLS-LOC"), holds("ILSVRC/Data/CLS-LOC")),
    ),
    Format(
        "label_studio",
        "Label Studio's export 'JSON'",
        "a .json file with a list of tasks",
        "objects.label_studio:label_studio",
        says(".json", "[", '"annotations"', '"data"'),
    ),
    Format(
        "open_images",
        "boxes of Open Images",
        "a file *-annotations-bbox.csv",
        "objects.open_images:open_images",
        named("-annotations-bbox.csv"),
    ),
    Format(
        "voc",
        "PASCAL VOC, and programs that write its XML files",
        "Annotations with .xml files, and JPEGImages",
        "objects.voc:voc",
        holds("Annotations/*.xml", "JPEGImages"),
    ),
    Format(
        "wsol",
        "the lists of wsolevaluation",
        "image_ids.txt and class_labels.txt in train, val or test",
        "objects.wsol:wsol",
        either(*(holds(f"{split}/image_ids.txt", f"{split}/class_labels.txt") for split in ("train", "val", "test"))),
    ),
)
