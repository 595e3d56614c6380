"""The folders of audits, contrasts and runs, of which one file is damaged."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.compare.contrast import compare
from tests.properties.judging import examples, judge, run
from tests.properties.strategies import changed, damaged
from tests.properties.test_tables import TYPES, column_of
from tests.report.conftest import finished_audit


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Two audits of the same images, and their contrast."""
    folder = tmp_path_factory.mktemp("audits")
    arms = [
        finished_audit(
            folder / name,
            images=24,
            attributes=("Smiling", "Bald", "Young"),
            prevalence=(0.5, 0.3, 0.6),
            prior=prior,
            seed=seed,
            shard_images=16,
        )
        for seed, (name, prior) in enumerate((("a", 0.9), ("b", 0.1)))
    ]
    compare(
        *map(reader.open_audit, arms),
        folder / "contrast",
        moved=dict.fromkeys(("Smiling", "Bald", "Young"), -0.5),
        moved_from="validation",
    )
    return folder


@st.composite
def other_file(draw, file):
    """Other content of a file of the same form, or its bytes damaged."""
    if draw(st.integers(0, 2)) == 0:
        return draw(damaged(file.read_bytes()))
    if file.suffix == ".json":
        return json.dumps(draw(changed(json.loads(file.read_text())))).encode()
    scratch = file.with_name("scratch" + file.suffix)
    if file.suffix == ".parquet":
        table = pq.read_table(file)
        column = draw(st.sampled_from(table.column_names))
        place = table.column_names.index(column)
        if draw(st.booleans()):
            other = column_of(draw(st.sampled_from(TYPES)), ([0, 1, None] * len(table))[: len(table)])
            table = table.set_column(place, column, other)
        else:
            table = draw(st.sampled_from((table.drop_columns([column]), table.slice(1), table.slice(0, 0))))
        pq.write_table(table, scratch)
    elif file.suffix == ".safetensors":
        kinds = (
            np.zeros(2),
            np.zeros((2, 4, 7, 7), np.int8),
            np.zeros((1, 4, 7, 7)),
            np.full((2, 4), np.nan),
            np.zeros((0,)),
        )
        stored = {name: draw(st.sampled_from(kinds)) for name in ("grad_cam.sum", "grad_cam.count", "regions")}
        save_file(stored, scratch)
    elif file.suffix == ".npy":
        np.save(
            scratch,
            draw(
                st.sampled_from(
                    (np.zeros(3), np.zeros((9, 2, 7, 7), np.int8), np.zeros((1, 2, 3, 3), "U3"), np.zeros(()))
                )
            ),
        )
    else:
        return draw(damaged(file.read_bytes()))
    content = scratch.read_bytes()
    scratch.unlink()
    return content


def read_everything(folder):
    audit = open_audit(folder)
    audit.records()
    list(audit.maps())
    assert audit.images is not None
    assert audit.minority("Smiling") in (-1, 1)
    return audit, audit.means(), audit.regions(), repr(audit), audit.unmeasured, audit.leakage, audit.sample


COMMANDS = (
    ["gate", "a", "--rule", "minority_error<=0.2", "--json"],
    ["gate", "a", "--rule", "gain>=0.1"],
    ["summarise", "a"],
    ["compare", "a", "b", "--out", "new", "--json"],
    ["report", "a", "--out", "a.html"],
    ["report", "contrast", "--out", "c.html"],
)


@pytest.mark.slow
@examples(16)
@given(st.data())
def test_a_damaged_file_of_an_audit_or_contrast_is_read_or_refused(fresh, base, data):
    folder = fresh()
    shutil.copytree(base, folder, dirs_exist_ok=True)
    files = [f for f in sorted((folder / "a").rglob("*")) if f.is_file() and ".state" not in str(f)]
    file = data.draw(
        st.sampled_from([*files, folder / "contrast" / "contrast.json", folder / "contrast" / "contrast.json"])
    )
    file.write_bytes(data.draw(other_file(file)))
    judge(lambda: read_everything(folder / "a"))
    if file.parent.name == "contrast" or file.suffix == ".json":
        command = data.draw(st.sampled_from(COMMANDS))
    else:
        command = data.draw(st.sampled_from(COMMANDS[:5]))
    words = [
        str(folder / word) if word in ("a", "b", "new", "a.html", "c.html", "contrast") else word for word in command
    ]
    judge(lambda: run(words), lambda ended: ended.code in (0, 1))
    shutil.rmtree(folder)
