"""The report's page in a real browser: nothing loaded, nothing broken, the answers found and followed."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image
from report_pages import append_metrics, write_dump, write_run

from gmpo_verl.report import main
from gmpo_verl.reporting.collected import Collector
from gmpo_verl.reporting.export import HEIGHT, PNG_SCALE, WIDTH
from gmpo_verl.reporting.page import render

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")

expect = sync_api.expect
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")

READY = "#samples[data-ready]"


class Visit:
    """A page in the browser, with all that it complained about or asked a network for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("dialog", lambda dialog: (self.complaints.append("a dialog"), dialog.dismiss()))

    def open(self, path: Path) -> Any:
        self.page.goto(path.as_uri())
        return self.page

    def outside_requests(self) -> list[str]:
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Any, request: pytest.FixtureRequest) -> Iterator[Visit]:
    options = getattr(request, "param", {"viewport": {"width": 1400, "height": 900}, "reduced_motion": "reduce"})
    context = browser.new_context(**options)
    yield Visit(context.new_page())
    context.close()


@pytest.fixture(scope="module")
def large_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10,000 answers of 2,000 characters, with mathematics."""
    folder = tmp_path_factory.mktemp("large")
    write_run(folder / "run", problems=1000, steps=100, chars=2000)
    assert main([str(folder / "run"), "--out", str(folder / "report.html"), "--samples", "20000"]) == 0
    return folder / "report.html"


def page_of(folder: Path, rows: list[dict[str, Any]]) -> Path:
    append_metrics(folder / "run", range(1, 3))
    write_dump(folder / "run" / "rollouts" / "1.jsonl", rows)
    assert main([str(folder / "run"), "--out", str(folder / "report.html")]) == 0
    return folder / "report.html"


def test_ten_thousand_answers_stay_below_15_mb_and_two_seconds(visit: Visit, large_page: Path) -> None:
    assert large_page.stat().st_size < 15e6
    seconds = []
    for _ in range(3):
        visit.open(large_page).wait_for_selector(".plot .main-svg")
        seconds.append(visit.page.evaluate("performance.now()") / 1000)
        visit.page.wait_for_selector(READY)
    assert min(seconds) < 2
    assert visit.complaints == []
    assert visit.outside_requests() == []


def test_a_reader_filters_to_wrong_answers_searches_opens_one_and_follows_it(visit: Visit, large_page: Path) -> None:
    page = visit.open(large_page)
    page.wait_for_selector(READY)
    assert page.inner_text("#sample-count").startswith("10,000 answers")
    page.select_option("#f-verdict", "wrong")
    expect(page.locator("#sample-count")).to_contain_text(", 0 right")
    page.fill("#f-search", "Problem 77:")
    expect(page.locator("#sample-count")).to_have_text(re.compile(r"^([1-9]|10) answers, 0 right"))
    page.click(".row >> nth=0")
    assert "Problem 77" in page.inner_text("#sample-detail")
    assert "Wrong" in page.inner_text("#sample-detail .verdict")
    assert page.locator("#sample-detail math").count() > 3
    before = page.inner_text("#sample-detail .why >> nth=0")
    assert page.locator(".follow button").count() == 10
    page.click(".follow button:not([aria-current]) >> nth=0")
    assert page.inner_text("#sample-detail .why >> nth=0") != before
    assert "Problem 77" in page.inner_text("#sample-detail")
    assert visit.complaints == []


def test_the_list_draws_only_what_is_on_the_screen_and_moves_by_keys(visit: Visit, large_page: Path) -> None:
    page = visit.open(large_page)
    page.wait_for_selector(READY)
    page.focus("#sample-list")
    page.keyboard.press("End")
    expect(page.locator(".row[aria-selected=true]")).to_have_attribute("aria-posinset", "10000")
    assert page.locator(".row").count() < 60
    page.keyboard.press("Home")
    expect(page.locator(".row[aria-selected=true]")).to_have_attribute("aria-posinset", "1")
    step = page.inner_text("#sample-detail .why >> nth=0")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#sample-detail .why >> nth=0") != step
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "f-search"


HOSTILE = [
    '<img src=x onerror="alert(1)"><script>alert(2)</script></script><svg onload=alert(3)>',
    "</script><script>alert(4)</script><!-- <script>",
    "right \u202e\u2066 reversed \u200b\u0000\u0007 end \ud800 lone",
    r"\(\href{javascript:alert(5)}{x}\) $\def\a{\a\a}\a$ \(\rule{99999em}{99999em}\) $" + "{" * 3000 + "$",
    "x" * 1_000_000 + r"\boxed{7}",
    "$" * 100_000,
    "\\begin{align}" * 5_000,
]


def test_hostile_answers_are_shown_as_text_and_harm_nothing(visit: Visit, tmp_path: Path) -> None:
    rows = [
        {"input": text[:5000], "output": text, "gts": text[:200], "score": 0.0, "uid": str(i)}
        for i, text in enumerate(HOSTILE)
    ]
    path = page_of(tmp_path, rows)
    assert path.stat().st_size < 3e6
    page = visit.open(path)
    page.wait_for_selector(READY)
    shown = []
    for place in range(len(HOSTILE)):
        began = time.monotonic()
        page.click(f".row[data-place='{place}']")
        shown.append(page.inner_text("#sample-detail"))
        assert time.monotonic() - began < 5
    together = "\n".join(shown)
    assert "<script>alert(2)</script>" in together
    assert "U+202E" in together
    assert "\u202e" not in together
    assert "980,009 characters" in together  # of 1,000,009, 20,000 are kept
    assert page.locator("#sample-detail img, #sample-detail script, #sample-detail a").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1400
    assert visit.complaints == []
    assert visit.outside_requests() == []


@pytest.mark.parametrize("visit", [{"viewport": {"width": 400, "height": 800}, "has_touch": True}], indirect=True)
def test_a_phone_shows_no_sideways_scroll_and_an_answer_over_the_whole_screen(visit: Visit, large_page: Path) -> None:
    page = visit.open(large_page)
    page.wait_for_selector(READY)
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    page.click(".row >> nth=2")
    box = page.locator("#sample-detail").bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 400, 800)
    page.keyboard.press("Escape")
    assert not page.is_visible("#sample-detail")
    assert visit.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_readers_need(browser: Any, large_page: Path, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(large_page.as_uri())
    page.wait_for_selector(READY)
    page.click(".row >> nth=0")
    ratios = page.evaluate(CONTRASTS)
    context.close()
    assert len(ratios) > 30
    assert min(ratio for ratio, _ in ratios) >= 4.5, min(ratios)


def test_a_followed_page_loads_itself_anew_and_keeps_the_place_the_filter_and_the_answer(
    visit: Visit, tmp_path: Path
) -> None:
    write_run(tmp_path / "run", problems=30, steps=20, chars=200)
    out = tmp_path / "report.html"
    collector = Collector([str(tmp_path / "run")], 1000)
    out.write_text(render(collector.collect(), "now", live=True).replace('seconds="10"', 'seconds="1"'))
    page = visit.open(out)
    page.wait_for_selector(READY)
    page.select_option("#f-verdict", "wrong")
    page.fill("#f-search", "Problem 1")
    page.wait_for_timeout(300)
    page.click(".row >> nth=1")
    chosen = page.inner_text("#sample-detail")
    top = page.evaluate("document.querySelector('#samples').getBoundingClientRect().top")

    append_metrics(tmp_path / "run", range(21, 31))
    text = render(collector.collect(), "later", live=False)
    out.write_text(text.replace('<h2 id="learning-title">', "<p style='height:300px'></p><h2 id=\"learning-title\">"))
    expect(page.locator("footer")).to_contain_text("Written later", timeout=20_000)
    page.wait_for_selector(READY)
    assert page.input_value("#f-search") == "Problem 1"
    assert page.input_value("#f-verdict") == "wrong"
    assert page.inner_text("#sample-detail") == chosen
    assert abs(page.evaluate("document.querySelector('#samples').getBoundingClientRect().top") - top) < 3
    assert page.locator("#pause").count() == 0
    assert visit.complaints == []


def test_every_figure_has_an_alt_text_and_its_numbers_as_a_table(visit: Visit, large_page: Path) -> None:
    page = visit.open(large_page)
    figures = page.locator(".plot")
    assert figures.count() >= 4
    for index in range(figures.count()):
        assert len(figures.nth(index).get_attribute("aria-label")) > 30
    for details in page.query_selector_all(".numbers"):
        details.query_selector("summary").click()
        assert details.wait_for_selector("table tr:nth-child(2)")
    assert visit.complaints == []


def test_the_switch_of_colours_redraws_the_figures_and_is_kept(visit: Visit, large_page: Path) -> None:
    page = visit.open(large_page)
    page.wait_for_selector(".plot .main-svg")
    colour = "getComputedStyle(document.querySelector('.plot .js-line')).stroke"
    light = page.evaluate(colour)
    page.click("#theme")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(colour) != light
    page.reload()
    page.wait_for_selector(".plot .main-svg")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_figures_are_written_for_print_as_png_and_svg(tmp_path: Path) -> None:
    append_metrics(tmp_path / "run", range(1, 21))
    out, figures = tmp_path / "report.html", tmp_path / "figures"
    assert main([str(tmp_path / "run"), "--out", str(out), "--figures", str(figures)]) == 0
    names = {path.name for path in figures.iterdir()}
    assert {"entropy.png", "entropy.svg", "log_ratio.png", "log_ratio.svg", "accuracy.svg"} <= names
    assert all(name.endswith((".png", ".svg")) for name in names)
    with Image.open(figures / "entropy.png") as image:
        assert image.size == (WIDTH * PNG_SCALE, HEIGHT * PNG_SCALE)
        assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    svg = ElementTree.parse(figures / "entropy.svg").getroot()
    assert "entropy (nats)" in "".join(svg.itertext())


# WCAG's contrast ratio of every element that has text of its own, against the nearest background that is opaque.
CONTRASTS = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const back = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll('body *:not(script):not(svg *):not(.skip)')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest('button:disabled, noscript')) continue;
    const [a, b] = [light(numbers(getComputedStyle(element).color)), light(back(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), element.outerHTML.slice(0, 80)]);
  }
  return found;
}"""


def test_the_payload_of_a_page_is_its_own_json(large_page: Path) -> None:
    text = large_page.read_text(encoding="utf-8")
    start = text.index('id="figures-data">') + len('id="figures-data">')
    assert set(json.loads(text[start : text.index("</script>", start)])) >= {"accuracy", "reward", "entropy"}
