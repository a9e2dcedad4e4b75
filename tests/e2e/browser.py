"""Find the Chromium that the browser tests drive, or install one as the platform allows, or say what to do.

Order: $LOSSDIAG_CHROMIUM, a Chromium or Chrome on the PATH, one that Playwright has, Playwright's download, Debian's
package (as root). Run as a script it does all of that; imported, `find` only looks.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HELP = """\
The browser tests need Chromium, and none was found or could be installed. Do one of these, then run make test again:
  - Debian, Ubuntu:  apt install chromium
  - macOS:           brew install --cask chromium
  - anywhere:        .venv/bin/playwright install chromium
  - or name one:     LOSSDIAG_CHROMIUM=/path/to/chromium make test
`make unit` runs everything that needs no browser."""


def find() -> Path | None:
    """Return the path of a usable browser, or None."""
    named = os.environ.get("LOSSDIAG_CHROMIUM")
    if named:
        if not Path(named).is_file():
            raise SystemExit(f"LOSSDIAG_CHROMIUM is {named!r}, and there is no such file.")
        return Path(named)
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.is_file() else None


def _attempts() -> list[list[str]]:
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]
        # The system's package is tried first: it needs no download host beyond the ones the machine has already.
        attempts.insert(0, [*apt, "install", "-y", "--no-install-recommends", "chromium", "fonts-noto-cjk"])
        attempts.insert(0, [*apt, "update"])
    return attempts


def main() -> int:
    """Print the browser's path, installing one first if need be; 1 when there is none to be had."""
    found = find()
    if found is None:
        for command in _attempts():
            print("No Chromium yet:", " ".join(command), file=sys.stderr)
            try:
                subprocess.run(command, check=False, stdout=subprocess.DEVNULL, timeout=600)
            except (OSError, subprocess.TimeoutExpired) as error:
                print(f"  {error}", file=sys.stderr)
            found = find()
            if found is not None:
                break
    print(found or HELP, file=sys.stdout if found else sys.stderr)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
