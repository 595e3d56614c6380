"""Commands on models with outputs of which exactly one is true."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import bincam
from bincam.models import read_card
from tests.cli.conftest import tiny

MODULE = """
import torch
from torch import nn
class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.ReLU())
        self.hair, self.sex = nn.Linear(8, 3), nn.Linear(8, 1)
    def forward(self, images):
        pooled = self.body(images).mean((-2, -1))
        return {"hair": self.hair(pooled), "sex": self.sex(pooled)}
def heads():
    return Heads()
def classes(last=nn.Identity(), count=3):
    torch.manual_seed(0)
    features = nn.Conv2d(3, 8, 3, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*features, nn.Linear(8, count), last)
def many():
    return classes(count=120)
def softmax():
    return classes(nn.Softmax(-1))
def log_softmax():
    return classes(nn.LogSoftmax(-1))
"""
PIXELS = ("--size", "24,32", "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "set_nets.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(f"{name}.png")


def make(command, function, names, *words, head="logits", out="model"):
    stated = ("--factory", f"set_nets:{function}", "--names", names, "--head", head, *PIXELS, "--out", out)
    return command("card", "-", *stated, *words)


def explained(command, *words, function="heads"):
    outcome = command("explain", "one.png", "--model", "model", "--factory", f"set_nets:{function}", "--json", *words)
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_a_card_states_sets_and_heads_and_explain_takes_them(command):
    outcome = make(command, "heads", "dark,fair,other,Male", "--one-of", "hair=dark,fair,other", "--output", "hair,sex")
    assert outcome.code == 0, outcome.err
    card = read_card("model")
    assert card.one_of == {"hair": ("dark", "fair", "other")}
    assert card.output == ("hair", "sex")
    document = explained(command)
    assert document["anatomy"]["kind"] == "conditional"
    assert (document["one_of"], document["versus"]) == (["hair"], None)
    *hair, male = document["images"][0]["attributes"]
    assert [entry["one_of"] for entry in hair] == ["hair"] * 3
    assert "one_of" not in male
    assert male["threshold"] == 0
    assert [entry["threshold"] for entry in hair] == [None] * 3
    assert sum(entry["probability"] for entry in hair) == pytest.approx(1)
    assert sorted(entry["predicted"] for entry in hair) == ["negative", "negative", "positive"]
    assert all(entry["ledger"]["zero"]["alternatives"] != 0 for entry in hair)
    assert male["ledger"]["zero"]["alternatives"] == 0
    assert len({document["scales"][name] for name in ("dark", "fair", "other")}) == 1
    model = bincam.models.load("model", factory="set_nets:heads")
    explanation = bincam.Explainer(model)(
        torch.stack([bincam.models.preprocess(Image.open("one.png"), model.card)]), "predicted"
    )
    np.testing.assert_allclose([e["logit"] for e in (*hair, male)], explanation.logits[0], rtol=1e-5)


def test_top_and_versus(command):
    make(command, "heads", "dark,fair,other,Male", "--one-of", "hair=dark,fair,other", "--output", "hair,sex")
    entries = explained(command)["images"][0]["attributes"]
    order = sorted(entries[:3], key=lambda entry: -entry["logit"])
    best = explained(command, "--top", 2)["images"][0]["attributes"]
    assert [entry["name"] for entry in best] == ["Male", order[0]["name"], order[1]["name"]]
    assert [entry.get("rank") for entry in best] == [None, "hair: 1st", "hair: 2nd"]
    np.testing.assert_allclose(best[1]["map"], order[0]["map"], rtol=1e-4, atol=1e-7)
    against = explained(command, "--versus", "fair")
    assert [entry["name"] for entry in against["images"][0]["attributes"]] == ["dark", "other"]
    assert against["anatomy"]["kind"] == "exact"
    assert explained(command, "--versus", "runner_up")["versus"] == "runner_up"


def test_the_name_of_a_set_stands_for_its_outputs(command):
    make(command, "heads", "dark,fair,other,Male", "--one-of", "hair=dark,fair,other", "--output", "hair,sex")
    whole = explained(command)["images"][0]["attributes"]
    alone = explained(command, "--attributes", "hair")["images"][0]["attributes"]
    for entry, expected in zip(alone, whole[:3], strict=True):
        assert entry["name"] == expected["name"]
        np.testing.assert_allclose(entry["map"], expected["map"], rtol=1e-4, atol=1e-7)
    named = explained(command, "--attributes", "Male,hair")["images"][0]["attributes"]
    assert [entry["name"] for entry in named] == ["Male", "dark", "fair", "other"]
    words = ("explain", "one.png", "--model", "model", "--factory", "set_nets:heads", "--json", "--attributes")
    assert "unknown attribute 'hiar'; did you mean 'hair'" in command(*words, "hiar").mistake
    assert "--attributes: 'dark' is given twice" in command(*words, "hair,dark").mistake


def test_figures_of_the_best_outputs(command):
    make(command, "heads", "dark,fair,other,Male", "--one-of", "hair=dark,fair,other", "--output", "hair,sex")
    figures = command(
        "explain",
        "one.png",
        "two.png",
        "--model",
        "model",
        "--factory",
        "set_nets:heads",
        "--top",
        3,
        "--out",
        "figures",
    )
    assert figures.code == 0, figures.err
    assert "set hair" in figures.out
    assert {"one.png", "two.png"} <= {file.name for file in Path("figures").iterdir()}


def test_of_a_large_set_the_predicted_output_is_explained(command):
    names = ",".join(f"c{n}" for n in range(120))
    assert make(command, "many", names, "--one-of", "all").code == 0
    assert list(read_card("model").one_of) == ["class"]
    (entry,) = explained(command, function="many")["images"][0]["attributes"]
    assert (entry["rank"], entry["predicted"]) == ("class: 1st", "positive")
    assert len(explained(command, "--top", 5, function="many")["images"][0]["attributes"]) == 5
    (one,) = explained(command, "--attributes", "c7", function="many")["images"][0]["attributes"]
    assert one["name"] == "c7"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--one-of", "hair=dark"], "set 'hair' has 1 output"),
        (["--one-of", "hair=dark,drk"], "set 'hair' names 'drk'"),
        (["--one-of", "hair=dark,fair", "--one-of", "more=fair,other"], "in set 'hair' too; sets do not overlap"),
        (["--one-of", "hair=dark,fair", "--one-of", "hair=other,Male"], "'hair' is given twice"),
        (["--one-of", "dark,fair"], "expected NAME=OUTPUT,OUTPUT,..., or all"),
        (["--one-of", "all", "--threshold", "dark=1"], "thresholds has one for 'dark' of set 'class'"),
        (["--one-of", "all", "--head", "margin"], "head='margin'"),
        (["--one-of", "all", "--output", "hair,hair"], "'hair' is given twice"),
    ],
)
def test_sets_that_cannot_be_are_one_line(command, words, told):
    words = words if "--output" in words else [*words, "--output", "hair,sex"]
    assert told in make(command, "heads", "dark,fair,other,Male", *words).mistake


def test_the_advice_about_a_softmax_is_exact_and_gets_no_other_advice(command):
    note = json.loads(make(command, "softmax", "a,b,c", "--json").out)["note"]
    assert "--head logits is wrong and --head probabilities with --one-of all is right" in note
    right = make(command, "softmax", "a,b,c", "--one-of", "all", "--json", head="probabilities", out="right")
    assert json.loads(right.out)["note"] is None
    wrong = make(command, "softmax", "a,b,c", "--one-of", "all", "--json", out="wrong")
    assert "of set 'class' for noise are in [0, 1] and sum to 1" in json.loads(wrong.out)["note"]
    note = json.loads(make(command, "log_softmax", "a,b,c", "--json", out="logarithms").out)["note"]
    assert "--one-of all states so" in note
    stated = json.loads(make(command, "log_softmax", "a,b,c", "--one-of", "all", "--json", out="stated").out)
    assert stated["note"] is None
    assert stated["kind"] == "exact"
    assert "cancels in the logit" in stated["reason"]


def test_questions_about_sets_need_sets(command, model_folder):
    words = ("explain", "one.png", "--model", model_folder, "--json")
    assert "--top 2 chooses" in command(*words, "--top", 2).mistake
    assert "state them with one_of= (--one-of)" in command(*words, "--versus", "mean").mistake
    make(command, "heads", "dark,fair,other,Male", "--one-of", "hair=dark,fair,other", "--output", "hair,sex")
    of_sets = ("explain", "one.png", "--model", "model", "--factory", "set_nets:heads", "--json")
    assert "not with --attributes" in command(*of_sets, "--top", 2, "--attributes", "dark").mistake
    assert "versus='frair'; did you mean 'fair'" in command(*of_sets, "--versus", "frair").mistake
    assert "threshold has one for 'dark' of set 'hair'" in command(*of_sets, "--threshold", "dark=1").mistake
    assert "leave out --one-of" in command(*of_sets, "--one-of", "all").mistake


def test_an_audit_of_a_set_and_its_gate(command, tmp_path):
    from bincam.data import AttributeTable, write_celeba

    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (8, 32, 32, 3)).astype(np.uint8)
    labels = np.array([[1, 0, 1], [0, 1, 0]] * 4, np.float32)
    ids = tuple(f"{n}.png" for n in range(8))
    table = AttributeTable(("dark", "fair", "Male"), labels, ids, tmp_path, splits=np.array(["test"] * 8))
    write_celeba(table, pixels, tmp_path / "data")
    model = tiny(["dark", "fair", "Male"])
    card = model.card.model_copy(update={"one_of": {"hair": ("dark", "fair")}})
    bincam.models.save(bincam.models.AttributeClassifier(model.network, card), "sets")
    words = ("audit", "--data", "data", "--model", "sets", "--gate-images", 0)
    done = command(*words, "--out", "audit")
    assert done.code == 0, done.err
    assert "8 images, 1 attribute, hair of 2 outputs, grad_cam" in done.out
    summary = json.loads((tmp_path / "audit" / "summary.json").read_text())
    accuracy = summary["sets"]["hair"]["rates"]["accuracy"]["value"]
    judged = json.loads(command("gate", "audit", "--rule", "hair.accuracy>=0.9", "--json").out)
    assert judged["checks"][0]["value"] == accuracy
    assert "1 check: 1 insufficient" in command("gate", "audit", "--rule", "hair.accuracy>=0.9").out
    assert "8 images, 1 attribute, hair of 2 outputs" in command("summarise", "audit").out
    part = command(*words, "--attributes", "dark", "--out", "part").mistake
    assert "name the set itself, 'hair'" in part
    assert command(*words, "--attributes", "hair", "--out", "part").code == 0
    assert json.loads((tmp_path / "part" / "manifest.json").read_text())["attributes"] == ["dark", "fair"]
    columns = "image,hair\n" + "\n".join(f"data/img_align_celeba/{n}.png,{('dark', 'fair')[n % 2]}" for n in range(8))
    (tmp_path / "table.csv").write_text(columns)
    named = command(
        *("audit", "--data", "table.csv", "--model", "sets", "--gate-images", 0, "--split", "all"),
        *("--one-of-column", "hair", "--out", "named"),
    )
    assert named.code == 0, named.err
    of_names = json.loads((tmp_path / "named" / "summary.json").read_text())
    assert of_names["sets"]["hair"]["rates"]["accuracy"]["value"] == accuracy


def test_a_timm_model_is_explained_with_its_class_names(command, monkeypatch):
    from bincam.models.classifier import construct

    monkeypatch.setattr("bincam.models.open.construct", lambda card, **_: construct(card))  # without a download
    words = ("explain", "one.png", "--model", "resnet10t", "--json")
    outcome = command(*words, "--top", 5, "--versus", "mean")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    entries = document["images"][0]["attributes"]
    assert [entry["rank"] for entry in entries] == [f"class: {rank}" for rank in ("1st", "2nd", "3rd", "4th", "5th")]
    assert all(entry["name"].partition(" ")[0].isdigit() and len(entry["name"]) > 5 for entry in entries)
    assert document["anatomy"]["kind"] == "exact"


def test_a_large_set_is_named_in_place_of_its_outputs(command):
    make(command, "many", ",".join(f"c{k}" for k in range(120)), "--one-of", "kind=" + ",".join(
        f"c{k}" for k in range(120)
    ))  # fmt: skip
    (image,) = explained(command, "--attributes", "kind", function="many")["images"]
    assert [entry["name"] for entry in image["attributes"]] == [image["attributes"][0]["name"]]
    (grid,) = explained(command, "--attributes", "kind", "--grid", function="many")["images"]
    (of_set,) = grid["grid"]["sets"]
    assert of_set["answer"] == image["attributes"][0]["name"]
    assert of_set["outputs"] == 120


def test_a_set_is_compared_with_one_of_its_outputs_by_its_name(command):
    make(command, "heads", "dark,blond,grey,Male", "--output", "hair,sex", "--one-of", "hair=dark,blond,grey")
    (image,) = explained(command, "--attributes", "hair", "--versus", "blond")["images"]
    assert [entry["name"] for entry in image["attributes"]] == ["dark", "grey"]
    told = command(
        "explain", "one.png", "--model", "model", "--factory", "set_nets:heads", "--json", "--threshold", "hair=1"
    )
    assert told.code == 2
    assert "--threshold-logit has one for set 'hair', which has none" in told.err
