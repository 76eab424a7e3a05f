"""The operator's guide and the documents that it leads to."""

from typing import Annotated

from fastapi import Depends, Request, Response

from palate.errors import NotFoundError
from palate.names import DOCS_FOLDER
from palate_cockpit import documents
from palate_cockpit.routes import Pages

pages = Pages("operations")


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


_Root = Annotated[str, Depends(_root)]


@pages.page("/help", "help.html")
def show_guide(root: _Root) -> documents.Document:
    """Show docs/operations.md."""
    return documents.document(documents.RUNBOOK, root)


@pages.download("/help/pictures/{name}")
def show_picture(name: str) -> Response:
    """Show a picture of a document."""
    path = f"pictures/{name}"
    if path not in documents.names():
        message = f"There is no picture {path} among the documents."
        raise NotFoundError(message)
    return Response((DOCS_FOLDER / path).read_bytes(), media_type="image/png")


@pages.page("/help/{name:path}", "help.html")
def show_document(name: str, root: _Root) -> documents.Document:
    """Show a document, by its name in the folder docs."""
    return documents.document(name, root)
