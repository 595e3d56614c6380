"""Tables of labels: CSV, Parquet, CelebA's files, boxes and how they are stated to be read."""

import csv
import io
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bincam import data
from bincam.data.regions.box_table import KIND, BoxTable, write_box_table
from tests.properties.judging import examples, judge
from tests.properties.strategies import cells, changed, damaged, names, values

CODES = {"0/1": {"0": 0, "1": 1}, "-1/1": {"-1": 0, "1": 1}, "true/false": {"false": 0, "true": 1}}
SPLITS = {"train", "validation", "test", ""}


@st.composite
def options(draw, columns):
    chosen = st.one_of(st.sampled_from(columns or ["x"]), names)
    some = draw(
        st.sets(st.sampled_from(("labels", "path", "split", "identity", "groups", "attributes", "sets")), max_size=3)
    )
    given_ = {
        "labels": st.one_of(st.sampled_from(list(CODES)), names),
        "path": chosen,
        "split": chosen,
        "identity": chosen,
        "groups": st.lists(chosen, max_size=2),
        "attributes": st.lists(chosen, max_size=2),
        "sets": st.one_of(st.lists(chosen, max_size=2), st.dictionaries(chosen, st.lists(cells, max_size=3))),
    }
    return {("one_of_columns" if name == "sets" else name): draw(given_[name]) for name in sorted(some)}


@examples(60)
@given(st.data())
def test_a_csv_table_is_read_as_the_standard_library_reads_it_or_refused(fresh, data_of):
    columns = data_of.draw(st.lists(names, max_size=4).map(lambda drawn: ["image", *drawn]))
    rows = data_of.draw(st.lists(st.lists(cells, min_size=len(columns), max_size=len(columns)), max_size=4))
    rows = [[f"{i}.png", *row[1:]] for i, row in enumerate(rows)]
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    whole = text.getvalue().encode("utf-8", "surrogatepass")
    raw = data_of.draw(damaged(whole))
    file = fresh() / "t.csv"
    file.write_bytes(raw)
    asked = data_of.draw(options(columns))

    def right(table):
        if raw != whole or "one_of_columns" in asked:
            return np.isin(table.labels, (0, 1)).sum() + np.isnan(table.labels).sum() == table.labels.size
        coding = {**CODES[asked.get("labels", "0/1")]}
        coding |= {f"{word}.0": code for word, code in coding.items() if word not in ("true", "false")}
        header = [name.strip() if name not in columns else name for name in columns]
        for column, name in enumerate(table.names):
            cells_of = [row[header.index(name)].strip().lower() for row in rows]
            expected = [coding[cell] if cell else np.nan for cell in cells_of]
            if not np.array_equal(table.labels[:, column], np.array(expected, float), equal_nan=True):
                return False
        return len(table) == len(rows)

    judge(lambda: data.table(file, **asked), right)


def is_written(kind):
    """Whether this version of pyarrow writes a type to Parquet; 20 does not write views of strings."""
    try:
        pq.write_table(pa.table({"x": pa.nulls(1, kind)}), io.BytesIO())
    except pa.ArrowNotImplementedError:
        return False
    return True


TYPES = (
    pa.list_(pa.int8()), pa.struct([("x", pa.int8())]), pa.binary(), pa.int64(), pa.uint64(), pa.float64(), pa.bool_(),
    pa.string(), pa.large_string(), pa.timestamp("us"), pa.date32(), pa.decimal128(5, 2), pa.null(), pa.float16(),
    pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.int64()), pa.duration("s"),
    pa.map_(pa.string(), pa.int8()), pa.list_(pa.string(), 2), pa.string_view(), pa.binary(3), pa.time64("us"),
)  # fmt: skip
TYPES = tuple(kind for kind in TYPES if is_written(kind))


def column_of(kind, numbers):
    """A column of a type, from small numbers, of which None is null."""
    plain = pa.types
    if plain.is_null(kind):
        return pa.nulls(len(numbers))
    made = {
        plain.is_fixed_size_list(kind): lambda n: [str(n)] * 2,
        plain.is_list(kind): lambda n: [n] * abs(n),
        plain.is_struct(kind): lambda n: {"x": n},
        plain.is_map(kind): lambda n: [("k", n)],
        plain.is_fixed_size_binary(kind): lambda n: b"\xff0" + bytes([abs(n)]),
        plain.is_binary(kind): lambda n: b"\xff" + bytes([abs(n)]),
    }.get(True, lambda n: n)
    if plain.is_dictionary(kind):
        return column_of(kind.value_type, numbers).dictionary_encode()
    if plain.is_string(kind) or plain.is_large_string(kind) or plain.is_string_view(kind):
        made = str
    if plain.is_float16(kind):
        made = np.float16
    if plain.is_boolean(kind):
        made = bool
    if plain.is_unsigned_integer(kind) or plain.is_time(kind):
        made = abs
    return pa.array([None if n is None else made(n) for n in numbers], kind)


@examples(60)
@given(st.data())
def test_a_parquet_table_of_any_types_is_read_or_refused(fresh, data_of):
    width = data_of.draw(st.integers(0, 3))
    count = data_of.draw(st.integers(0, 3))
    paths = data_of.draw(st.sampled_from([pa.string(), *TYPES]))
    kinds = [paths, *(data_of.draw(st.sampled_from(TYPES)) for _ in range(width))]
    columns = ["image", *data_of.draw(st.lists(names, min_size=width, max_size=width))]
    numbers = [
        data_of.draw(st.lists(st.sampled_from((0, 1, 1, -1, None)), min_size=count, max_size=count)) for _ in kinds
    ]
    numbers[0] = [*range(count)]
    arrays = [column_of(kind, of) for kind, of in zip(kinds, numbers, strict=True)]
    folder = fresh()
    file = folder / "t.parquet"
    pq.write_table(pa.Table.from_arrays(arrays, columns), file)
    file.write_bytes(data_of.draw(damaged(file.read_bytes())))
    asked = data_of.draw(options(columns))

    def right(table):
        return bool((np.isnan(table.labels) | np.isin(table.labels, (0, 1))).all()) and set(table.splits) <= SPLITS

    judge(lambda: data.table(file, **asked), right)


@examples(60)
@given(st.data())
def test_a_folder_in_celebas_layout_is_read_or_refused(fresh, celeba, data_of):
    folder = fresh() / "set"
    shutil.copytree(celeba, folder)
    file = data_of.draw(st.sampled_from(sorted(f for f in folder.iterdir() if f.suffix == ".txt")))
    file.write_bytes(data_of.draw(damaged(file.read_bytes())))

    def right(table):
        return bool(np.isin(table.labels, (0, 1)).all()) and set(table.splits) <= SPLITS and len(table) <= 12

    judge(lambda: data.celeba(folder), right)


STATED = {"kind": "bincam-data", "schema": 1, "tables": {"t.csv": {"split": "fold", "groups": ["x"], "labels": "0/1"}}}


@examples(60)
@given(st.data())
def test_data_yaml_is_read_or_refused(fresh, data_of):
    folder = fresh()
    (folder / "t.csv").write_text("image,Bald,fold,x\na.png,1,train,u\nb.png,0,test,v\n")
    text = yaml.safe_dump(data_of.draw(changed(STATED)), allow_unicode=True).encode("utf-8", "surrogatepass")
    (folder / "data.yaml").write_bytes(data_of.draw(damaged(text)))
    judge(lambda: data.load(folder / "t.csv"), lambda table: len(table) == 2 and set(table.splits) <= SPLITS)


@examples(40)
@given(st.data())
def test_a_table_of_boxes_is_read_or_refused(fresh, data_of):
    folder = fresh()
    file = folder / "boxes.parquet"
    if data_of.draw(st.booleans()):
        write_box_table(file, [("a.png", "star", 3, 4, 20, 30), ("a.png", "ring", 40, 40, 60, 60)])
    else:
        kinds = [data_of.draw(st.sampled_from(TYPES)) for _ in range(6)]
        arrays = [
            column_of(kind, data_of.draw(st.lists(st.sampled_from((0, 1, None)), min_size=2, max_size=2)))
            for kind in kinds
        ]
        stated = {"kind": KIND, "schema": data_of.draw(st.sampled_from(("1", "2", "x")))}
        columns = ["path", "name", "x0", "y0", "x1", "y1"]
        pq.write_table(pa.Table.from_arrays(arrays, columns).replace_schema_metadata(stated), file)
    file.write_bytes(data_of.draw(damaged(file.read_bytes())))

    def right(table):
        boxes = [box for several in table.boxes.values() for box in several]
        return all(np.isfinite(box).all() and box[2] > box[0] and box[3] > box[1] for box in boxes)

    judge(lambda: BoxTable.read(file), right)


@examples(30)
@given(values, names)
def test_arguments_of_a_reader_are_taken_or_refused(fresh, value, key):
    folder = fresh()
    file = folder / "t.csv"
    file.write_text("image,Bald,fold\na.png,1,train\n")
    keys = ("images", "labels", "path", "attributes", "split", "identity", "groups", "landmarks", "boxes", "one_of")
    for name in (*keys, "one_of_columns", "one_of_names", "one_of_rest", "one_of_invalid", key):
        judge(lambda name=name: data.load(file, **{name: value}), lambda table: len(table) == 1)
