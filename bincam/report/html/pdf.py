"""An HTML page as PDF, printed by the Chromium that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bincam.errors import InputError
from bincam.files import atomic

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic", "--disable-extensions", "--no-pdf-header-footer",
)  # fmt: skip
LIMIT = 180  # seconds


def find_browser() -> str | None:
    """Path of an installed Chromium or Chrome; None without one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def require_browser() -> str:
    """Path of an installed Chromium or Chrome.

    Raises:
        InputError: There is none.
    """
    browser = find_browser()
    if browser is None:
        raise InputError(
            f"a PDF is printed by Chromium, and none of {', '.join(NAMES)} is on the PATH; install one, or print the "
            "page from a browser"
        )
    return browser


def print_pdf(page: Path, out: Path) -> None:
    """Print an HTML file.

    Args:
        page: The HTML.
        out: The PDF, written whole or not at all.

    Raises:
        InputError: No browser is found, or it fails; its last words are told.
    """
    browser = require_browser()
    # Chromium refuses its sandbox to root; the page is our own and loads nothing.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="bincam-pdf-") as profile, atomic(out) as part:
        words = [
            browser, *FLAGS, *sandbox, f"--user-data-dir={profile}", f"--print-to-pdf={part.absolute()}",
            page.absolute().as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(words, capture_output=True, timeout=LIMIT, check=False)  # noqa: S603 - our own words
        except subprocess.TimeoutExpired:
            raise InputError(f"{browser} did not print {page} within {LIMIT} s") from None
        if done.returncode or not part.is_file() or not part.read_bytes().startswith(b"%PDF"):
            told = done.stderr.decode(errors="replace").strip().splitlines()
            raise InputError(f"{browser} could not print {page}: {told[-1] if told else f'exit {done.returncode}'}")
