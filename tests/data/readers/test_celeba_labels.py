from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bincam.data.readers import celeba_labels
from bincam.data.readers.faces import celeba_writer
from bincam.errors import InputError

_READ = """
import sys, time
from pathlib import Path
from bincam.data.readers import celeba_labels, table as reader
from bincam.data.attribute_table import AttributeTable
import pyarrow.csv, pyarrow.parquet
file = Path(sys.argv[1])
# Not getrusage: its peak includes that of the process that started this one.
def memory(what):
    return int(next(line for line in open("/proc/self/status") if line.startswith(what)).split()[1]) / 1024
before = memory("VmRSS")
start = time.process_time()
if file.suffix == ".csv":
    table = reader.table(file)
else:
    rows = celeba_labels.read_attributes(file)
    table = AttributeTable(rows.columns, rows.values, tuple(rows.lines), Path("."))
assert table.labels.shape == (200_000, 40)
seconds = time.process_time() - start
print(seconds, memory("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize("suffix", [".txt", ".csv"])
def test_200_000_rows_are_read_in_3_s_and_200_mib(tmp_path, suffix):
    labels = (np.random.default_rng(0).random((200_000, 40)) < 0.3).astype(np.float32)
    ids = [f"{i:06d}.jpg" for i in range(200_000)]
    names = [f"attribute_{i}" for i in range(40)]
    file = tmp_path / f"list_attr_celeba{suffix}"
    if suffix == ".txt":
        celeba_writer.write_attributes(file, ids, names, labels)
    else:
        rows = (",".join([name, *map(str, row)]) for name, row in zip(ids, labels.astype(int).tolist(), strict=True))
        file.write_text("\n".join([",".join(["image", *names]), *rows]))
    took = []  # processor time: the machine may be busy with other things
    for _ in range(2):
        out = subprocess.run([sys.executable, "-c", _READ, file], capture_output=True, text=True, check=True).stdout
        seconds, peak = map(float, out.split())
        took.append(seconds)
    assert min(took) < 3
    assert peak < 200, "MiB at the peak, above the process with its imports"


def test_rows_are_found_by_name_in_any_order(tmp_path):
    (tmp_path / "list_eval_partition.txt").write_text("b.jpg 1\na.jpg 0\nc.jpg 2\n")
    rows = celeba_labels.read_partition(tmp_path / "list_eval_partition.txt")
    assert rows.aligned(["a.jpg", "c.jpg"], "x")[:, 0].tolist() == [0, 2]


READERS = {
    "list_attr_celeba": (celeba_labels.read_attributes, ("Bald", "Male"), ("-1", "1")),
    "list_landmarks_align_celeba": (
        celeba_labels.read_landmarks,
        celeba_labels.LANDMARK_COLUMNS,
        tuple(str(number) for number in range(10)),
    ),
    "list_bbox_celeba": (celeba_labels.read_boxes, celeba_labels.BOX_COLUMNS, ("3", "4", "50", "60")),
    "list_eval_partition": (celeba_labels.read_partition, ("partition",), ("2",)),
    "identity_CelebA": (lambda file: celeba_labels.read_identities(file)[0], ("identity",), ("17",)),
}


def _csv(folder: Path, stem: str, header: list[str], row: list[str]) -> Path:
    file = folder / f"{stem}.csv"
    file.write_text(f"{','.join(header)}\n{','.join(row)}\n")
    return file


@pytest.mark.parametrize("stem", READERS)
def test_columns_swapped_together_with_their_header_are_read_by_name(tmp_path, stem):
    """The same file but for the order of its columns says the same, also where the image's name is not the first."""
    read, names, cells = READERS[stem]
    as_published = read(_csv(tmp_path, stem, ["image_id", *names], ["a.jpg", *cells]))
    turned = read(_csv(tmp_path, stem, [*names[::-1], "image_id"], [*cells[::-1], "a.jpg"]))
    assert list(turned.lines) == ["a.jpg"]
    by_name = [turned.columns.index(name) for name in as_published.columns]
    assert turned.values[:, by_name].tolist() == as_published.values.tolist()


@pytest.mark.parametrize("stem", ["list_landmarks_align_celeba", "list_bbox_celeba"])
@pytest.mark.parametrize("first", [[], ["image_id"]])
def test_text_files_are_read_by_name_too(tmp_path, stem, first):
    read, names, cells = READERS[stem]
    file = tmp_path / f"{stem}.txt"
    file.write_text(f"1\n{' '.join([*first, *names[::-1]])}\na.jpg {' '.join(cells[::-1])}\n")
    assert read(file).values.tolist() == [[float(cell) for cell in cells]]


@pytest.mark.parametrize("stem", [stem for stem in READERS if stem != "list_attr_celeba"])
def test_a_column_of_another_name_is_refused_and_the_advice_works(tmp_path, stem):
    read, names, cells = READERS[stem]
    file = _csv(tmp_path, stem, ["image_id", "other", *names[1:]], ["a.jpg", *cells])
    with pytest.raises(InputError, match=rf"{stem}\.csv:1: no column '{names[0]}'.* name it so"):
        read(file)
    file.write_text(file.read_text().replace("other", names[0]))
    assert len(read(file).lines) == 1
    with pytest.raises(InputError, match=r"csv:1: unknown column 'more'; expected image_id"):
        read(_csv(tmp_path, stem, ["image_id", *names, "more"], ["a.jpg", *cells, "1"]))


@pytest.mark.parametrize("stem", READERS)
def test_a_csv_without_a_column_of_images_is_refused(tmp_path, stem):
    read, names, cells = READERS[stem]
    with pytest.raises(InputError, match=r"csv:1: no column 'image_id'"):
        read(_csv(tmp_path, stem, ["file", *names], ["a.jpg", *cells]))
