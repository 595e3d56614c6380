"""Readers of formats of data sets of medical images."""

from __future__ import annotations

from bincam.data.readers.format import Format, holds, says

FORMATS: tuple[Format, ...] = (
    Format(
        "dicom",
        "DICOM files, with their labels in a table",
        "a .csv or .parquet file whose paths end in .dcm",
        "medical.dicom:dicom",
    ),
    Format(
        "chexpert",
        "CheXpert: findings of chest radiographs; -1 is uncertain",
        "train.csv or valid.csv with paths of CheXpert-v1.0",
        "medical.chexpert:chexpert",
        says(".csv", "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding"),
    ),
    Format(
        "nih",
        "NIH ChestX-ray14, with its boxes",
        "Data_Entry_2017.csv or Data_Entry_2017_v2020.csv",
        "medical.nih:nih",
        holds("Data_Entry_2017*.csv"),
    ),
)
