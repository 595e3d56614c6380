# %% [markdown]
# # Audit and compare
#
# Two models that differ only in the class weights of their loss, audited on the same images: what did the weights
# change? The faces are generated with the prevalences of CelebA (but for eyeglasses, which would be too rare in so few
# images) and come with exact masks. The set and the networks are far too small for good models; they show the steps.
# `bincam demo` runs the same on 5,200 faces.

# %%
from pathlib import Path

from bincam import audit, data, faces, report, train
from bincam.compare import compare

folder = Path("reports/examples/audit-and-compare")
faces.make(folder / "faces", 240, seed=3, size=(64, 78), set={"Eyeglasses": 0.3})
table = data.load(folder / "faces").select(["Smiling", "Eyeglasses", "Male"])
table

# %% [markdown]
# A pair: both arms start from the same weights and see the same pixels in the same order. `pair.json` contains the
# proof.

# %%
import yaml

settings = {
    "data": {
        "source": str(folder / "faces"),
        "attributes": list(table.names),
        "size": 48,
        "fit": "face",
        "memory": True,
    },
    "model": {"name": "resnet10t", "options": {"output_stride": 16}},
    "epochs": 2,
    "batch_size": 32,
    "optimizer": {"lr": 0.003},
    "out": str(folder / "models"),
}
(folder / "pair.yaml").write_text(yaml.safe_dump(settings))
train.fit_pair(train.read_config(folder / "pair.yaml"))

# %% [markdown]
# One audit per model. Each measures outcomes, evidence inside the masks, and the ledger, per image and attribute.

# %%
options = audit.Settings(gate_images=0)
unbalanced = audit.run(folder / "models/unbalanced", table, folder / "audits/unbalanced", options)
balanced = audit.run(folder / "models/balanced", table, folder / "audits/balanced", options)
balanced.records(["attribute", "outcome", "logit", "grad_cam.gain", "midpoint.bias_share"]).head()

# %% [markdown]
# Every figure of the summary is an estimate with an interval. Cells of few images or people have the status `small`.

# %%
for name, entry in balanced.summary["attributes"].items():
    rate = entry["rates"]["balanced_error"]
    print(f"{name}: balanced error {rate['value']}, interval [{rate['low']}, {rate['high']}], status {rate['status']}")

# %% [markdown]
# The contrast is paired by image. `findings` are the differences that remain after correction for multiple tests; with
# so few images there may be none.

# %%
contrast = compare(unbalanced, balanced, folder / "contrast")
for name, sentences in contrast["sentences"].items():
    print(f"{name}:", *sentences, sep="\n  ")
print(contrast["findings"])

# %% [markdown]
# One self-contained page for both models.

# %%
report.write_report(folder / "contrast", folder / "report.html")
