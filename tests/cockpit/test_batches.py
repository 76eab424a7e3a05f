"""The page of the batches."""

from fastapi.testclient import TestClient


def test_page_says_that_there_is_no_batch(viewer: TestClient) -> None:
    assert "There is no batch yet." in viewer.get("/batches").text
    assert viewer.get("/api/v1/batches").json()["batches"] == []
