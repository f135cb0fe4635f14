#!/usr/bin/env python3
"""Makes the tables of docs/performance.md, and its plots, from bench/results/.

    bench/report.py            writes the tables into the page
    bench/report.py --check    ends with 1 where they, or the plots, are not those of the results
    bench/report.py --draw     draws the plots beside the page, and prints their names
"""

import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from driver import page  # noqa: E402  pylint: disable=wrong-import-position

PAGE = ROOT / "docs/performance.md"


def stale_plots(results):
    """Those that would be drawn otherwise. gnuplot writes its version into each, which does not count."""
    with tempfile.TemporaryDirectory() as folder:
        names = page.draw(results, pathlib.Path(folder))
        return [name for name in names if plot(PAGE.parent / name) != plot(pathlib.Path(folder) / name)]


def plot(path):
    return re.sub(r"Produced by GNUPLOT.*", "", path.read_text(encoding="utf-8")) if path.exists() else ""


def main():
    results = page.load(ROOT / "bench/results")
    now = PAGE.read_text(encoding="utf-8")
    wanted = page.merge(now, page.text(results))
    if sys.argv[1:] == ["--draw"]:
        print("\n".join(page.draw(results, PAGE.parent)))
    elif sys.argv[1:] == ["--check"]:
        if now != wanted:
            sys.exit("docs/performance.md is not made from bench/results/ as they are: run bench/report.py")
        old = stale_plots(results)
        if old:
            sys.exit(f"{', '.join(old)} of docs/ is not drawn from bench/results/ as they are: run bench/report.py --draw")
    else:
        PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
