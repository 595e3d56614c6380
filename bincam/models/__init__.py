"""Classifiers with one logit per output: building, saving, loading, and the anatomy of their heads."""

import bincam.torchvision_ops  # noqa: F401  # before anything imports timm, torchvision or grad-cam

# isort: split
from bincam.models.anatomy import Anatomy
from bincam.models.card import Card, make_card, read_card, write_card
from bincam.models.checkpoint import adopt, load, read_weights, save
from bincam.models.classifier import AttributeClassifier, build
from bincam.models.heads import Head, raw_scores
from bincam.models.layers import Layer
from bincam.models.log_odds import decide, log_odds
from bincam.models.open import open_model
from bincam.models.preprocess import open_image, preprocess, preprocess_values
from bincam.models.resolution import resolve

__all__ = [
    "Anatomy",
    "AttributeClassifier",
    "Card",
    "Head",
    "Layer",
    "adopt",
    "build",
    "decide",
    "load",
    "log_odds",
    "make_card",
    "open_image",
    "open_model",
    "preprocess",
    "preprocess_values",
    "raw_scores",
    "read_card",
    "read_weights",
    "resolve",
    "save",
    "write_card",
]
