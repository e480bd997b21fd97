"""Log lines: JSON, with the ids of what they belong to, in every thread, and without secrets."""

import json
import logging
import subprocess
import sys
import threading

import pytest

from panel.core.deadlines import call_within
from panel.core.logs import json_formatter, log_bind, log_scope, redacted


class Lines(logging.Handler):
    """What would be written, read back."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(json_formatter())
        self.found: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        assert "\n" not in text
        self.found.append(json.loads(text))


@pytest.fixture
def lines():
    logger, handler = logging.getLogger("tests.logs"), Lines()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler.found
    logger.removeHandler(handler)


logger = logging.getLogger("tests.logs")


def test_a_line_has_the_ids_of_its_scope_and_of_no_other(lines):
    with log_scope(request_id="outer-request", host_id=None):
        with log_scope(job_id="j"):
            log_bind(action="guest.start")
            logger.info("inside %s", 1, extra={"step": "ensure_disk", "secret": "never"})
        logger.info("outside")
    logger.info("after")
    inside, outside, after = lines
    assert (inside["event"], inside["job_id"], inside["action"]) == ("inside 1", "j", "guest.start")
    assert (inside["step"], inside["level"], inside["logger"]) == ("ensure_disk", "info", "tests.logs")
    assert {"request_id", "secret"} & set(inside) == set()
    assert outside["request_id"] == "outer-request"
    assert {"job_id", "action", "host_id"} & set(outside) == set()
    assert set(after) == {"event", "level", "logger", "at", "process", "pid"}


def test_the_thread_of_a_hypervisor_call_has_its_job_s_ids(lines):
    with log_scope(job_id="j", attempt=2):
        call_within(5, lambda: logger.info("in the thread of %s", threading.current_thread().name))
    assert lines[0]["event"] == "in the thread of host-call"
    assert (lines[0]["job_id"], lines[0]["attempt"]) == ("j", "2")


def test_an_exception_is_one_line(lines):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("failed")
    assert "two\nlines" in str(lines[0]["exception"])


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Not Found: /accounts/password/reset/key/2-abc-0123456789/ ", "0123456789"),
        ("Authorization: Bearer " + "a1" * 32, "a1" * 32),
        ("what " + "Zz9x" * 16 + " was", "Zz9x" * 16),
        ("hash $6$salt$hashhashhash/. end", "hashhash"),
        ("pbkdf2_sha256$1000$salt$abc= end", "abc="),
        ("DETAIL:  Failing row contains (1, me@example.com, x).", "me@example.com"),
        ('{"root_password": "correct horse"}', "correct horse"),
        ("redis://:hidden@cache/0", "hidden"),
        ("postgres://innkeeper:hidden@db/panel", "hidden"),
    ],
)
def test_what_looks_like_a_secret_is_cut(text, secret):
    assert secret in text
    assert secret not in redacted(text)


def test_what_is_no_secret_stays():
    text = "job 3f0e0a52-6a3e-4d5e-9d52-0c1f5f3f6a10 of guest.start: the token has expired, sha 0a1b"
    assert redacted(text) == text


def test_a_line_is_one_line_to_everybody_and_can_be_written_anywhere():
    record = logging.LogRecord("x", logging.INFO, "x", 1, "a\u2028b\x85c\ud800 “d”", (), None)
    text = json_formatter().format(record)
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.loads(text)["event"] == "a\u2028b\x85c\ud800 “d”"


_WHAT_NOBODY_CAUGHT = """
import logging, sys, threading
from panel.core.logs import json_formatter, process_is

class Broken:
    def __del__(self):
        raise ValueError("in a destructor")

def fail():
    raise ValueError("in a thread")

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(json_formatter())
logging.basicConfig(handlers=[handler])
process_is("collector")
del (broken := [Broken()])[0]
thread = threading.Thread(target=fail)
thread.start()
thread.join()
raise ValueError("at the end")
"""


def test_what_nobody_caught_is_one_line_too():
    done = subprocess.run([sys.executable, "-c", _WHAT_NOBODY_CAUGHT], capture_output=True, text=True, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["exception"].splitlines()[-1] for line in found] == [
        "ValueError: in a destructor", "ValueError: in a thread", "ValueError: at the end",
    ]  # fmt: skip
    assert done.stderr == ""
