"""Changes of an audit's records, for tests of summaries."""

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bincam.audit import open_audit
from bincam.audit.folder import reader
from bincam.audit.gate.rules import judge, parse_rule
from bincam.audit.summary.panel import Panel
from bincam.stats.clusters import Clusters


def rewrite(folder, change):
    """Change the records of an audit; ``change`` edits a table's columns in place."""
    for number in range(open_audit(folder).shards):
        file = reader.records_file(folder, number)
        table = pq.read_table(file)
        columns = {
            name: table[name].to_numpy().copy() for name in table.column_names if name not in ("attribute", "outcome")
        }
        columns["attribute"] = np.array(table["attribute"].to_pylist())
        change(columns)
        for name, values in columns.items():
            if name != "attribute":
                at = table.schema.get_field_index(name)
                table = table.set_column(at, table.schema.field(name), pa.array(values, table.schema.field(name).type))
        pq.write_table(table, file)
    return open_audit(folder)


def edit(file, **changes):
    value = json.loads(file.read_text())
    file.write_text(json.dumps(value | changes))


def estimates_in(entry, path=""):
    """Every estimate in a summary, with its place."""
    if isinstance(entry, dict):
        if {"value", "low", "high", "status"} <= set(entry):
            yield path, entry
        else:
            for key, part in entry.items():
                yield from estimates_in(part, f"{path}/{key}")
    elif isinstance(entry, list):
        for number, part in enumerate(entry):
            yield from estimates_in(part, f"{path}/{number}")


def planted(*, people, images, misses, attributes):
    """Records of people with as many positive as negative images, of which a share is misclassified in either class."""
    n = people * images
    label = np.tile(np.arange(images) % 2, people).astype(np.float32)[:, None].repeat(attributes, 1)
    wrong = np.random.default_rng(0).random((n, attributes)) < misses
    names = tuple(f"x{a}" for a in range(attributes))
    return Panel(
        attributes=names,
        rows=np.arange(n),
        label=label,
        logit=np.where((label == 1) != wrong, 1, -1).astype(np.float32),
        threshold=np.zeros_like(label),
        minority=np.ones(attributes, int),
        clusters=Clusters(np.repeat(np.arange(people), images), True),
        columns=(),
        values=np.zeros((n, attributes, 0), np.float32),
    )


def manifest_of(panel):
    return SimpleNamespace(
        methods=("grad_cam",),
        attributes=panel.attributes,
        train_counts_from="card",
        references_from=None,
        train_counts=dict.fromkeys(panel.attributes, (10, 20)),
        head="logits",
        logit_shift={},
        model=SimpleNamespace(card={}),
    )


def gate(found, *texts):
    names = SimpleNamespace(attributes=tuple(found["attributes"]), methods=("grad_cam",), masks=())
    return judge(found, [parse_rule(text, names) for text in texts])
