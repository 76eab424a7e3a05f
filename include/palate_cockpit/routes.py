"""How a page and an act are declared: one function, seen as HTML and as JSON.

A page's function returns a read model (a dataclass). ``/refused`` shows it by its
template, ``/api/v1/refused`` as the JSON that the shell's ``--json`` prints too.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from datetime import date
from functools import wraps
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BeforeValidator

from palate_cockpit.guards import Guards, same_origin

API = "/api/v1"
# A field that a form has left empty is one that isn't given.
NONE_IF_EMPTY = BeforeValidator(lambda given: given or None)
_Function = Callable[..., Any]


class Pages:
    """The pages and acts of one topic; ``create_app`` takes them in."""

    def __init__(self, guard: str) -> None:
        """Describe them; there are none yet.

        :param guard: the name of the guard (``Guards``) of every page here, and of
            every act that names no other
        """
        self._guard = guard
        self._adding: list[Callable[[APIRouter, Guards], None]] = []

    def page(self, path: str, template: str) -> Callable[[_Function], _Function]:
        """Show what the function returns, by a template, and as JSON."""

        def add(function: _Function) -> _Function:
            # What a function returns is shown, not checked by FastAPI.
            self._get(
                path,
                _as_html(function, template),
                response_class=HTMLResponse,
                response_model=None,
            )
            return self.facts(path)(function)

        return add

    def facts(self, path: str) -> Callable[[_Function], _Function]:
        """Give what the function returns as JSON, without a page."""

        def add(function: _Function) -> _Function:
            self._get(API + path, _as_json(function), response_model=None)
            return function

        return add

    def download(self, path: str) -> Callable[[_Function], _Function]:
        """Let the function's ``Response`` be downloaded."""

        def add(function: _Function) -> _Function:
            self._get(path, function)
            return function

        return add

    def act(
        self, path: str, event: str, guard: str | None = None
    ) -> Callable[[_Function], _Function]:
        """Let a person do something, by a POST of JSON from these pages alone.

        The function returns the sentence that says what was done.

        :param event: its name in the audit log, which records who asked for it
        """

        def add(function: _Function) -> _Function:
            def to(router: APIRouter, guards: Guards) -> None:
                # In this order: who is refused is no entry of the audit log.
                guarded = [
                    Depends(guards[guard or self._guard]),
                    Depends(same_origin),
                    Depends(guards.audit(event)),
                ]
                router.post(API + path, dependencies=guarded)(_as_said(function))

            self._adding.append(to)
            return function

        return add

    def _get(self, path: str, answer: _Function, **options: Any) -> None:
        """Answer a GET of a path, to whom the guard of these pages lets in."""

        def to(router: APIRouter, guards: Guards) -> None:
            guarded = [Depends(guards[self._guard])]
            router.get(path, dependencies=guarded, **options)(answer)

        self._adding.append(to)

    def add_to(self, router: APIRouter, guards: Guards) -> None:
        """Add all of them to a router."""
        for add in self._adding:
            add(router, guards)


def in_json(value: Any) -> Response:
    """Return a read model, or plain values, as JSON; times by ISO 8601.

    A model that has ``as_dict`` says itself what its values are.
    """
    plain = value
    if hasattr(value, "as_dict"):
        plain = value.as_dict()
    elif is_dataclass(value):
        plain = asdict(value)  # type: ignore[arg-type]
    return Response(json.dumps(plain, default=_plain), media_type="application/json")


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _as_json(function: _Function) -> _Function:
    @wraps(function)
    def show(**given: Any) -> Response:
        return in_json(function(**given))

    return show


def _as_said(function: _Function) -> _Function:
    @wraps(function)
    def do(**given: Any) -> Response:
        return in_json({"done": function(**given)})

    return do


def _as_html(function: _Function, template: str) -> _Function:
    """Add the request to the function's own parameters, and render what it returns."""

    @wraps(function)
    def show(page_request: Request, **given: Any) -> Response:
        return render(page_request, template, shown=function(**given))

    own = inspect.signature(function, eval_str=True).parameters.values()
    request = inspect.Parameter(
        "page_request", inspect.Parameter.KEYWORD_ONLY, annotation=Request
    )
    parameters = [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, request)
    ]
    show.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return show


def render(
    request: Request, template: str, status: int = 200, **values: Any
) -> Response:
    """Return a page by its template."""
    found: Response = request.app.state.templates.TemplateResponse(
        request, template, values, status_code=status
    )
    return found
