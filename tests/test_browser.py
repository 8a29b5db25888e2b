"""Pages in a browser: formulae are drawn, nothing is wider than the page, nobody is shut out."""

import contextlib
import shutil
from pathlib import Path

import pytest
from test_book import made
from test_html import network

from derive import catalogue, gradient

pytestmark = pytest.mark.needs("playwright", "axe_playwright_python", "latex2mathml", "matplotlib")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (1280, 390)
SERIOUS = {"serious", "critical"}
PAGES = ("layer_norm", "max_pool2d", "masked_multi_head_attention", "unet_block", "network")
BOOK = ["relu", "softmax", "dense", "mlp", "softmax_cross_entropy"]
HEARD = ["index.html", "preface.html", "laws.html", "chapter-losses.html", "softmax.html", "page-network.html"]
EMPTY = "() => [...document.querySelectorAll('math')].filter(m => !m.getBoundingClientRect().width).length"
WIDER = """() => [...document.querySelectorAll('body *')].filter(e => {
    if (e.closest('.chain, .scroll, pre') && !e.matches('.chain, .scroll, pre')) return false
    const box = e.getBoundingClientRect()
    return box.right > document.documentElement.clientWidth + 1 && box.width > 0
}).map(e => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def browser(request):
    from conftest import require

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        require("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Explanations, and a part of the book."""
    home = tmp_path_factory.mktemp("pages")
    for name in PAGES:
        formula = network() if name == "network" else catalogue[name]
        (home / f"page-{name}.html").write_text(gradient(formula).html(), "utf-8")
    made(home, "--jobs", "1", names=BOOK)
    return home


@contextlib.contextmanager
def opened(browser, path, width, scheme="light"):
    """The page, and what it wrote to the console."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(f"not loaded: {request.url}"))
    page.goto(Path(path).as_uri())
    yield page, said
    page.close()


def names(folder):
    return sorted(path.name for path in folder.glob("*.html"))


@pytest.mark.parametrize("width", WIDTHS)
def test_formulae_are_drawn_and_fit(browser, folder, width):
    for name in names(folder):
        with opened(browser, folder / name, width) as (page, said):
            assert page.evaluate("document.querySelectorAll('math').length") or "chapter" in name or name in {
                "index.html", "laws.html"
            }, name  # fmt: skip
            assert not page.evaluate(EMPTY), f"{name}: a formula without a width"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.evaluate(WIDER) == [], name
            assert said == [], name


def test_links_are_followed(browser, folder):
    with opened(browser, folder / "index.html", 1280) as (page, _):
        targets = page.evaluate("[...document.querySelectorAll('a')].map(a => a.href)")
        assert len(targets) > len(BOOK)
        for target in dict.fromkeys(targets):
            page.goto(target)
            assert page.title() and page.query_selector("h1")
    with opened(browser, folder / "softmax.html", 1280) as (page, _):
        page.click("a[href='laws.html#contract-δ']")
        assert page.evaluate("document.querySelector(':target').textContent") == "contract δ"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(browser, folder, scheme):
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    for name in HEARD:
        with opened(browser, folder / name, 1280, scheme) as (page, _):
            found = axe.run(page, context={"exclude": [["math"]]}).response["violations"]
            serious = [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in SERIOUS]
            assert not serious, f"{name}, {scheme}: " + "; ".join(serious)


def test_a_page_follows_the_systems_colours(browser, folder):
    seen = set()
    for scheme in ("light", "dark"):
        with opened(browser, folder / "softmax.html", 1280, scheme) as (page, _):
            seen.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(seen) == 2


def test_a_page_that_is_too_wide_is_found(browser, tmp_path):
    (tmp_path / "wide.html").write_text("<body><p style='width:2000px'>wide</p></body>", "utf-8")
    with opened(browser, tmp_path / "wide.html", 390) as (page, _):
        assert page.evaluate(WIDER)
