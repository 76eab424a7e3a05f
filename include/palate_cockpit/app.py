"""The app: pages, acts and static files, each answer with the same strict headers."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from palate.errors import (
    AlreadyThereError,
    ChangedMeanwhileError,
    NotFoundError,
    PalateError,
    RequestError,
    ServiceUnavailableError,
    SettingsError,
)
from palate.settings import Settings
from palate_cockpit.guards import Guards
from palate_cockpit.pages import ALL
from palate_cockpit.routes import API, in_json, render
from palate_cockpit.sessions import Sessions, current_user
from palate_cockpit.templating import STATIC, make_templates

log = logging.getLogger(__name__)

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_STATUS = {
    AlreadyThereError: 409,
    ChangedMeanwhileError: 409,
    NotFoundError: 404,
    RequestError: 400,
    ServiceUnavailableError: 503,
    SettingsError: 400,
}


def create_app(guards: Guards, load_settings: Callable[[], Settings]) -> FastAPI:
    """Return the app, to be mounted; nothing is opened before the first request.

    :param guards: who may do what
    :param load_settings: returns the settings; asked whenever a session is opened
    """
    app = FastAPI(title="Palate", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.sessions = Sessions(load_settings)
    app.state.templates = make_templates()
    app.dependency_overrides[current_user] = guards.user
    router = APIRouter()
    for pages in ALL:
        pages.add_to(router, guards)
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=str(STATIC)), name="static")
    app.middleware("http")(_with_headers)
    app.exception_handler(PalateError)(_in_a_sentence)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_not_understood)
    app.exception_handler(Exception)(_failed)
    return app


async def _with_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    # A mounted app below this one changes the scope.
    root = request.scope.get("root_path", "")
    is_static = request.scope["path"].startswith(f"{root}/static/")
    response = await call_next(request)
    for name, value in _HEADERS.items():
        response.headers[name] = value
    response.headers["Cache-Control"] = "no-cache" if is_static else "no-store"
    return response


def _in_a_sentence(request: Request, error: Exception) -> Response:
    status = next(
        (code for kind, code in _STATUS.items() if isinstance(error, kind)), 500
    )
    if status == 500:
        log.error("%s %s: %s", request.method, request.url.path, error)
    return _say(request, status, str(error))


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {
        401: "You are not logged in, or your session is over. Log in again.",
        404: f"There is no page {request.url.path}.",
    }
    text = said.get(error.status_code, str(error.detail))
    if error.status_code == 403 and error.detail == "Forbidden":
        text = (
            "Your role doesn't allow this. An administrator of Airflow gives roles; "
            "docs/cockpit.md says which role may do what."
        )
    return _say(request, error.status_code, text)


def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = "; ".join(
        f"{one['loc'][-1]}: {one['msg']}" if one["loc"] else one["msg"]
        for one in error.errors()
    )
    return _say(request, 400, f"This can't be asked for: {problems}.")


def _failed(request: Request, error: Exception) -> Response:
    number = secrets.token_hex(4)
    log.error("Error %s at %s", number, request.url.path, exc_info=error)
    text = (
        "This page has failed, which is a fault of ours. The api-server's log has the "
        f"cause under the number {number}; please report both."
    )
    return _say(request, 500, text)


def _say(request: Request, status: int, text: str) -> Response:
    is_program = f"{API}/" in request.url.path
    if is_program or request.method != "GET":
        response: Any = in_json({"error": text})
        response.status_code = status
        return response  # type: ignore[no-any-return]
    return render(request, "error.html", status, text=text, code=status)
