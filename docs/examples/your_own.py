# %% [markdown]
# # Your own model and table
#
# Any `nn.Module` and any table of labels. Here both are made on the spot: pictures of discs and crosses, and a small
# network with a training loop of its own.

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from bincam import audit, data, example, models

folder = Path("reports/examples/your-own")
random = np.random.default_rng(0)
rows = []
for number in range(360):
    disc, cross = random.random() < 0.5, random.random() < 0.2
    picture, masks = example.scene((disc, False, cross), random)
    file = f"{number:03}.png"
    for name, pixels in (("images", picture), ("masks/disc", masks[0]), ("masks/cross", masks[2])):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name / file)
    split = "train" if number < 240 else "validation" if number < 280 else "test"
    rows.append({"file": file, "disc": int(disc), "cross": int(cross), "split": split})
pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)

# %% [markdown]
# Nothing is guessed about a table: each argument states what a column means. Every column that no argument names is an
# attribute.

# %%
table = data.table(folder / "labels.csv", images=folder / "images", path="file", split="split", labels="0/1")
print(table)
print(table.describe().splits[0].prevalence)

# %% [markdown]
# Your network. Mean pooling before a linear layer is an exact head: maps and bias add up to the logit.

# %%
import torch
from torch import nn


def network():
    """Build four convolutions, mean pooling and one linear layer."""
    layers = []
    for channels_in, channels_out in ((3, 16), (16, 32), (32, 64), (64, 64)):
        layers += [
            nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2))


# %% [markdown]
# The card states what cannot be told from weights: the names of the outputs, what they mean, and how pixels become
# inputs. `module:function` names the function that builds the network, so that a saved folder can be loaded again.

# %%
train = table.split("train")
counted = zip(table.names, train.labels.T, strict=True)
card = models.make_card(
    attributes=table.names,
    architecture="factory",
    name="mymodule:network",
    head="logits",
    input_size=(96, 128),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    train_counts={name: (int((labels == 0).sum()), int((labels == 1).sum())) for name, labels in counted},
)

torch.manual_seed(0)
model = models.AttributeClassifier(network(), card)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
batches = data.loader(train, card=card, batch_size=32, shuffle=True, seed=0)
for epoch in range(5):
    batches.set_epoch(epoch)
    for batch in batches:
        loss = nn.functional.binary_cross_entropy_with_logits(model(batch.images), batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
model.eval()
models.save(model, folder / "model")  # bincam.load(folder / "model", factory="mymodule:network")

# %% [markdown]
# The regions in which evidence is expected are read from the folder of masks, one file per image and attribute.

# %%
settings = audit.Settings(regions=data.Regions.stored(folder / "masks"), gate_images=0)
audited = audit.run(model, table, folder / "audit", settings)
records = audited.records(["attribute", "outcome", "grad_cam.gain", "zero.bias_share"])
records.groupby(["attribute", "outcome"], observed=True).mean()

# %% [markdown]
# A gate turns figures into an exit code for continuous integration: `bincam gate reports/examples/your-own/audit --rule
# 'disc.gain>=0.1'`. The same in Python:

# %%
from bincam.audit.gate.judgements import judge
from bincam.audit.gate.rules import parse_rule

for judgement in judge(audited.summary, [parse_rule("disc.gain>=0.1", audited), parse_rule("error<=0.5", audited)]):
    print(judgement.attribute, judgement.rule.measure, judgement.verdict, judgement.reason)
