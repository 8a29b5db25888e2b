"""Writes docs/images: `python docs/screenshots.py` needs the extras book and browser, and Chromium."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from derive import catalogue, chain, gradient
from derive.cli import main

IMAGES = Path(__file__).parent / "images"
NETWORK = ("dense", "tanh", "dense", "softmax_cross_entropy")
BOOK = ("dense", "relu", "gelu", "softmax", "softmax_cross_entropy", "layer_norm", "conv2d", "attention", "mlp")
SHOTS = (  # image, page, width, height, colours, what stands at the top
    ("derivation", "layer_norm-page.html", 1100, 760, "light", "h2:nth-of-type(5)"),
    ("network", "network-page.html", 1100, 900, "light", "h2:nth-of-type(2)"),
    ("book", "gelu.html", 1100, 860, "light", "h1"),
    ("book-dark", "index.html", 1100, 700, "dark", "h1"),
    ("phone", "softmax.html", 390, 800, "dark", "h1"),
)


def made(folder: Path) -> None:
    """The pages that are shown."""
    network = chain(*(catalogue[name] for name in NETWORK))
    for name, formula in (("layer_norm", catalogue["layer_norm"]), ("network", network)):
        (folder / f"{name}-page.html").write_text(gradient(formula).html(), encoding="utf-8")
    if main(["book", "-o", str(folder), "--only", ",".join(BOOK)]):
        raise SystemExit("the book could not be made")


def shot(folder: Path) -> None:
    """A picture of each."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for image, name, width, height, colours, top in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=colours)
            page.goto((folder / name).as_uri())
            page.eval_on_selector(top, "e => window.scrollTo(0, e.getBoundingClientRect().top - 24)")
            page.screenshot(path=IMAGES / f"{image}.png")
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        made(Path(home))
        shot(Path(home))
