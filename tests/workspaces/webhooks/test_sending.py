"""One request: what is signed, where it goes, what is made of the answer."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from tests.workspaces.webhooks.receiver import Got, Reply, receiving
from workspaces.services.webhooks import new_secret
from workspaces.webhooks import sending
from workspaces.webhooks.addresses import AddressRefused, check_url
from workspaces.webhooks.sending import Answer, Message, Receiver

EVENT_ID = "67def9053495307c718d9e01"
BODY = '{"id":"67def9053495307c718d9e01","name":"Zoë"}'.encode()
HOST = "hooks.example.com"


def send(
    url: str,
    *,
    secrets: tuple[str, ...] = ("whsec_c2VjcmV0",),
    resolves_to: list[list[str]] | None = None,
    tls: ssl.SSLContext | None = None,
    times: int = 1,
) -> list[Answer]:
    """`resolves_to`: what the name resolves to at each look-up."""
    lookups = iter(resolves_to or [["127.0.0.1"]])

    async def send_all() -> list[Answer]:
        context = tls or httpcore.default_ssl_context()
        receiver = Receiver(url, context, lambda host, port: next(lookups))
        message = Message(EVENT_ID, url, BODY, secrets)
        try:
            return [await receiver.send(message, now=datetime.now(UTC)) for _ in range(times)]
        finally:
            await receiver.close()

    return asyncio.run(send_all())


def test_a_receiver_verifies_it_with_either_secret() -> None:
    new, old = new_secret(), new_secret()
    with receiving() as receiver:
        first, second = send(receiver.url, secrets=(new, old), times=2)
    got = receiver.got[0]
    assert (first.status_code, first.error, first.is_success) == (200, "", True)
    assert got.body == BODY
    for secret in (new, old):
        assert Webhook(secret).verify(got.body, got.headers)["name"] == "Zoë"
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(got.body, got.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(got.body + b" ", got.headers)
    assert got.headers["webhook-id"] == EVENT_ID
    assert got.headers["content-type"] == "application/json"
    assert (second.is_success, receiver.connections) == (True, 1)  # kept open


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiving() as inside:

        def redirect(got: Got) -> Reply:
            return Reply(302, b"Moved", {"location": inside.url, "set-cookie": "a=b"})

        with receiving(redirect) as receiver:
            answers = send(receiver.url, times=2)
    assert [(a.status_code, a.response, a.is_success) for a in answers] == 2 * [
        (302, "Moved", False)
    ]
    assert inside.got == []
    assert "cookie" not in receiver.got[1].headers


def test_a_name_that_moves_between_check_and_connection_is_not_followed(
    settings: Settings,
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    lookups = iter([["93.184.215.14"], ["127.0.0.1"]])
    with receiving() as receiver:
        url = f"https://{HOST}:{receiver.port}/"
        check_url(url, lambda host, port: next(lookups))
        (answer,) = send(url, resolves_to=[next(lookups)])
    assert (answer.status_code, receiver.connections) == (None, 0)
    assert answer.error == "The host's address is not public. (private_address)"


def test_the_name_is_looked_up_once_for_a_connection() -> None:
    """The second look-up would lead elsewhere: what was checked is what is connected to."""
    with receiving() as receiver:
        url = f"http://{HOST}:{receiver.port}/"
        (answer,) = send(url, resolves_to=[["127.0.0.1"], ["10.0.0.1"]])
        assert answer.is_success
        assert receiver.got[0].headers["host"] == f"{HOST}:{receiver.port}"
        # Of several addresses the next one is tried.
        (answer,) = send(url, resolves_to=[["::1", "127.0.0.1"]])
        assert answer.is_success


def test_plain_http_stays_inside_of_the_operators_networks(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    (answer,) = send(f"http://{HOST}/", resolves_to=[["93.184.215.14"]])
    assert "(https_required)" in answer.error
    (answer,) = send(f"http://{HOST}/", resolves_to=[[]])
    assert "(unresolvable)" in answer.error
    with pytest.raises(AddressRefused):
        send("http://0177.0.0.1/")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Key and certificate of HOST, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def test_tls_is_for_the_name_although_the_connection_goes_to_an_address(certificate: Path) -> None:
    names: list[str | None] = []
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    server.sni_callback = lambda sock, name, context: names.append(name)
    client = ssl.create_default_context(cafile=str(certificate))
    with receiving(tls=server) as receiver:
        (answer,) = send(f"https://{HOST}:{receiver.port}/", tls=client)
        assert (answer.is_success, names) == (True, [HOST])
        (answer,) = send(f"https://other.example.com:{receiver.port}/", tls=client)
        assert "certificate" in answer.error.lower()
        (answer,) = send(f"https://{HOST}:{receiver.port}/")  # nobody known has signed it
        assert "certificate" in answer.error.lower()
    assert len(receiver.got) == 1


def test_what_is_kept_of_an_answer() -> None:
    long = b"\xff\x00" + b"a" * 100_000
    with receiving(lambda got: Reply(500, long, {"Retry-After": "7"})) as receiver:
        (answer,) = send(receiver.url)
    assert answer.response == "\ufffd\ufffd" + "a" * 1998
    assert (answer.status_code, answer.error) == (500, "")
    assert answer.retry_after == timedelta(seconds=7)
    assert answer.duration_ms < 5000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("0", 0), ("-1", None), ("soon", None), ("١٢", None), ("9" * 30, 999_999_999)],
)
def test_retry_after_in_seconds(text: str, seconds: int | None) -> None:
    found = sending._retry_after([(b"Retry-After", text.encode())], datetime.now(UTC))
    assert found == (None if seconds is None else timedelta(seconds=seconds))


def test_retry_after_as_a_date() -> None:
    now = datetime(2025, 5, 15, 14, 0, tzinfo=UTC)
    for text, seconds in {
        b"Thu, 15 May 2025 14:10:00 GMT": 600,
        b"Thu, 15 May 2025 13:00:00 GMT": 0,
    }.items():
        assert sending._retry_after([(b"retry-after", text)], now) == timedelta(seconds=seconds)


def test_no_answer_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ANSWER_WITHIN", 0.1)
    with receiving(lambda got: Reply(seconds=5)) as receiver:
        (answer,) = send(receiver.url)
        assert (answer.status_code, answer.error) == (None, "No answer within 0 seconds.")
        assert 100 <= answer.duration_ms < 2000
        port = receiver.port
    (answer,) = send(f"http://127.0.0.1:{port}/")
    assert answer.error.startswith("Could not connect: ")


def test_a_status_stands_although_the_body_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ANSWER_WITHIN", 0.1)
    with receiving(lambda got: Reply(200, b"Got it", {"content-length": "1000"})) as receiver:
        (answer,) = send(receiver.url)
    assert (answer.status_code, answer.response, answer.error) == (200, "Got it", "")
