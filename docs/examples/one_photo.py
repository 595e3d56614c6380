# %% [markdown]
# # One photo
#
# Which evidence does a classifier use in a single image, and how much of its decision has no place in the image?
#
# The model here is trained for a few seconds on generated pictures of discs, squares and crosses, so that nothing is
# downloaded. For a model of yours, replace this cell with `model = bincam.load("models/mine")`.

# %%
from pathlib import Path

import torch

import bincam
from bincam import example
from bincam.models import open_image

model = example.train(pictures=512, epochs=4).model
photo = example.write_images(Path("reports/examples/photos"))[1]  # it shows a square and a cross
photo.name

# %% [markdown]
# The explainer computes the maps of all attributes in one forward pass. `explainer.preprocess` resizes and normalises
# the image as the model's card states.

# %%
explainer = bincam.Explainer(model, method="grad_cam")
images = explainer.preprocess(open_image(photo))[None]  # (1, 3, H, W)
explanation = explainer(images, side="predicted")

for name, logit, side in zip(explanation.attributes, explanation.logits[0], explanation.side[0], strict=True):
    print(f"{name}: logit {logit:.2f}, predicted {'yes' if side > 0 else 'no'}")

# %% [markdown]
# `explanation.maps` is signed evidence for the explained side in logit units, on the grid of the explained layer. What
# may be claimed of it depends on the model's head: with an exact head the maps and the bias add up to the logit.

# %%
print(explanation.maps.shape, explanation.kind, explanation.complete)
print("largest part of a logit that is not accounted for:", float(explanation.identity_gap.abs().max()))

# %% [markdown]
# The ledger is the additive decomposition of the decision. The bias share is the part of the support that is a
# constant, and therefore has no place in the image.

# %%
ledger = explanation.ledger()
for name, share, support in zip(explanation.attributes, ledger.bias_share[0], ledger.support[0], strict=True):
    print(f"{name}: bias share {share:.2f} of a support of {support:.2f} logits")

# %% [markdown]
# Upsampled to the image, red supports the prediction and blue opposes it. One attribute has one colour scale, with zero
# in the middle.

# %%
from matplotlib.figure import Figure

maps = explanation.upsample()[0]  # (A, H, W)
figure = Figure(figsize=(9, 2.6), layout="constrained")
for axes, name, values in zip(figure.subplots(1, len(maps)), explanation.attributes, maps, strict=True):
    limit = float(values.abs().max()) or 1.0
    shown = axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axes.set_title(name)
    axes.set_axis_off()
    figure.colorbar(shown, ax=axes)
figure.savefig("reports/examples/one-photo.png")
figure

# %% [markdown]
# Is the evidence of the square where the square is? The generator knows its pixels, and the chance-corrected energy
# (`gain`) says how much of the positive evidence is inside: 0 is evenly spread, 1 is all inside.

# %%
import numpy as np

from bincam.metrics.localization.energy import region_measures
from bincam.resample import project

random = np.random.default_rng(1)
masks = [example.scene(present, random)[1] for present in example.SHOWN[:2]][1]  # (A, H, W), of this photo
grid = tuple(explanation.maps.shape[-2:])
weights = torch.from_numpy(np.stack([project(mask, grid) for mask in masks]))
whole = torch.from_numpy(project(np.ones_like(masks[0]), grid))
gain = region_measures(explanation.maps, weights, whole).gain[0]
print({name: round(float(value), 2) for name, value in zip(explanation.attributes, gain, strict=True)})
