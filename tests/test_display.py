"""Tables as text and HTML, images as data URIs, and the backend that draws."""

import base64
import math
import subprocess
import sys

import pytest

from bincam import display
from bincam.errors import InputError

HOSTILE = "<script>alert('x')</script>\x1b[2J\n"


@pytest.fixture
def restored():
    yield
    display.use_backend(display.DEFAULT_BACKEND)


def test_a_table_is_aligned_and_every_row_is_one_line():
    table = display.Table("a title", ("name", "n"), [(HOSTILE, "1"), ("b", "1,000")], "a note")
    title, head, first, second, note = table.text().splitlines()
    assert (title, note) == ("a title", "a note")
    assert len({len(line) for line in (head, first, second)}) == 1
    assert second.startswith("b ")
    assert second.endswith(" 1,000")
    assert "\x1b" not in table.text()


def test_every_text_is_escaped_in_html():
    html = display.Table(HOSTILE, (HOSTILE, "n"), [(HOSTILE, HOSTILE)], HOSTILE).html()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 5


def test_a_table_without_rows_is_its_title_and_note():
    table = display.Table("nothing", ("name",), [], "unfinished")
    assert table.text() == "nothing\nunfinished"
    assert "<table>" not in table.html()


def test_numbers():
    assert display.number(-1.234) == "−1.23"
    assert display.number(math.nan) == "undefined"
    assert display.cell(math.nan) == "–"
    assert display.cell(math.inf) == "∞"
    assert display.omitted(3, 3, "rows") == ""


def test_a_figure_is_embedded_whole():
    from matplotlib.figure import Figure

    element = display.image(Figure(figsize=(1, 1)), 'a "b" <c>')
    data = element.split("base64,")[1].split('"')[0]
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert 'alt="a &quot;b&quot; &lt;c&gt;"' in element


def test_the_default_backend_has_all_functions():
    assert display.backend().plot_audit.__module__ == display.DEFAULT_BACKEND


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize(("name", "message"), [("no_such_module", "cannot be imported"), ("math", "plot_explanation")])
def test_a_backend_that_cannot_draw_is_refused(name, message):
    display.use_backend(name)
    with pytest.raises(InputError, match=message):
        display.backend()


def test_neither_display_nor_results_import_the_report_or_matplotlib():
    code = (
        "import bincam.display, bincam.cam, bincam.audit.folder.reader, bincam.data, bincam.compare.document, sys;"
        "print([name for name in sys.modules if name.startswith(('bincam.report', 'matplotlib'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
