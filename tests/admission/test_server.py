"""The server: 200 with an AdmissionReview whatever comes in and whatever breaks inside."""

import asyncio
import contextlib
import gzip
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.support.serving import RECORDED, Served, changed, response_of, uid_of
from webhook.admission.reviews import Answer, ReviewRequest
from webhook.core.errors import CannotServe

POD = RECORDED["CREATE-Pod"]
UID = uid_of(POD)


async def allow(request: ReviewRequest, deadline: float) -> Answer:
    """The shortest review."""
    return Answer(annotations={"decision": "allow", "reason": "match"})


def raising(error: BaseException) -> Callable[[ReviewRequest, float], Awaitable[Answer]]:
    async def review(request: ReviewRequest, deadline: float) -> Answer:
        raise error

    return review


@pytest.fixture
async def serving(served: Served) -> Served:
    """A server that allows everything."""
    served.port = await served.server.start(allow)
    return served


# What comes in.


async def test_a_review_is_answered_with_its_uid(serving: Served):
    response = await serving.post(POD)
    assert response == {
        "uid": UID,
        "allowed": True,
        "auditAnnotations": {"decision": "allow", "reason": "match"},
    }


async def test_a_denial_has_code_403_and_reason_forbidden(served: Served):
    async def deny(request: ReviewRequest, deadline: float) -> Answer:
        return Answer(allowed=False, message="two\nlines", annotations={"decision": "deny", "reason": "mismatch"})

    served.port = await served.server.start(deny)
    response = await served.post(POD)
    assert response["allowed"] is False
    assert response["status"] == {"code": 403, "reason": "Forbidden", "message": "two\nlines"}
    assert response["auditAnnotations"] == {"decision": "deny", "reason": "mismatch"}


HEAD = b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1"'


@pytest.mark.parametrize(
    ("body", "uid"),
    [
        (b"", ""),
        (b"not json", ""),
        (b"\xff\xfe\x00", ""),
        (b"null", ""),
        (b"[]", ""),
        (b"7", ""),
        (b'{"request": null}', ""),
        (b'{"request": []}', ""),
        (b'{"request": "text"}', ""),
        (HEAD, "u-1"),
        (HEAD + b',"object":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}}", "u-1"),
        (HEAD + b',"object":' + b"[" * 100_000 + b"]" * 100_000 + b"}}", "u-1"),
        (HEAD + b',"object":"' + b"x" * (1 << 20) + b'"}}', "u-1"),
        (b'{"request":{"uid":"a\\u0022b"', ""),
        (b'{"request":{"uid":"' + b"u" * 5000 + b'"', ""),
    ],
)
async def test_what_is_no_review_is_let_through_with_a_warning(serving: Served, body: bytes, uid: str):
    response = await serving.post(body)
    assert (response["uid"], response["allowed"]) == (uid, True)
    assert response["auditAnnotations"] == {"decision": "allow", "reason": "not-understood"}
    assert response["warnings"][0].startswith("podgate: not checked")
    assert (serving.unread, serving.errors) == (1, 0)


@pytest.mark.parametrize("fields", [{"uid": 7}, {"resource": []}, {"userInfo": None}, {"object": []}, {"name": {}}])
async def test_a_request_with_fields_of_other_types_is_answered(serving: Served, fields: dict[str, object]):
    response = await serving.post(changed("CREATE-Pod", **fields))
    assert response["allowed"] is True
    assert (serving.unread, serving.errors) == (0, 0)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
async def test_other_methods_are_answered_too(serving: Served, method: str):
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"https://localhost:{serving.port}/any/path", ssl=serving.trust) as response,
    ):
        assert response.status == 200
        if method != "HEAD":
            assert response_of(200, response.content_type, await response.read())["allowed"] is True


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense", "multipart/x"])
async def test_the_content_type_of_the_request_does_not_matter(serving: Served, content_type: str):
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"https://localhost:{serving.port}/",
            data=json.dumps(POD).encode(),
            ssl=serving.trust,
            headers={"Content-Type": content_type},
        ) as response,
    ):
        assert response_of(response.status, response.content_type, await response.read())["uid"] == UID


async def test_an_encoding_that_is_not_what_it_says_is_answered(serving: Served):
    for encoding, body in (("gzip", b"no gzip"), ("gzip", gzip.compress(json.dumps(POD).encode())[:-20])):
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"https://localhost:{serving.port}/",
                data=body,
                ssl=serving.trust,
                headers={"Content-Encoding": encoding},
            ) as response,
        ):
            answer = response_of(response.status, response.content_type, await response.read())
            assert answer["auditAnnotations"]["reason"] == "not-understood"
    assert serving.errors == 0


async def test_a_compressed_body_is_bounded_by_what_it_unfolds_to(serving: Served):
    bomb = gzip.compress(HEAD + b" " * (64 << 20))
    assert len(bomb) < 1 << 20
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"https://localhost:{serving.port}/", data=bomb, ssl=serving.trust, headers={"Content-Encoding": "gzip"}
        ) as response,
    ):
        answer = response_of(response.status, response.content_type, await response.read())
    assert (answer["uid"], answer["allowed"]) == ("u-1", True)


async def test_a_body_that_does_not_come_is_not_waited_for_longer_than_the_timeout(serving: Served):
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", serving.port, ssl=serving.trust, server_hostname="localhost"
    )
    writer.write(b"POST /?timeout=1s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n" + HEAD)
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        response = response_of(int(head.split()[1]), "application/json", await reader.readexactly(length))
    writer.close()
    assert response["uid"] == "u-1"
    assert "did not come in whole in time" in response["warnings"][0]
    assert (serving.unread, serving.errors) == (1, 0)


async def test_a_client_that_goes_away_leaves_the_server_as_it_was(serving: Served):
    _, writer = await asyncio.open_connection("127.0.0.1", serving.port, ssl=serving.trust, server_hostname="localhost")
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n" + HEAD)
    await writer.drain()
    writer.transport.abort()
    assert (await serving.post(POD))["uid"] == UID
    await serving.server.drain()
    assert serving.errors == 0


# What breaks inside.


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("boom"),
        KeyError("x"),
        RecursionError(),
        MemoryError(),
        TimeoutError(),
        ConnectionResetError(),
        ExceptionGroup("several", [ValueError("a")]),
        asyncio.CancelledError(),
    ],
)
async def test_a_review_that_raises_is_let_through_with_a_warning_that_names_the_uid(
    served: Served, error: BaseException, caplog: pytest.LogCaptureFixture
):
    served.port = await served.server.start(raising(error))
    response = await served.post(POD)
    assert (response["uid"], response["allowed"]) == (UID, True)
    assert response["auditAnnotations"] == {"decision": "allow", "reason": "error"}
    assert UID in response["warnings"][0]
    assert (served.errors, served.unread) == (1, 0)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert vars(record)["uid"] == UID


async def test_a_review_that_is_no_coroutine_function_and_raises_at_once(served: Served):
    def review(request: ReviewRequest, deadline: float) -> Awaitable[Answer]:
        raise LookupError("at once")

    served.port = await served.server.start(review)
    assert (await served.post(POD))["auditAnnotations"]["reason"] == "error"
    assert served.errors == 1


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "an answer",
        Answer(warnings=(object(),)),  # type: ignore[arg-type]  # what must not be, for once
        Answer(annotations={"decision": {1, 2}}),  # type: ignore[dict-item]
        Answer(allowed=False, message=object()),  # type: ignore[arg-type]
    ],
)
async def test_an_answer_that_cannot_be_written_is_replaced(served: Served, answer: Answer):
    async def review(request: ReviewRequest, deadline: float) -> Answer:
        return answer

    served.port = await served.server.start(review)
    response = await served.post(POD)
    assert (response["uid"], response["allowed"], response["auditAnnotations"]["reason"]) == (UID, True, "error")
    assert served.errors == 1


async def test_text_that_is_not_unicode_is_written_all_the_same(served: Served):
    async def review(request: ReviewRequest, deadline: float) -> Answer:
        return Answer(allowed=False, message="half a \ud83d pair")

    served.port = await served.server.start(review)
    # Which encoder is there (the extra `speed`) decides whether the text goes out or the last resort is taken.
    assert (await served.post(POD))["uid"] == UID


async def test_a_layer_that_raises_while_the_body_is_taken_apart(serving: Served, monkeypatch: pytest.MonkeyPatch):
    for layer in ("read_json", "uid_of", "parse_review", "timeout_of", "times_of"):
        with monkeypatch.context() as patch:
            patch.setattr(f"webhook.admission.server.{layer}", _raise)
            response = await serving.post(POD)
            assert (response["allowed"], response["auditAnnotations"]["reason"]) == (True, "error")
    assert serving.errors == 5


def _raise(*_: object) -> None:
    raise RuntimeError("a layer")


async def test_a_counter_that_raises_costs_no_answer(tmp_path: Path):
    served = Served(tmp_path)
    served._error = _raise  # type: ignore[method-assign]
    served = _with_counters_that_raise(served)
    try:
        served.port = await served.server.start(raising(ValueError("x")))
        assert (await served.post(POD))["auditAnnotations"]["reason"] == "error"
        assert (await served.post(b"no json"))["auditAnnotations"]["reason"] == "not-understood"
    finally:
        await served.server.stop()


def _with_counters_that_raise(served: Served) -> Served:
    from webhook.admission.server import AdmissionServer, Counting  # noqa: PLC0415

    served.server = AdmissionServer(served.server._options, served.certificate.context, Counting(_raise, _raise))
    return served


# Time.


async def test_the_deadline_is_the_timeout_of_the_query_less_the_margin(served: Served):
    left: list[float] = []

    async def review(request: ReviewRequest, deadline: float) -> Answer:
        left.append(deadline - asyncio.get_running_loop().time())
        return Answer()

    served.port = await served.server.start(review)
    for query in ("?timeout=7s", "?timeout=1s", "", "?timeout=garbage", "?timeout=3600s"):
        await served.post(POD, query)
    for seconds, most in zip(left, (5.8, 0.3, 8.8, 8.8, 28.8), strict=True):
        assert 0 < seconds <= most


async def test_a_review_that_hangs_is_answered_for_before_the_timeout(served: Served):
    async def review(request: ReviewRequest, deadline: float) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    served.port = await served.server.start(review)
    async with asyncio.timeout(20):
        response = await served.post(POD, "?timeout=1s")
    assert (response["uid"], response["auditAnnotations"]["reason"]) == (UID, "error")
    assert served.errors == 1


async def test_a_review_that_had_no_turn_since_its_deadline_gets_it(served: Served):
    """On a machine that is overloaded, or where its CPU is throttled, a process may stand still for a while."""

    async def review(request: ReviewRequest, deadline: float) -> Answer:
        loop = asyncio.get_running_loop()
        loop.call_at(deadline - 0.01, time.sleep, 0.4)  # longer than from the deadline to the server's own end
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await asyncio.Event().wait()
        for _ in range(20):  # its steps, one waking the other
            await asyncio.sleep(0)
        return Answer(warnings=("what is known",))

    served.port = await served.server.start(review)
    assert (await served.post(POD, "?timeout=1s"))["warnings"] == ["what is known"]
    assert served.errors == 0


async def test_a_review_that_does_not_heed_its_cancellation_does_not_hold_the_answer_up(served: Served):
    end, heeded = asyncio.Event(), asyncio.Event()

    async def review(request: ReviewRequest, deadline: float) -> Answer:
        try:
            await end.wait()
        except asyncio.CancelledError:
            await end.wait()
            heeded.set()
            raise ValueError("after all") from None
        raise AssertionError

    served.port = await served.server.start(review)
    async with asyncio.timeout(20):
        response = await served.post(POD, "?timeout=1s")
        assert response["auditAnnotations"]["reason"] == "error"
        assert response["warnings"][0].endswith("was let through without a check, since there was no time left for it")
        assert not heeded.is_set()
        end.set()
        await heeded.wait()


# Ports and connections.


async def test_a_port_that_is_taken_is_said_in_one_line(serving: Served, tmp_path: Path):
    from webhook.admission.server import AdmissionServer, ServerOptions  # noqa: PLC0415

    second = AdmissionServer(ServerOptions("127.0.0.1", serving.port, 1.0, 1 << 20), serving.certificate.context)
    with pytest.raises(CannotServe, match=rf"server\.port: cannot listen on 127\.0\.0\.1:{serving.port}: .*in use"):
        await second.start(allow)
    assert not second.listening


async def test_a_connection_is_kept_until_the_server_is_leaving(serving: Served):
    async with aiohttp.ClientSession() as session:
        for leaving in (False, True):
            if leaving:
                serving.server.leave()
            url = f"https://localhost:{serving.port}/"
            async with session.post(url, data=json.dumps(POD).encode(), ssl=serving.trust) as response:
                assert (response.headers.get("Connection") == "close") is leaving
                assert response_of(response.status, response.content_type, await response.read())["uid"] == UID
