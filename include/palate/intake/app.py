"""The intake's HTTP interface (contract_intake, section 5)."""

import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from palate.errors import PalateError
from palate.files import (
    IntakeSettings,
    Reason,
    RefusedError,
    datasets,
    imports,
    objects,
)
from palate.intake import headers, looks
from palate.intake.door import Door
from palate.intake.metrics import BUILD, REQUESTS, SECONDS
from palate.intake.readiness import Readiness
from palate.intake.relay import Relay

log = logging.getLogger(__name__)

VERSION = version("palate")
COMMIT = os.environ.get("PALATE_COMMIT", "unknown")
_STARTED = datetime.now(UTC)
_PAGE = 1_000
# A body that nobody reads is let go of by ending the connection.
_WITHOUT_BODY = {"Connection": "close"}


def create_app(settings: IntakeSettings) -> FastAPI:
    """Return the app of one process; it sends events while it runs.

    :raises PalateError: if the store or a dataset is not as it should be
    """
    store = objects.open_store(settings)
    relay = Relay(settings)
    readiness = Readiness(
        looks.all_of(settings, store), settings.palate_intake_ready_without
    )
    door = Door.opened(settings, store, datasets.datasets(), relay.wake)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        BUILD.labels(VERSION, COMMIT).set(1)
        relay.start()
        readiness.start()
        yield
        readiness.stop()
        relay.stop()
        door.sessions.close()

    app = FastAPI(
        title="Palate's intake",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
    )
    app.state.door = door
    app.state.readiness = readiness
    app.middleware("http")(_with_request_id)
    app.exception_handler(RefusedError)(_refused)
    app.exception_handler(PalateError)(_unavailable)
    app.exception_handler(HTTPException)(_unknown)
    app.exception_handler(RequestValidationError)(_not_understood)
    _add_probes(app)
    _add_imports(app)
    return app


def _add_probes(app: FastAPI) -> None:
    @app.get("/liveness", include_in_schema=False)
    async def liveness() -> dict[str, str]:
        """Answer, whatever becomes of the others."""
        return {
            "status": "alive",
            "version": VERSION,
            "commit": COMMIT,
            "started": _STARTED.isoformat(timespec="seconds").replace("+00:00", "Z"),
        }

    @app.get("/readiness", include_in_schema=False)
    async def readiness(request: Request) -> JSONResponse:
        """Say whether a file could be taken, by the last look."""
        is_ready, answer = request.app.state.readiness.answer()
        return JSONResponse(answer, 200 if is_ready else 503)


def _add_imports(app: FastAPI) -> None:
    @app.post("/import/{dataset}", status_code=202)
    async def send(request: Request, dataset: str) -> JSONResponse:
        """Send a file of a dataset: JSON, or an object per line; gzip is fine."""
        door: Door = request.app.state.door
        began, outcome = time.monotonic(), Reason.FAILED.value
        label = dataset if dataset in door.datasets else "unknown"
        try:
            found, is_new = await door.receive(
                request, dataset, request.state.request_id
            )
            refusal = found.refusal()
            outcome = "accepted" if is_new else "repeated"
            where = {"Location": f"/imports/{found.import_id}"}
            if refusal is not None:
                outcome = refusal.reason.value
                refusal.headers |= where
                raise refusal
            (answer,) = await door.within(
                lambda conn: imports.as_answers(conn, [found], is_repeated=not is_new)
            )
            return JSONResponse(answer, 202 if is_new else 200, where)
        except RefusedError as error:
            outcome = error.reason.value
            raise
        except PalateError:
            outcome = Reason.UNAVAILABLE.value
            raise
        finally:
            REQUESTS.labels(label, outcome).inc()
            seconds = time.monotonic() - began
            SECONDS.labels(label).observe(seconds)
            log.info(
                "file",
                extra={"dataset": label, "outcome": outcome, "seconds": seconds},
            )

    @app.get("/imports/{import_id}")
    async def show(request: Request, import_id: str) -> dict[str, Any]:
        """Return the state of an import."""
        door: Door = request.app.state.door
        sender = await door.sender(request)
        number = _uuid(import_id)

        def work(conn: Any) -> dict[str, Any] | None:
            found = number and imports.find(conn, sender.company, number)
            return imports.as_answers(conn, [found])[0] if found else None

        return _known(await door.within(work))

    @app.get("/imports/{import_id}/problems")
    async def problems(
        request: Request,
        import_id: str,
        after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
    ) -> dict[str, Any]:
        """Return what is wrong with an import's records, in order."""
        door: Door = request.app.state.door
        sender = await door.sender(request)
        number = _uuid(import_id)

        def work(conn: Any) -> dict[str, Any] | None:
            found = number and imports.find(conn, sender.company, number)
            if not found:
                return None
            page = imports.problems_of(conn, found.import_id, limit=limit, after=after)
            return {
                "problems": page,
                "next": after + len(page) if len(page) == limit else None,
            }

        return _known(await door.within(work))

    @app.get("/imports")
    async def listed(
        request: Request,
        dataset: Annotated[str | None, Query(max_length=63)] = None,
        state: Annotated[str | None, Query(max_length=63)] = None,
        after: Annotated[int | None, Query(ge=1, le=2**62)] = None,
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = 100,
    ) -> dict[str, Any]:
        """Return your imports, the newest first; `next` is what `after` goes on by."""
        door: Door = request.app.state.door
        sender = await door.sender(request)

        def work(conn: Any) -> dict[str, Any]:
            found = imports.newest(
                conn,
                sender.company,
                dataset=dataset,
                state=state,
                after=after,
                limit=limit,
            )
            return {
                "imports": imports.as_answers(conn, found),
                "next": found[-1].number if len(found) == limit else None,
            }

        return await door.within(work)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> dict[str, Any]:
        """Describe this interface, to a token."""
        door: Door = request.app.state.door
        await door.sender(request)
        return app.openapi()


def _known(answer: dict[str, Any] | None) -> dict[str, Any]:
    if answer is None:
        detail = "You have sent no such import."
        raise RefusedError(Reason.UNKNOWN_IMPORT, detail)
    return answer


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _with_request_id(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    request.state.request_id = headers.request_id(request.headers)
    try:
        response = await call_next(request)
    except Exception:
        log.exception("failed", extra={"request_id": request.state.request_id})
        detail = "This went wrong here, not at yours. Try again; nothing is lost."
        response = _problem(request, RefusedError(Reason.FAILED, detail))
    response.headers["X-Request-Id"] = request.state.request_id
    return response


def _problem(request: Request, error: RefusedError) -> Response:
    """Return an answer by RFC 9457."""
    number = request.state.request_id
    body: dict[str, Any] = {
        "type": f"urn:palate:{error.reason}",
        "title": error.title,
        "status": error.status.value,
        "detail": error.detail,
        "instance": number,
        "reason": error.reason.value,
    }
    if error.place is not None:
        body |= {"record": error.place.record, "offset": error.place.offset}
        if error.place.line is not None:
            body["line"] = error.place.line
    is_read = request.method != "POST" or "Location" in error.headers
    return Response(
        json.dumps(body, ensure_ascii=False),
        error.status,
        error.headers | ({} if is_read else _WITHOUT_BODY),
        "application/problem+json",
    )


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _problem(request, error)


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("unavailable: %s", error)
    detail = "The file can't be kept now. Nothing of it is; send it again in a moment."
    refused = RefusedError(Reason.UNAVAILABLE, detail, headers={"Retry-After": "5"})
    return _problem(request, refused)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        detail = f"This address takes {allowed} only."
        allow = {"Allow": allowed}
        refused = RefusedError(Reason.METHOD_NOT_ALLOWED, detail, headers=allow)
        return _problem(request, refused)
    detail = "There is nothing at this address: POST /import/<dataset>, GET /imports."
    return _problem(request, RefusedError(Reason.NOT_FOUND, detail))


async def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    names = ", ".join(str(one["loc"][-1]) for one in error.errors())
    detail = f"These can't be understood: {names}."
    return _problem(request, RefusedError(Reason.BAD_REQUEST, detail))
