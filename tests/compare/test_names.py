"""Names of compared models: folders, or roles of which the cards are evidence, never the order of the arguments."""

import shutil

import pytest

from bincam.audit import open_audit
from bincam.compare.contrast import compare
from bincam.compare.names import BALANCING, PLAIN, names_from, names_of, notes_on
from bincam.train.losses.registry import LOSSES
from tests.audit.synthetic import ATTRIBUTES, make_audit
from tests.compare.two_audits import edit

SHIFT = {"attributes": list(ATTRIBUTES), "logit_shift": dict.fromkeys(ATTRIBUTES, 0.0)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("names")
    return [make_audit(root / name / "audit", images=60, seed=seed) for seed, name in enumerate(("a", "b"))]


def with_card(folder, target, **card):
    copy = shutil.copytree(folder, target)
    audit = open_audit(copy)
    return edit(copy, model={**audit.manifest.model.model_dump(), "card": card})


def test_folders_name_the_models_and_differ(folders):
    names = names_of(*map(open_audit, folders))
    assert (names.first, names.second, names.roles) == ("a/audit", "b/audit", False)
    assert (names.of_first, names.of_second) == ("model a/audit", "model b/audit")


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        (({"loss": "bce", **SHIFT}, {"loss": "moon_bce"}), ("unbalanced", "balanced", True)),
        (({"loss": "moon_bce"}, {"loss": "bce", **SHIFT}), ("balanced", "unbalanced", True)),
        (({"loss": "bce", **SHIFT}, {"loss": "bce", **SHIFT}), ("one", "two", False)),
        (({"loss": "moon_bce"}, {"loss": "weighted_bce"}), ("one", "two", False)),
        # Resampling is not on the card, but it shifts the logits: such a model is not called unbalanced.
        (({"loss": "bce", "attributes": ["Bald"], "logit_shift": {"Bald": 2.0}}, {"loss": "moon_bce"}),
         ("one", "two", False)),
        (({"loss": "bce", "attributes": ["Bald"]}, {"loss": "moon_bce"}), ("one", "two", False)),
        (({"loss": "mine"}, {"loss": "moon_bce"}), ("one", "two", False)),
    ],
)  # fmt: skip
def test_roles_are_those_of_the_cards(folders, tmp_path, cards, expected):
    arms = [
        with_card(folder, tmp_path / name, **card)
        for folder, name, card in zip(folders, ("one", "two"), cards, strict=True)
    ]
    names = names_of(*arms)
    assert (names.first, names.second, names.roles) == expected
    assert names_from({"names": names.to_json()}) == names


def test_losses_with_a_role_exist():
    assert set(LOSSES) >= {*PLAIN, *BALANCING}


def test_no_sentence_claims_a_role(folders, tmp_path):
    contrast = compare(*map(open_audit, folders), tmp_path / "out", moved={"Bald": -1.0}, resamples=100)
    texts = [*contrast["findings"], *(text for texts in contrast["sentences"].values() for text in texts)]
    assert not [text for text in texts if "balanced" in text]
    assert any("model a/audit misclassifies" in text for text in texts)
    assert contrast["notes"] == []
    without = {key: value for key, value in contrast.items() if key != "names"}  # as earlier versions wrote it
    assert names_from(without) == names_from(contrast)


def test_an_audit_compared_with_itself_is_said_to_be(folders, tmp_path):
    audit = open_audit(folders[0])
    contrast = compare(audit, audit, tmp_path / "out", resamples=100)
    assert contrast["notes"] == [
        "both audits are the same folder: an audit is compared with itself, so every difference is zero"
    ]
    assert contrast["names"]["first"] != contrast["names"]["second"]
    assert contrast["findings"][0].startswith("Both audits are the same folder")
    copy = open_audit(shutil.copytree(folders[0], tmp_path / "copy"))
    assert "same model (one digest) at the same thresholds" in notes_on(audit, copy)[0]
    moved = edit(tmp_path / "copy", thresholds=dict.fromkeys(ATTRIBUTES, 1.0))
    assert "differences come from the thresholds alone" in notes_on(audit, moved)[0]
