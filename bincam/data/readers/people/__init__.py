"""Readers of formats of data sets of people and their attributes."""

from __future__ import annotations

from bincam.data.readers.format import Format, either, holds

FORMATS: tuple[Format, ...] = (
    Format(
        "pa100k",
        "PA-100K: people seen from afar; age and view are sets",
        "annotation.mat with its three splits",
        "people.pa100k:pa100k",
        either(holds("annotation.mat", "release_data"), holds("annotation.mat", "data/*.jpg")),
    ),
    Format(
        "peta",
        "PETA: people seen from afar",
        "PETA.mat and images",
        "people.peta:peta",
        holds("PETA.mat"),
    ),
    Format(
        "rap",
        "RAP, versions 1 and 2: people seen by indoor cameras; 2 is unknown",
        "RAP_annotation.mat and RAP_dataset",
        "people.rap:rap",
        either(holds("RAP_annotation.mat"), holds("RAP_annotation/RAP_annotation.mat")),
    ),
)
