"""Printing of an HTML page to PDF by an installed Chromium."""

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
    """Return the path of an installed Chromium or Chrome; None without one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def require_browser() -> str:
    """Return the path of an installed Chromium or Chrome.

    Raises:
        InputError: There is none.
    """
    browser = find_browser()
    if browser is None:
        raise InputError(
            f"printing a PDF needs Chromium, and none of {', '.join(NAMES)} is on the PATH; install one, or print the "
            "page from a browser"
        )
    return browser


def print_pdf(page: Path, out: Path) -> None:
    """Print an HTML file to PDF.

    Args:
        page: The HTML.
        out: The PDF, written completely or not at all.

    Raises:
        InputError: There is no browser, or it fails; the message ends with the last line of its output.
    """
    browser = require_browser()
    # Chromium has no sandbox for root; this is safe because the page is our own and loads nothing.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory(prefix="bincam-pdf-") as profile, atomic(out) as part:
        command = [
            browser, *FLAGS, *sandbox, f"--user-data-dir={profile}", f"--print-to-pdf={part.absolute()}",
            page.absolute().as_uri(),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, timeout=LIMIT, check=False)  # noqa: S603 - our own command
        except subprocess.TimeoutExpired:
            raise InputError(f"{browser} did not print {page} within {LIMIT} s") from None
        if done.returncode or not part.is_file() or not part.read_bytes().startswith(b"%PDF"):
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise InputError(f"{browser} could not print {page}: {lines[-1] if lines else f'exit {done.returncode}'}")
