"""What pages say of shortcuts, as the tables of the scenes have it."""

import doctest

from bincam.files import write_json
from experiments.scenes import pages
from experiments.scenes.over_seeds import OPEN


def case(said):
    figures = {
        "auroc": 0.99, "misses": 0.02, "object_gain": 0.01, "pointing": 0.12,
        "pointing_chance": 0.16, "recovery": 0.98, "chance": None,
    }  # fmt: skip
    shapes = {shape: {name: {"value": value} for name, value in figures.items()} for shape in pages.SHAPES}
    return {"trained": "strength 1", "scenes": "no cues", "elsewhere": said, "shapes": shapes}


def test_the_table_says_of_each_shape_what_the_page_says(tmp_path):
    file = tmp_path / "pages.json"
    assert OPEN in pages.pages_table(file)
    cases = [case({"star": "lower right", "ring": ""}), case({})]
    write_json(file, {"kind": pages.KIND, "schema": pages.SCHEMA, "cases": cases})
    star, heart, *clean = pages.pages_table(file).splitlines()[2:]
    assert star == "| strength 1 | no cues | star | .99 | .02 | .01 | .12 | .16 | .98 | – | yes: lower right | ring |"
    assert heart.endswith("| no | ring |")
    assert all(line.endswith("| no | none |") for line in clean)


def test_every_planted_network_is_seen_with_its_cues_and_without_and_so_is_the_clean_one():
    names = [(job.name, strength) for job, strength in pages.cases()]
    assert ("all-mean-stride8-cue100-seed0", 1.0) in names
    assert ("all-mean-stride8-seed0", 1.0) in names
    assert sum(strength is None for _, strength in names) == 3
    assert doctest.testmod(pages).failed == 0
