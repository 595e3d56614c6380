from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from bincam.cli import app
from bincam.data import write_celeba
from bincam.errors import BincamWarning, InputError
from tests.data.conftest import make_images, make_table


@pytest.fixture
def folder(tmp_path):
    write_celeba(make_table(), make_images(12), tmp_path / "set")
    return tmp_path / "set"


def run(*arguments):
    return CliRunner().invoke(app, ["data", *map(str, arguments)])


def test_describe_prints_a_table_or_json_and_draws(folder, tmp_path):
    out = run("describe", folder)
    assert out.exit_code == 0
    assert "Smiling" in out.stdout
    assert "No identity is in more than one split" in out.stdout
    out = run("describe", folder, "--json", "--out", tmp_path / "figures", "--attributes", "Male,Bald")
    value = json.loads(out.stdout)
    assert value["attributes"] == ["Male", "Bald"]
    assert [s["count"] for s in value["splits"]] == [12, 4, 4, 4]
    for name in ("prevalence.png", "correlation.png"):
        with Image.open(tmp_path / "figures" / name) as image:
            assert np.asarray(image.convert("L")).std() > 10


def test_describe_reads_tables_as_told(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("file,Hat,fold,who,camera\n1.png,-1,0,a,x\n2.png,1,2,a,y\n")
    out = run(
        "describe", file, "--json", "--labels", "-1/1", "--path-column", "file", "--split-column", "fold",
        "--identity-column", "who", "--group-columns", "camera",
    )  # fmt: skip
    value = json.loads(out.stdout)
    assert value["attributes"] == ["Hat"]
    assert value["identities_across_splits"] == {"a": ["train", "test"]}


def test_check_exits_1_when_anything_is_wrong(folder):
    out = run("check", folder)
    assert (out.exit_code, "Nothing wrong" in out.stdout) == (0, True)
    broken = folder / "img_align_celeba" / "000003.jpg"
    broken.write_bytes(b"")
    out = run("check", folder)
    assert out.exit_code == 1
    assert "000003.jpg: empty file" in out.stdout
    out = run("check", folder, "--json")
    assert out.exit_code == 1
    assert json.loads(out.stdout)["problems"][0]["kind"] == "image"


def test_check_reports_an_unreadable_row_with_file_and_line(folder):
    file = folder / "list_eval_partition.txt"
    file.write_text(file.read_text().replace("000003.jpg 0", "000003.jpg 7"))
    out = run("check", folder, "--json")
    assert out.exit_code == 1
    (problem,) = json.loads(out.stdout)["problems"]
    assert "list_eval_partition.txt:3: unknown partition code 7" in problem["text"]


def test_bad_usage_exits_2_in_one_line(tmp_path):
    for arguments in (["describe", "nowhere"], ["check", "nowhere"]):
        done = subprocess.run(
            [sys.executable, "-m", "bincam", "data", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 2
        assert done.stderr.startswith("bincam: nowhere: no such folder or file")
        assert done.stderr.count("\n") == 1
        assert not done.stdout


@pytest.mark.parametrize("kind", ["published", "face"])
def test_regions_are_drawn(folder, tmp_path, kind):
    out = run("regions", folder, "--regions", kind, "--out", tmp_path / "r.png", "--count", 2)
    assert out.exit_code == 0
    with Image.open(tmp_path / "r.png") as image:
        assert min(image.size) > 100


def test_regions_need_something_in_common(folder, tmp_path):
    (tmp_path / "mine.yaml").write_text("regions: {Hat: {box: [0, 0, 1, 0.3]}}")
    out = run("regions", folder, "--regions", tmp_path / "mine.yaml", "--out", tmp_path / "r.png")
    assert isinstance(out.exception, InputError)
    assert "none of the attributes has a region" in str(out.exception)


def test_sets_are_stated_by_options(tmp_path):
    rows = [
        "1.png,train,1,0,White",
        "2.png,train,0,1,White",
        "3.png,train,1,0,Black",
        "4.png,test,1,0,",
        "5.png,test,1,1,Asian",
    ]
    file = tmp_path / "t.csv"
    file.write_text("image,split,day,night,race\n" + "\n".join(rows) + "\n")
    options = ["--split-column", "split", "--one-of-column", "race=White,Black", "--one-of", "time=day,night"]
    refused = run("describe", file, *options)
    assert isinstance(refused.exception, InputError)
    assert "t.csv:5: column 'race': no class (in all 2 rows)" in str(refused.exception)
    with pytest.warns(BincamWarning):
        out = run("describe", file, *options, "--one-of-invalid", "unknown")
    assert out.exit_code == 0, out.output
    assert "race: one of 2; rare: below 50.0 % of train" in out.stdout
    assert "race=Black" in out.stdout
    with pytest.warns(BincamWarning):
        stored = json.loads(run("describe", file, *options, "--one-of-invalid", "unknown", "--json").stdout)["sets"]
    assert stored["race"]["splits"][0] == {
        "name": "all", "images": [2, 1], "unknown": 2, "minority": ["race=Black"]
    }  # fmt: skip
    assert stored["time"]["splits"][0]["images"] == [3, 1]
    checked = run("check", file, *options)
    assert checked.exit_code == 1
    assert "column 'race': no class" in checked.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--one-of", "race"], "--one-of race: expected SET=NAME,NAME,..."),
        (["--one-of", "a=x,y", "--one-of", "a=z,w"], "'a' is given twice"),
        (["--one-of", "a=x,x"], "'x' is given twice"),
        (["--one-of-column", "race", "--one-of-column", "race=a,b"], "'race' is given twice"),
        (["--one-of-column", "race="], "expected SET=NAME,NAME,..."),
        (["--one-of-column", "=a,b"], "expected SET=NAME,NAME,..."),
    ],
)
def test_malformed_statements_of_sets_are_refused(folder, options, message):
    assert message in str(run("describe", folder, *options).exception)


def test_names_in_tables_are_text_and_no_markup(tmp_path):
    odd = ["[/]", "[red]x[/red]", "a\x1b[31m", ":smile:"]
    quoted = ",".join(f'"{name}"' for name in odd)
    file = tmp_path / "[b].csv"
    file.write_text(f"image,{quoted},who,kind\n" + "".join(f"{i}.png{',1' * 4},[/],[bold]{i}\n" for i in range(2)))
    Image.new("RGB", (4, 4)).save(tmp_path / "0.png")
    options = ["--identity-column", "who", "--one-of-column", "kind"]
    described = run("describe", file, *options)
    assert described.exit_code == 0, described.exception
    for name in ("[/]", "[red]x[/red]", r"a\x1b[31m", ":smile:", "kind=[bold]0"):
        assert name in described.stdout
    assert "\x1b" not in described.stdout
    checked = run("check", file, *options)
    assert checked.exit_code == 1
    assert "1.png: no such file" in checked.stdout.replace("\n", "")
    assert "[b].csv:1 of 2" in checked.stdout.replace("\n", "").replace(": 1", ":1")  # a line may end after the name
