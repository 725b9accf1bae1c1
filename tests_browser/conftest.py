"""A real browser, without which these tests fail: they are what shows that a page works."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("AG_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser():
    if not Path(CHROMIUM).exists():
        pytest.exit(
            f"no browser at {CHROMIUM}: install Chromium (on Debian .ci/setup does it), or say where there is one: "
            f"AG_CHROMIUM=/path/to/chromium make test-browser",
            returncode=3,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens the page of an explanation. Whatever the test does: nothing may be loaded from anywhere, and nothing go wrong."""
    contexts, wrong = [], []

    def open_page(explanation, **options):
        path = tmp_path / "page.html"
        explanation.save(path)
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options}))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("request", lambda request: wrong.append(request.url) if request.url != path.as_uri() else None)
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong
