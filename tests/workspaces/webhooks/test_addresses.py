"""What webhooks may be sent to: a table of the tricks that lead into private networks."""

import threading
from ipaddress import ip_network

import pytest
from pytest_django import Settings

from workspaces.webhooks.addresses import AddressRefused, check_url, is_public, usable_addresses

PUBLIC, ALSO_PUBLIC = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"

NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104 (nothing binds to it)
    *("0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.254", "127.0.0.1"),
    *("127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.254", "192.0.0.8"),
    *("192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "100::1", "2001::1"),
    *("2001:0:7f00:1::80ff:fffe", "2001:db8::1", "2002:7f00:1::1", "2002:a00:1::", "3fff::1"),
    *("2002:a9fe:a9fe::", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1"),
    *("4000::1", "5f00::1"),
]

# Each is refused as it is written, whatever a resolver makes of it.
MALFORMED = [
    *("http://0177.0.0.1/", "https://0x7f.0.0.1/", "https://0x7f000001/", "https://2130706433/"),
    *("https://127.1/", "https://127.0.1/", "https://017700000001/", "https://0x7f.1/"),
    *("https://127.0.0.1./", "https://127.0.0.01/", "https://example.0x/", "https://1.2.3.4.5/"),
    *("https://256.1.1.1/", "https://[127.0.0.1]/", "https://[::1%25lo]/", "https://[::g]/"),
    *("https://[::1/", "https://::1/", "https://１２７.0.0.1/", "https://exa\u3002mple.com/"),
    *("https://hooks.example.com\\.127.0.0.1/", "https://a b.example.com/", "https://a%2eb/"),
    *("https:///path", "https://", "https://hooks.example.com:0/", "https://a:99999/"),
    *("https://-a.example.com/", "https://a..b/", "https://.a/", "ftp://hooks.example.com/"),
    *("gopher://127.0.0.1/", "file:///etc/passwd", "//hooks.example.com/", "hooks.example.com"),
    *("https://hooks.example.com/a b", "https://hooks.example.com/\n", "\nhttps://a.example/"),
    *("https://hooks.example.com/ä", "https://hooks.example.com:/x\r\nHost: a", ""),
    *(f"https://{'a' * 64}.example.com/", f"https://{'a.' * 127}com/"),
]


@pytest.fixture(autouse=True)
def _nothing_is_allowed(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []


def refusal(url: str, *addresses: str) -> str:
    """The code; blank when it is taken."""

    def resolve(host: str, port: int) -> list[str]:
        if not addresses:
            raise OSError
        return list(addresses)

    try:
        check_url(url, resolve)
    except AddressRefused as refused:
        return refused.code
    return ""


def test_no_private_address_is_taken_for_a_public_one() -> None:
    for text in NOT_PUBLIC:
        assert refusal("https://hooks.example.com/", text) == "private_address", text
        host = f"[{text}]" if ":" in text else text
        assert refusal(f"https://{host}/", text) == "private_address", text
    for text in (PUBLIC, ALSO_PUBLIC, "1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"):
        assert refusal("https://hooks.example.com/", text) == "", text


def test_one_private_address_among_public_ones_is_enough() -> None:
    assert refusal("https://hooks.example.com/", PUBLIC, ALSO_PUBLIC) == ""
    assert refusal("https://hooks.example.com/", PUBLIC, "10.0.0.1") == "private_address"


def test_odd_spellings_are_refused_whatever_they_resolve_to() -> None:
    for url in MALFORMED:
        assert refusal(url, PUBLIC) == "malformed_url", url


def test_what_else_is_no_address_for_a_webhook() -> None:
    for url, code in {
        "https://user@hooks.example.com/": "url_credentials",
        "https://user:password@hooks.example.com/": "url_credentials",
        "https://hooks.example.com@127.0.0.1/": "url_credentials",
        "https://127.0.0.1#@hooks.example.com/": "url_fragment",
        "https://hooks.example.com/#part": "url_fragment",
        f"https://hooks.example.com/{'a' * 1975}": "url_too_long",
        "http://hooks.example.com/": "https_required",
    }.items():
        assert refusal(url, PUBLIC) == code, url
    assert refusal("https://hooks.example.com/") == "unresolvable"
    for url in (
        "HTTPS://Hooks.Example.com:8443?a=1&b=@",
        "https://hooks.example.com/a@b",
        "https://xn--bcher-kva.example/",
        f"https://[{ALSO_PUBLIC}]:443/",
        "https://under_score.example.com./x",
    ):
        assert refusal(url, PUBLIC) == "", url


def test_the_operators_networks_are_allowed_and_there_plain_http(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = [ip_network("10.5.0.0/16"), ip_network("fd00:5::/32")]
    for address, code in {
        "10.5.0.1": "",
        "::ffff:10.5.0.1": "",
        "fd00:5::1": "",
        "10.6.0.1": "private_address",
        "64:ff9b::a05:1": "private_address",  # the gateway's, not the operator's
    }.items():
        assert refusal("http://inside.example.com/", address) == code, address
        assert refusal("https://inside.example.com/", address) == code, address
    assert refusal("http://inside.example.com/", "10.5.0.1", PUBLIC) == "https_required"


def test_a_slow_name_server_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workspaces.webhooks.addresses.RESOLVE_WITHIN", 0.05)
    gate = threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        gate.wait(5)
        return [PUBLIC]

    with pytest.raises(AddressRefused, match="no address"):
        check_url("https://hooks.example.com/", resolve)
    gate.set()


def test_an_address_is_not_judged_by_its_text() -> None:
    """The mapped form of IPv4, which old versions of Python take for global."""
    assert [str(address) for address in usable_addresses([f"::ffff:{PUBLIC}"])] == [PUBLIC]
    assert all(map(is_public, usable_addresses([PUBLIC, ALSO_PUBLIC])))
