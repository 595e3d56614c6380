"""Every command with any value of any option."""

import contextlib
import json
import shutil

import click
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bincam.cli import app
from tests.properties.judging import examples, judge, run
from tests.properties.strategies import names, numbers_as_text
from tests.report.conftest import finished_audit
from tests.studies.zoom import planted

PLANTED = ["--model", "STUDIED/model", "--factory", "tests.studies.zoom.planted:network"]

QUICK = [
    (("data", "describe"), ["SET"]),
    (("data", "describe"), ["NEW/t.csv", "--save"]),
    (("data", "check"), ["SET"]),
    (("data", "regions"), ["SET", "--out", "NEW/r.png"]),
    (("gate",), ["AUDIT"]),
    (("gate",), ["STUDIED/audit", "--rule", "coverage@class_conditional>=0.1"]),
    (("summarise",), ["AUDIT"]),
    (("sets",), ["STUDIED/audit", "--out", "NEW/sets"]),
    (("boxes",), ["AUDIT", "--coco", "NEW"]),
    (("scenes", "sheet"), ["--out", "NEW/s.png", "--count", "1"]),
    (("card",), ["-", "--out", "NEW/m"]),
    (("faces", "classes"), ["SET"]),
    (("compare",), ["AUDIT", "AUDIT", "--out", "NEW/c"]),
    (("scenes", "make"), ["--out", "NEW/s", "--count", "2", "--size", "40", "--workers", "1"]),
    (("data",), []),
    (("zoom",), ["AUDIT"]),
    (("zoom",), ["STUDIED/audit", *PLANTED, "--resume", "--plan", "STUDIED/plan.yaml"]),
    (("train",), ["CONFIG"]),
]
"""Commands that take well under a second on small inputs, with the arguments of a valid call."""
EXPLAIN = ["SET/img_align_celeba/000001.jpg", "--model", "MODEL", "--json"]
AUDITED = ["--model", "MODEL", "--data", "SET", "--out", "NEW", "--limit", "2", "--gate-images", "0", "--workers", "0"]
TRUTH = ["--model", "MODEL", "--pairs", "STUDIED/pairs.csv", "--methods", "grad_cam,brightness"]
HEAVY = [
    (("explain",), ["SET/img_align_celeba/000001.jpg", "--model", "MODEL", "--out", "NEW"]),
    (("explain",), [*EXPLAIN, "--grid"]),
    (("explain",), [*EXPLAIN, "--views", "2"]),
    (("explain",), [*EXPLAIN, "--boxes"]),
    (("explain",), ["STUDIED/pictures", *PLANTED, "--sets", "STUDIED/audit", "--sets-by", "average_k=1", "--json"]),
    (("report",), ["AUDIT", "--out", "NEW/r.html"]),
    (("audit",), AUDITED),
    (("audit",), [*AUDITED, "--grid"]),
    (("audit",), [*AUDITED, "--boxes"]),
    (("audit",), [*AUDITED, "--views", "2"]),
    (("truth",), [*TRUTH, "--out", "NEW/t"]),
    (("truth",), [*TRUTH, "--out", "STUDIED/truth", "--resume"]),
    (("faces", "make"), ["--out", "NEW/f", "--count", "2", "--size", "64x80", "--workers", "1"]),
    (("faces", "pairs"), ["--out", "NEW/p", "--count", "1", "--size", "44x54", "--attributes", "Bald"]),
    (("faces", "sheet"), ["--out", "NEW/f.png", "--count", "1", "--size", "44x54", "--kind", "faces"]),
]
WORK = {
    "--count",
    "--limit",
    "--size",
    "--zoom",
    "--columns",
    "--workers",
    "--sample",
    "--resamples",
    "--gate-images",
    "--images-per-person",
}
WORK |= {
    "--influence-images",
    "--masks",
    "--boxes-sample",
    "--views",
    "--test-time",
    "--plan",
    "--set",
    "--influence",
    "--grid",
    "--boxes",
    "--help",
    "--resume",
    "--unsafe-pickle",
}
WORK |= {"--pdf", "--example"}
"""Options whose large values ask for much work, rightly, and flags that need no value."""
SMALL = ("-1", "0", "x", "1.5", "nan", "", "1e400", "-9223372036854775809", "1" * 5000)
PLACES = ("/dev/null", "SET", "SET/data.yaml", "SET/list_attr_celeba.txt", "NEW/" + "a" * 300, "\x00", "FIFO", "DENIED")


@pytest.fixture(scope="module")
def places(celeba, model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    audit = finished_audit(
        folder / "audit",
        images=24,
        attributes=("Smiling", "Bald", "Young"),
        prevalence=(0.5, 0.3, 0.6),
        shard_images=16,
    )
    config = {"data": {"source": str(celeba)}, "out": "/dev/null/x", "epochs": 1}
    (folder / "config.json").write_text(json.dumps(config))
    import os

    os.mkfifo(folder / "fifo")
    studied = folder / "studied"
    planted.audited(studied, count=12)
    (studied / "plan.yaml").write_text(json.dumps([list(view) for view in planted.PLAN[:2]]))
    for name, shade in (("plain", 60), ("flipped", 200)):
        Image.new("RGB", (36, 44), (shade, 90, 90)).save(studied / f"{name}.png")
    (studied / "pairs.csv").write_text("attribute,image,flipped\nSmiling,plain.png,flipped.png\n")
    for words in (
        ["truth", *(word.replace("MODEL", str(model)) for word in TRUTH), "--out", "STUDIED/truth"],
        ["zoom", "STUDIED/audit", *PLANTED, "--plan", "STUDIED/plan.yaml"],
        ["sets", "STUDIED/audit", "--method", "average_k,class_conditional"],
    ):
        run([word.replace("STUDIED", str(studied)) for word in words])
    for words in (["scenes", "sheet"], ["faces", "sheet", "--size", "44x54", "--kind", "faces"]):
        run([*words, "--count", "1", "--out", folder / "compiled.png"])  # which takes longer than a call may
    of_test = {"SET": celeba, "MODEL": model, "AUDIT": audit, "STUDIED": studied}
    return {**of_test, "CONFIG": folder / "config.json", "FIFO": folder / "fifo"}


def options_of(words):
    command = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    return [
        (parameter.opts[0], parameter.is_flag)
        for parameter in command.params
        if isinstance(parameter, click.Option) or getattr(parameter, "param_type_name", "") == "option"
    ]


@st.composite
def calls(draw, commands):
    words, given_ = draw(st.sampled_from(commands))
    typed = []
    options = options_of(words)
    for option, is_flag in draw(st.lists(st.sampled_from(options), min_size=1, max_size=2)) if options else ():
        if is_flag:
            typed += [option] if option not in WORK else []
            continue
        value = st.sampled_from(SMALL) if option in WORK else st.one_of(names, numbers_as_text, st.sampled_from(PLACES))
        forms = st.sampled_from(
            ("{}", "{}", "Smiling={}", "{}=1", "{},{}", "Smiling,{}", "{}=0.5,1", "{}<=0.5", "Smiling.{}>=0")
        )
        typed += [f"{option}={draw(forms).replace('{}', draw(value))}"]
    return [*words, *given_, *typed]


def filled(words, places, new):
    """The words with the places in them, none of which a command changes."""
    for name, place in {**places, "NEW": new, "DENIED": "/proc/1/mem"}.items():
        words = [word.replace(name, str(place)) if not word.startswith("--") or "=" in word else word for word in words]
    return words


def tried(call, places, fresh):
    new = fresh()
    own = {name: new / name.lower() for name in ("AUDIT", "STUDIED")}
    for name, copy in own.items():
        shutil.copytree(places[name], copy)
    (new / "t.csv").write_text("image,Bald,who,Age\na.png,1,x,young\nb.png,0,y,old\n")
    with contextlib.chdir(new):  # a value may be taken for a path
        judge(lambda: run(filled(call, {**places, **own}, new)), lambda ended: ended.code in (0, 1, 2))
    shutil.rmtree(new)


@pytest.mark.slow
@examples(60)
@given(calls(QUICK))
def test_a_command_ends_as_a_command_may(fresh, places, call):
    tried(call, places, fresh)


@pytest.mark.slow
@examples(8)
@given(calls(HEAVY))
def test_a_longer_command_ends_as_a_command_may(fresh, places, call):
    tried(call, places, fresh)


@pytest.mark.slow
@examples(20)
@given(st.lists(names, min_size=1, max_size=3, unique=True), st.data())
def test_names_go_through_every_table_that_is_printed(fresh, attributes, data):
    folder = fresh()
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in attributes)
    (folder / "t.csv").write_text(
        f"image,{quoted},who\na.png{',1' * len(attributes)},x\nb.png{',0' * len(attributes)},[/]\n", "utf-8", "replace"
    )
    Image.new("RGB", (4, 4)).save(folder / "a.png")
    extra = data.draw(
        st.sampled_from(([], ["--identity-column", "who"], ["--one-of-column", "who"], ["--group-columns", "who"]))
    )
    for words in (["data", "describe"], ["data", "check"]):
        judge(
            lambda words=words: run([*words, folder / "t.csv", *(extra or ["--attributes", quoted])]),
            lambda ended: ended.code in (0, 1),
        )
