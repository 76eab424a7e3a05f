"""The documents of ``docs``, as pages; sentences that name one become links.

They are part of a version, as the code is: each is read once.
"""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from urllib.parse import quote

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from palate.errors import NotFoundError
from palate.names import DOCS_FOLDER
from palate.text import escape_controls

RUNBOOK = "operations.md"
# Where the page of the documents stands.
PATH = "/help"

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def _scrolling(what: str, tokens: Sequence[Token], index: int) -> str:
    """Return the attributes of what is wide: it scrolls, also by the keyboard."""
    number = sum(one.type == tokens[index].type for one in tokens[: index + 1])
    return f'tabindex="0" role="region" aria-label="{what} {number}"'


_MARKDOWN.add_render_rule(
    "table_open",
    lambda _, tokens, index, *__: (
        f'<div class="scrolling" {_scrolling("Table", tokens, index)}><table>'
    ),
)
_MARKDOWN.add_render_rule("table_close", lambda *_: "</table></div>")
_MARKDOWN.add_render_rule(
    "fence",
    lambda _, tokens, index, *__: (
        f"<pre {_scrolling('Example', tokens, index)}>"
        f"{escape(tokens[index].content)}</pre>"
    ),
)
_MENTION = re.compile(r"docs/((?:[a-z0-9-]+/)*[a-z0-9-]+\.md)(?:, ')?")
_CODE = re.compile("`([^`]+)`")
_NO_PART_OF_AN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True)
class Heading:
    """A heading: ``level`` is 2 or 3, ``anchor`` what a link to it ends with."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True)
class Document:
    """A document as HTML, without its title."""

    name: str
    title: str
    headings: list[Heading]
    html: Markup


@cache
def names() -> frozenset[str]:
    """Return the documents and pictures that there are, such as ``operations.md``."""
    return frozenset(
        path.relative_to(DOCS_FOLDER).as_posix()
        for kind in ("md", "png")
        for path in DOCS_FOLDER.rglob(f"*.{kind}")
    )


@cache
def document(name: str, root: str = "") -> Document:
    """Return a document; its links lead to the pages of the others.

    :param root: the path that the cockpit is mounted at
    :raises NotFoundError: if there is no such document
    """
    if name not in names() or not name.endswith(".md"):
        message = (
            f"There is no document {name}. The documents are those of the folder docs, "
            f"which belongs to Palate; {DOCS_FOLDER} has {len(names())} files of it."
        )
        raise NotFoundError(message)
    tokens = _parsed(name, root)
    headings = list(_headings(tokens))
    title = next((one.text for one in headings if one.level == 1), name)
    body = tokens[3:] if tokens and tokens[0].tag == "h1" else tokens
    html = _MARKDOWN.renderer.render(body, _MARKDOWN.options, {})
    return Document(
        name=name,
        title=title,
        headings=[one for one in headings if one.level in (2, 3)],
        # A head over nothing is none.
        html=Markup(html.replace("<th></th>", "<td></td>")),
    )


@cache
def advice(subject: str, root: str = "") -> tuple[Markup, ...]:
    """Return what the runbook's table says about something, such as a check.

    :return: the cells after the one that names it; none if no table does
    """
    cells: list[Token] = []
    for token in _parsed(RUNBOOK, root):
        if token.type == "tr_open":
            cells = []
        elif token.type == "inline":
            cells.append(token)
        elif token.type == "tr_close" and _names(cells[0], subject):
            return tuple(
                Markup(_MARKDOWN.renderer.render([cell], _MARKDOWN.options, {}))
                for cell in cells[1:]
            )
    return ()


def address(name: str, heading: str = "", root: str = "") -> str:
    """Return the path of a document's page, and of a heading there."""
    path = f"{root}{PATH}" if name == RUNBOOK else f"{root}{PATH}/{quote(name)}"
    return f"{path}#{quote(anchor(heading))}" if heading else path


def anchor(heading: str) -> str:
    """Return what a link to a heading ends with, as GitHub makes it."""
    return _NO_PART_OF_AN_ANCHOR.sub("", heading.lower()).replace(" ", "-")


def with_links(sentence: str, root: str = "") -> Markup:
    """Return a sentence whose mention of a document, and a heading, is a link.

    ``docs/operations.md, 'A check found rows'`` is one. What stands between backticks,
    such as a command, is shown as code. All else is escaped.
    """
    parts, done = [], 0
    for match in _MENTION.finditer(sentence):
        if match[1] not in names():
            continue
        end, heading = match.end(1), ""
        if match.end() > end:
            heading = _named(match[1], sentence[match.end() :])
            # With the heading's quotes, of which the first is part of the match.
            end = match.end() + len(heading) + 1 if heading else end
        text = sentence[match.start() : end]
        link = Markup('<a href="{}">{}</a>').format(
            address(match[1], heading, root), escape_controls(text)
        )
        parts += [_with_code(sentence[done : match.start()]), link]
        done = end
    return Markup("").join([*parts, _with_code(sentence[done:])])


def _with_code(text: str) -> Markup:
    shown = str(escape(escape_controls(text)))
    return Markup(_CODE.sub(r"<code>\1</code>", shown))


@cache
def _parsed(name: str, root: str) -> list[Token]:
    tokens = _MARKDOWN.parse((DOCS_FOLDER / name).read_text(encoding="utf-8"))
    for token in _flat(tokens):
        _adapt(token, name, root)
    return tokens


def _names(cell: Token, subject: str) -> bool:
    parts = cell.children or []
    return any(one.type == "code_inline" and one.content == subject for one in parts)


def _named(name: str, text: str) -> str:
    """Return the heading that a text begins with, up to its closing quote, or none."""
    found = (one.text for one in document(name).headings)
    return next((one for one in found if text.startswith(f"{one}'")), "")


def _headings(tokens: Sequence[Token]) -> Iterator[Heading]:
    """Yield the headings, after giving each its anchor."""
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            children = inline.children or []
            text = "".join(one.content for one in children)
            opening.attrSet("id", anchor(text))
            yield Heading(int(opening.tag[1:]), text, anchor(text))


def _flat(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])


def _adapt(token: Token, name: str, root: str) -> None:
    """Let links lead to pages, and no tag have a style of its own."""
    style = token.attrs.pop("style", "")
    if str(style).endswith("right"):
        token.attrSet("class", "number")
    for attribute in {"href", "src"} & token.attrs.keys():
        link = _target(str(token.attrs.pop(attribute)), name, root)
        if link:
            token.attrSet(attribute, link)


def _target(link: str, name: str, root: str) -> str:
    """Return where a link of a document leads; empty if nothing here shows that."""
    path, hash, heading = link.partition("#")
    if "//" in path:
        return link
    found = name
    if path:
        found = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    return address(found, root=root) + hash + heading if found in names() else ""
