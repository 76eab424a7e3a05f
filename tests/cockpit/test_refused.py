"""The pages of the refused messages, and what people decide there."""

import csv
import io
import json
import re
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from palate.cli.app import app as shell
from palate.errors import RefusedShareError
from palate.landing import replays
from palate.landing.refusals import Selection
from palate.settings import Settings
from tests.cockpit.conftest import Audit, as_role
from tests.cockpit.forms import Forms
from tests.corpus.case import BROKER_DT, example
from tests.integration.staged import caller, load, stage_messages, with_topics
from tests.model.history import Form, Message
from tests.warehouses import environment_of

Connection = psycopg.Connection[Any]

TOPIC = "orders"
NOT_JSON = b"connection test"
_WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
HOSTILE = (
    b"<script>alert(1)</script><img src=x onerror=alert(1)>",
    b'{"a": "</pre><script>alert(1)</script>", "b": "\xe2\x80\xae\xd8\x9c"}',
    b"\x1b[2J\x1b]0;owned\x07\x00\x08\r\n",
    b'{"a": "\\ud800 \\u202e"}',
    b"\xed\xa0\x80\xff\xfe",
    b'=HYPERLINK("http://e.example")\t+1',
    b"{{ 7 * 7 }}{% raw %}",
    b"{" + b'"\\' * 200_000,
    b"[" * 200_000,
    b"",
)


def _message(
    offset: int, value: bytes | None, partition: int = 0, **more: Any
) -> Message:
    at = BROKER_DT + timedelta(minutes=offset)
    return Message(TOPIC, 0, partition, offset, at, value, **more)


def _refuse(settings: Settings, connection: Connection, *messages: Message) -> Settings:
    mistaken = with_topics(settings, {TOPIC: Form.ENRICHED})
    stage_messages(connection, messages)
    with suppress(RefusedShareError):  # it is raised after all is loaded
        load(mistaken)
    return mistaken


@pytest.fixture
def three(warehouse: Settings, connection: Connection) -> Settings:
    """Give a warehouse with an order of the wrong shape, and two that are no JSON."""
    return _refuse(
        warehouse,
        connection,
        _message(0, example(Form.RAW)),
        _message(1, NOT_JSON),
        _message(0, NOT_JSON, partition=1),
    )


def _positions(client: TestClient, **asked: Any) -> list[str]:
    answer = client.get("/api/v1/refused", params=asked).json()
    return [
        f"{one['topic']}/{one['epoch']}/{one['partition']}/{one['offset']}"
        for one in answer["messages"]
    ]


class TestList:
    """``/refused``."""

    def test_nothing_is_said_in_words(self, viewer: TestClient) -> None:
        assert "No refused message waits for a decision." in viewer.get("/refused").text

    @pytest.mark.usefixtures("three")
    def test_each_has_its_position_reason_and_sentence(
        self, viewer: TestClient
    ) -> None:
        page = viewer.get("/refused").text
        assert "orders/1: 0" in page
        assert "not json 2" in page
        assert "wrong shape 1" in page
        assert "the bytes are no JSON" in page or "JSON" in page
        assert "3 in all" in page

    @pytest.mark.parametrize(
        ("asked", "offsets"),
        [
            ({}, ["0/0", "0/1", "1/0"]),
            ({"reason": "not_json"}, ["0/1", "1/0"]),
            ({"reason": ["not_json", "wrong_shape"]}, ["0/0", "0/1", "1/0"]),
            ({"topic": TOPIC, "partition": 1}, ["1/0"]),
            ({"from": "2023-08-12T06:08"}, ["0/1"]),
            ({"to": "2023-08-12T06:08"}, ["0/0", "1/0"]),
            # What a form leaves empty.
            (
                dict.fromkeys(["reason", "topic", "partition", "from", "to"], ""),
                ["0/0", "0/1", "1/0"],
            ),
        ],
    )
    @pytest.mark.usefixtures("three")
    def test_filter_narrows(
        self, viewer: TestClient, asked: dict[str, Any], offsets: list[str]
    ) -> None:
        assert _positions(viewer, **asked) == [f"orders/0/{one}" for one in offsets]
        assert viewer.get("/refused", params=asked).status_code == 200

    def test_pages_show_every_message_once(
        self, warehouse: Settings, connection: Connection, viewer: TestClient
    ) -> None:
        _refuse(warehouse, connection, *[_message(at, NOT_JSON) for at in range(120)])
        seen, after = [], ""
        while after is not None:
            asked = {"after": after, "reason": "not_json"}
            seen += _positions(viewer, **asked)
            page = viewer.get("/refused", params=asked).text
            after = viewer.get("/api/v1/refused", params=asked).json()["next"]
            assert ("Further messages" in page) == (after is not None)
        assert seen == [f"orders/0/0/{at}" for at in range(120)]

    def test_dismissed_ones_are_shown_on_request(
        self, three: Settings, viewer: TestClient
    ) -> None:
        chosen = Selection(reasons=("wrong_shape",))
        replays.dismiss(three, chosen, "bert", "sent again")
        assert _positions(viewer) == ["orders/0/0/1", "orders/0/1/0"]
        page = viewer.get("/refused", params={"dismissed": "true"}).text
        assert "by bert: sent again" in page
        assert "3 in all, 2 of them to be decided" in page

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"reason": "bad_luck"}, "There is no reason bad_luck."),
            ({"topic": "\u202e"}, "There is no topic \\u202e."),
            ({"partition": 7}, "There is no partition 7."),
            ({"partition": "x"}, "partition"),
            ({"from": "soon"}, "which is no time"),
            ({"after": "1/2"}, "is no position"),
        ],
    )
    @pytest.mark.usefixtures("three")
    def test_what_there_is_not_is_an_error_in_words(
        self, viewer: TestClient, asked: dict[str, Any], said: str
    ) -> None:
        answer = viewer.get("/refused", params=asked)
        assert answer.status_code == 400
        assert said in answer.text

    def test_shell_gives_the_same(self, three: Settings, viewer: TestClient) -> None:
        page = viewer.get("/api/v1/refused", params={"reason": "not_json"}).json()
        asked = ["rejected", "list", "--reason", "not_json", "--json"]
        found = CliRunner().invoke(shell, asked, env=environment_of(three))
        told = json.loads(found.output)
        for one in (page, told):
            del one["at"], one["most"]
        assert told == page
        assert page["counts"] == {"not_json": 2}
        assert page["by_reason"] == {"not_json": 2, "wrong_shape": 1}

    def test_counts_end_somewhere(
        self, three: Settings, viewer: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("palate_cockpit.pages.refused._MOST_COUNTED", 1)
        page = viewer.get("/refused").text
        assert "not json more than 1<" in page
        assert "Dismiss all more than 2" in page
        assert Forms(page).sent["dismiss-all"]["shown"] is None


class TestFile:
    """``/refused.csv``."""

    def test_it_has_what_the_filter_selects(
        self, three: Settings, viewer: TestClient
    ) -> None:
        replays.dismiss(three, Selection(offsets=((1, 1),)), "bert", "=1+1")
        asked = {"reason": "not_json", "dismissed": "true"}
        text = viewer.get("/refused.csv", params=asked).content.decode("utf-8-sig")
        found = list(csv.DictReader(io.StringIO(text)))
        assert [(one["partition"], one["offset"]) for one in found] == [
            *[("0", "1"), ("1", "0")]
        ]
        assert [one["dismissed_why"] for one in found] == ["'=1+1", ""]

    @pytest.mark.usefixtures("three")
    def test_it_says_where_it_is_cut(
        self, viewer: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("palate_cockpit.pages.refused._MOST_IN_FILE", 2)
        lines = viewer.get("/refused.csv").content.decode().splitlines()
        assert len(lines) == 4
        assert lines[-1] == "There are more than 2: narrow down the filter."


class TestMessage:
    """``/refused/{topic}/{epoch}/{partition}/{offset}``."""

    @pytest.mark.usefixtures("three")
    def test_bytes_are_not_for_everybody(self, viewer: TestClient) -> None:
        for path in ("/refused", "/api/v1/refused"):
            assert viewer.get(f"{path}/orders/0/0/1").status_code == 403
        assert viewer.get("/refused/orders/0/0/1/bytes").status_code == 403

    def test_all_that_came_is_shown(
        self, warehouse: Settings, connection: Connection, user: TestClient
    ) -> None:
        headers = (("trace", b"\x00\xff"), ("none", None))
        _refuse(warehouse, connection, _message(0, b'{"a":1}', headers=headers))
        connection.execute("UPDATE stg.order_events SET kafka_key = 'guest-7'")
        page = user.get("/refused/orders/0/0/0").text
        assert "{\n  &#34;a&#34;: 1\n}" in page
        assert "7b 22 61 22 3a 31 7d" in page
        assert "guest-7" in page
        assert "trace" in page
        assert r"\x00\xff" in page
        assert "it was neither replayed nor dismissed" in page

    @pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
    def test_hostile_bytes_are_inert(
        self,
        warehouse: Settings,
        connection: Connection,
        user: TestClient,
        value: bytes,
    ) -> None:
        name = value[:300_000].decode("utf-8", "replace")
        headers = ((name.replace("\x00", "\ufffd"), value), ("\u202e", b"\x1b[31m"))
        _refuse(warehouse, connection, _message(0, value, headers=headers))
        key = (value * (900_000 // (len(value) or 1)))[:900_000]
        connection.execute("UPDATE stg.order_events SET kafka_key = %s", (key,))
        connection.execute(
            "UPDATE stg.rejected_messages SET detail = %s",
            (value[:500].decode("utf-8", "replace").replace("\x00", ""),),
        )
        for path in ("/refused/orders/0/0/0", "/refused"):
            answer = user.get(path)
            assert answer.status_code == 200
            page = answer.text
            assert len(page) < 2_500_000
            scripts = re.findall(r"<script[^>]*>", page)
            assert all(one.startswith('<script src="/static/') for one in scripts)
            assert "<img" not in page
            assert "49{" not in page
            assert all(char.isprintable() or char == "\n" for char in page)
        answer = user.get("/refused/orders/0/0/0/bytes")
        assert answer.content == value
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == (
            'attachment; filename="orders-0-0-0.bin"'
        )
        plain = user.get("/api/v1/refused/orders/0/0/0").json()
        assert b64decode(plain["message_base64"]) == value

    def test_long_message_is_cut_and_says_so(
        self, warehouse: Settings, connection: Connection, user: TestClient
    ) -> None:
        value = b"a" * 65_536 + b"THE END"
        _refuse(warehouse, connection, _message(0, value))
        page = user.get("/refused/orders/0/0/0").text
        assert "is cut after 65,536" in page
        assert "THE END" not in page
        assert user.get("/refused/orders/0/0/0/bytes").content == value

    def test_message_without_a_value_or_bytes_says_why(
        self, warehouse: Settings, connection: Connection, user: TestClient
    ) -> None:
        _refuse(warehouse, connection, _message(0, None), _message(1, NOT_JSON))
        assert "It has no value" in user.get("/refused/orders/0/0/0").text
        answer = user.get("/refused/orders/0/0/0/bytes")
        assert answer.status_code == 404
        assert "it has no value" in answer.text
        connection.execute("DELETE FROM stg.order_events")
        connection.execute(
            "UPDATE ops.event_partitions SET dropped_dt = now(),"
            " dropped_by = 'test', dropped_bytes = 0"
        )
        page = user.get("/refused/orders/0/0/1").text
        assert "Its bytes are gone: retention has dropped them" in page
        assert "replay-this" not in Forms(page).sent
        assert "dismiss-this" in Forms(page).sent
        answer = user.get("/refused/orders/0/0/1/bytes")
        assert "retention has dropped them" in answer.text

    def test_what_came_with_the_same_key_is_listed(
        self, warehouse: Settings, connection: Connection, user: TestClient
    ) -> None:
        _refuse(warehouse, connection, *[_message(at, NOT_JSON) for at in range(4)])
        connection.execute(
            "UPDATE stg.order_events SET kafka_key ="
            " CASE WHEN kafka_offset IN (1, 3) THEN 'same'::bytea ELSE 'other' END"
        )
        found = user.get("/api/v1/refused/orders/0/0/1").json()["same_key"]
        assert [(one["offset"], one["size"]) for one in found] == [(3, 15)]
        assert '/refused/orders/0/0/3"' in user.get("/refused/orders/0/0/1").text

    def test_replay_is_told_with_its_run_and_what_became_of_it(
        self, warehouse: Settings, connection: Connection, user: TestClient
    ) -> None:
        mistaken = _refuse(warehouse, connection, _message(0, example(Form.RAW)))
        path = "/refused/orders/0/0/0"
        replays.run(mistaken, caller("replays", "first"), Selection())
        assert "it waits to be judged" in user.get(path).text
        assert "waits for its replay" in user.get("/refused").text
        load(mistaken, "judge")
        page = user.get(path).text
        assert "dags/test/runs/first" in page
        assert "refused again" in page

        mended = with_topics(warehouse, {TOPIC: Form.RAW})
        replays.run(mended, caller("replays", "second"), Selection())
        load(mended, "judge again")
        answer = user.get(path)
        assert answer.status_code == 404
        assert "when it was replayed by second of test" in answer.text

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("orders/0/0/9", 404),
            ("nothing/0/0/9", 404),
            ("orders/0/0/-1", 400),
            ("orders/0/99999999999/0", 400),
            ("orders/0/0/9999999999999999999999", 400),
            ("%3Cscript%3E/0/0/0", 404),
        ],
    )
    @pytest.mark.usefixtures("three")
    def test_position_without_one_is_an_error_in_words(
        self, user: TestClient, path: str, status: int
    ) -> None:
        answer = user.get(f"/refused/{path}")
        assert answer.status_code == status
        assert "<script>" not in answer.text


class TestDismissing:
    """``POST /api/v1/refused/dismiss``, by the pages' own forms."""

    def test_viewer_may_not(self, viewer: TestClient, audit: Audit) -> None:
        answer = viewer.post("/api/v1/refused/dismiss", json={"why": "x", "all": True})
        assert answer.status_code == 403
        assert audit.noted == []

    def test_some_are_dismissed_in_the_persons_name(
        self, three: Settings, user: TestClient, audit: Audit, connection: Connection
    ) -> None:
        checked = "orders/0/0: 1; orders/0/1: 0"
        form = Forms(user.get("/refused").text, checked).sent["dismiss-some"]
        assert _dismissed(user, form | {"why": " sent again "}) == (
            "Dismissed 2 refused messages."
        )
        assert audit.noted == [("palate_dismiss", "anna")]
        assert _decided(connection) == [
            (0, 0, None, None),
            (0, 1, "anna", "sent again"),
            (1, 0, "anna", "sent again"),
        ]

    def test_all_of_the_filter_are_dismissed_and_no_more(
        self, three: Settings, user: TestClient, connection: Connection
    ) -> None:
        page = user.get("/refused", params={"reason": "not_json", "partition": 1}).text
        assert "all 1 messages that the filter selects" in page
        form = Forms(page).sent["dismiss-all"] | {"why": "a test"}
        assert _dismissed(user, form) == "Dismissed 1 refused message."
        assert [by for *_, by, _ in _decided(connection)] == [None, None, "anna"]

    def test_one_is_dismissed_from_its_page(
        self, three: Settings, user: TestClient
    ) -> None:
        path = "/refused/orders/0/0/1"
        form = Forms(user.get(path).text).sent["dismiss-this"] | {"why": "a test"}
        assert _dismissed(user, form) == "Dismissed 1 refused message."
        page = user.get(path).text
        assert "dismissed by anna: a test" in page
        assert Forms(page).sent == {}

    def test_second_person_is_told_who_was_first(
        self, three: Settings, app: FastAPI, connection: Connection
    ) -> None:
        bert, anna = (as_role(app, "user", name) for name in ("bert", "anna"))
        page = anna.get("/refused").text
        every = "orders/0/0: 0..1; orders/0/1: 0"
        some = Forms(page, every).sent["dismiss-some"] | {"why": "late"}
        all_of_it = Forms(page).sent["dismiss-all"] | {"why": "late"}
        form = Forms(page, "orders/0/0: 1; orders/0/1: 0").sent["dismiss-some"]
        _dismissed(bert, form | {"why": "first"})

        assert _dismissed(anna, some) == (
            "Dismissed 1 refused message. 2 were dismissed already, by bert."
        )
        assert _dismissed(anna, all_of_it) == (
            "Dismissed 0 refused messages. 3 were dismissed already, by anna, by bert."
        )
        assert [by for *_, by, _ in _decided(connection)] == ["anna", "bert", "bert"]

    def test_two_at_the_same_time_do_not_wait_for_each_other_for_ever(
        self, three: Settings, app: FastAPI, connection: Connection
    ) -> None:
        anna = as_role(app, "user", "anna")
        form = Forms(anna.get("/refused").text).sent["dismiss-all"] | {"why": "late"}
        dsn = three.dwh_dsn.get_secret_value()
        with ThreadPoolExecutor() as pool, psycopg.connect(dsn) as bert:
            bert.execute(
                "UPDATE stg.rejected_messages SET dismissed_dt = clock_timestamp(),"
                " dismissed_by = 'bert', dismissed_why = 'x' WHERE kafka_partition = 1"
            )
            hers = pool.submit(_dismissed, anna, form)
            while not connection.execute(_WAITING).fetchone() and not hers.done():
                pass
            bert.commit()
            assert hers.result() == (
                "Dismissed 2 refused messages. 1 was dismissed already, by bert."
            )

    def test_what_came_meanwhile_is_told(
        self, three: Settings, user: TestClient, connection: Connection
    ) -> None:
        # Long before: what the page doesn't show is not told.
        replays.dismiss(three, Selection(offsets=((1, 1),)), "bert", "sent again")
        form = Forms(user.get("/refused").text).sent["dismiss-all"] | {"why": "x"}
        stage_messages(connection, [_message(2, NOT_JSON)])
        load(three, "later")
        assert _dismissed(user, form) == (
            "Dismissed 3 refused messages. 1 of them was refused after you had opened"
            " the page."
        )

    def test_what_is_accepted_meanwhile_is_told(
        self, three: Settings, user: TestClient, connection: Connection
    ) -> None:
        page = user.get("/refused").text
        mended = with_topics(three, {TOPIC: Form.RAW})
        replays.run(mended, caller("replays", "replay"), Selection())
        load(mended, "later")
        form = Forms(page).sent["dismiss-all"] | {"why": "x"}
        assert _dismissed(user, form) == (
            "Dismissed 2 refused messages. 1 message of the page is not refused any"
            " more."
        )
        form = Forms(page, "orders/0/0: 0").sent["dismiss-some"] | {"why": "x"}
        answer = user.post("/api/v1/refused/dismiss", json=form)
        assert answer.status_code == 404
        assert "at offset 0 of orders[0]: none was refused there" in answer.text

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"why": " "}, "Why is empty"),
            ({"positions": ""}, "Nothing was dismissed"),
            ({"all": True}, "Nothing was dismissed"),
            ({"positions": "orders/0/0"}, "is no position"),
            ({"positions": "orders/0/0: 5, x"}, "is no offset"),
            ({"positions": "orders/0/9: 5"}, "There is no log orders/0/9."),
            ({"positions": " ; "}, "names no position"),
            ({"offset": "7"}, "offset"),
        ],
    )
    def test_what_makes_no_sense_is_refused_whole(
        self,
        three: Settings,
        user: TestClient,
        connection: Connection,
        changed: dict[str, Any],
        said: str,
    ) -> None:
        form = Forms(user.get("/refused").text, "orders/0/0: 1").sent["dismiss-some"]
        asked = form | {"why": "x"} | changed
        answer = user.post("/api/v1/refused/dismiss", json=asked)
        assert answer.status_code == 400
        assert said in answer.json()["error"]
        assert {by for *_, by, _ in _decided(connection)} == {None}


def _dismissed(client: TestClient, form: dict[str, Any]) -> str:
    answer = client.post("/api/v1/refused/dismiss", json=form)
    assert answer.status_code == 200, answer.text
    said: str = answer.json()["done"]
    return said


def _decided(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT kafka_partition, kafka_offset, dismissed_by, dismissed_why"
        " FROM stg.rejected_messages ORDER BY 1, 2"
    ).fetchall()
