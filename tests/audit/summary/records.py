"""Changes of an audit's records, for tests of summaries."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bincam.audit import open_audit
from bincam.audit.folder import reader
from tests.audit.synthetic import reseal


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
    return reseal(folder)


def edit(file, **changes):
    value = json.loads(file.read_text())
    file.write_text(json.dumps(value | changes))
    reseal(file.parent)
