"""LISTEN: what is accepted, what is refused, and with which sentence."""

import socket

import pytest

from panel.setup.errors import SetupError
from panel.setup.listen import Listen, bind, parse_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("", "127.0.0.1", 8000),
        ("127.0.0.1:9000", "127.0.0.1", 9000),
        ("localhost:9000", "127.0.0.1", 9000),
        ("http://127.0.0.1:9000/", "127.0.0.1", 9000),
        ("[::1]:9000", "::1", 9000),
        ("0.0.0.0:443", "0.0.0.0", 443),
        (":443", "0.0.0.0", 443),
        ("https://[::]:443", "::", 443),
    ],
)
def test_addresses_that_are_understood(text: str, host: str, port: int):
    assert parse_listen(text) == Listen(host, port)


@pytest.mark.parametrize("text", ["8000", "panel.example:443", "127.0.0.1:0", "127.0.0.1:65536", "ftp://127.0.0.1:80"])
def test_what_is_no_address_and_port_is_refused(text: str):
    with pytest.raises(SetupError, match="cannot be listened on"):
        parse_listen(text)


def test_plain_http_stays_on_the_loopback():
    with pytest.raises(SetupError, match="loopback address only"):
        parse_listen("http://192.0.2.1:8000")


def test_tls_is_not_offered_on_the_loopback():
    with pytest.raises(SetupError, match="leave https:// out"):
        parse_listen("https://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        (Listen("127.0.0.1", 8000), "http://127.0.0.1:8000/"),
        (Listen("::1", 80), "http://[::1]/"),
        (Listen("192.0.2.1", 443), "https://192.0.2.1/"),
        (Listen("2001:db8::1", 8443), "https://[2001:db8::1]:8443/"),
    ],
)
def test_the_address_a_browser_needs(listen: Listen, url: str):
    assert listen.url() == url


def test_a_port_in_use_names_the_port_and_another_one():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SetupError, match=f"Port {port} on 127.0.0.1 is in use.*LISTEN=127.0.0.1:{port + 1}"):
            bind(Listen("127.0.0.1", port))


def test_two_set_ups_at_the_same_time_do_not_both_get_the_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        listen = Listen("127.0.0.1", probe.getsockname()[1])
    with bind(listen), pytest.raises(SetupError, match=f"Port {listen.port} on 127.0.0.1 is in use"):
        bind(listen)


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(SetupError, match=r"no address 192\.0\.2\.77"):
        bind(Listen("192.0.2.77", 8000))
