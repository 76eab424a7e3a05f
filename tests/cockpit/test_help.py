"""The operator's guide as a page, and the links that lead there."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.requests import Request

from palate.errors import SettingsError
from palate.names import DOCS_FOLDER
from palate.settings import Settings
from palate_cockpit import documents, templating
from tests.cockpit.conftest import as_role, make_app

_APP = make_app(Settings(dwh_dsn=""))  # no page of the documents opens a session
_TEMPLATES = templating.make_templates().env
_ALL = sorted(name for name in documents.names() if name.endswith(".md"))


@pytest.fixture
def reader() -> TestClient:
    return as_role(_APP, "viewer")


def _linked(sentence: str) -> str:
    scope = {"type": "http", "app": FastAPI(), "root_path": "/palate", "headers": []}
    template = _TEMPLATES.from_string("{{ sentence | runbook }}")
    return template.render(sentence=sentence, request=Request(scope))


def test_guide_is_shown_with_an_anchor_for_each_heading(reader: TestClient) -> None:
    shown = reader.get("/help").text
    text = (DOCS_FOLDER / "operations.md").read_text(encoding="utf-8")
    headings = re.findall(r"^##+ (.+)$", text, re.MULTILINE)
    assert len(headings) > 30
    assert re.findall(r'<h[23] id="([^"]+)"', shown) == [
        documents.anchor(one) for one in headings
    ]
    assert 'id="the-promise-is-broken"' in shown
    assert "<td><code>operation/watch_is_awake</code></td>" in shown
    example = r'aria-label="Example \d+">palate positions accept-cluster &lt;topic&gt;'
    assert re.search(example, shown)


@pytest.mark.parametrize("name", _ALL)
def test_each_link_of_a_document_leads_somewhere(reader: TestClient, name: str) -> None:
    shown = reader.get(f"/help/{name}").text
    assert " style=" not in shown
    article = shown.split('<div class="document">')[1]
    for link in re.findall(r'(?:href|src)="([^"]*)"', article):
        if "//" in link:
            continue
        path, _, anchor = link.partition("#")
        answer = reader.get(path or f"/help/{name}")
        assert answer.status_code == 200, link
        assert not anchor or f'id="{unquote(anchor)}"' in answer.text, link


def test_html_in_a_document_is_shown_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hostile.md").write_text(
        "# Title\n\n<script>x()</script> [here](javascript:x())\n"
    )
    monkeypatch.setattr(documents, "DOCS_FOLDER", tmp_path)
    monkeypatch.setattr(documents, "names", lambda: frozenset({"hostile.md"}))
    html = documents.document("hostile.md").html
    assert html == ("<p>&lt;script&gt;x()&lt;/script&gt; [here](javascript:x())</p>\n")


@pytest.mark.parametrize(
    "path",
    ["nothing.md", "../README.md", "..%2FREADME.md", "pictures/take.py", "%2Fetc%2Fx"],
)
def test_nothing_but_documents_is_shown(reader: TestClient, path: str) -> None:
    assert reader.get(f"/help/{path}").status_code == 404


def test_picture_is_shown(reader: TestClient) -> None:
    answer = reader.get("/help/pictures/assets.png")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.content == (DOCS_FOLDER / "pictures/assets.png").read_bytes()


def test_mention_of_a_heading_becomes_a_link_to_it() -> None:
    assert _linked("See docs/operations.md, 'A record can't be read'.") == (
        'See <a href="/palate/help#a-record-cant-be-read">docs/operations.md, '
        "&#39;A record can&#39;t be read&#39;</a>."
    )
    assert _linked("See docs/operations.md, 'No such heading'; docs/scale.md.") == (
        'See <a href="/palate/help">docs/operations.md</a>, &#39;No such heading&#39;; '
        '<a href="/palate/help/scale.md">docs/scale.md</a>.'
    )
    assert _linked("docs/nothing.md") == "docs/nothing.md"
    assert _linked("Run `palate status <x>`.") == (
        "Run <code>palate status &lt;x&gt;</code>."
    )


def test_foreign_text_around_a_mention_stays_inert() -> None:
    hostile = '<img src=x>" onclick="x"\u202e\n'
    shown = "&lt;img src=x&gt;&#34; onclick=&#34;x&#34;\\u202e\\n"
    assert _linked(f"{hostile}docs/operations.md, '{hostile}") == (
        f'{shown}<a href="/palate/help">docs/operations.md</a>, &#39;{shown}'
    )


def test_error_links_to_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Settings:
        message = "Refused; see docs/operations.md, 'What PostgreSQL refuses'."
        raise SettingsError(message)

    monkeypatch.setattr(_APP.state.sessions, "load_settings", refuse)
    shown = as_role(_APP, "viewer").get("/batches")
    assert shown.status_code == 400
    assert '<a href="/help#what-postgresql-refuses">' in shown.text


def test_documents_are_in_the_image() -> None:
    folder = DOCS_FOLDER.parent
    assert "\nCOPY docs docs\n" in (folder / "Dockerfile").read_text()
    assert "!docs" in (folder / ".dockerignore").read_text().splitlines()
