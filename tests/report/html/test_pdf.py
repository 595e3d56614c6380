import os
import stat

import pytest

from bincam.errors import InputError
from bincam.report.html.pdf import find_browser, print_pdf


def test_a_page_is_printed(tmp_path, browser):
    assert browser.version  # the fixture skips, or fails in CI, where there is none
    page = tmp_path / "a page é.html"
    page.write_text("<!doctype html><title>t</title><p>words", encoding="utf-8")
    print_pdf(page, tmp_path / "out.pdf")
    assert (tmp_path / "out.pdf").read_bytes().startswith(b"%PDF")
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".pdf"] == ["out.pdf"]


def test_a_browser_that_fails_is_quoted_and_leaves_nothing(tmp_path, monkeypatch):
    fake = tmp_path / "chromium"
    fake.write_text("#!/bin/sh\necho 'no display' >&2\nexit 3\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    assert find_browser() == str(fake)
    with pytest.raises(InputError, match="no display"):
        print_pdf(tmp_path / "page.html", tmp_path / "out.pdf")
    assert not list(tmp_path.glob("*.pdf"))
