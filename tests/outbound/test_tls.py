"""TLS: the certificate must be valid for the host of the URL."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from hubbub.outbound import OutboundClient, RequestFailed, ResponseLimits
from hubbub.outbound.exchange import tls_context
from tests.outbound.conftest import MakeClient
from tests.outbound.name_server import name_server
from tests.outbound.receiver import OK, receiving
from tests.proxy.front import program


class Authority:
    """A certificate authority of the test, and the certificates it has signed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "ca.pem"
        self._openssl(
            "req", "-x509", *self._new("ca"), "-days", "2", "-subj", "/CN=test authority", "-out", str(self.file)
        )

    def _new(self, name: str) -> list[str]:
        key = str(self._folder / f"{name}.key")
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]

    def _openssl(self, *arguments: str) -> None:
        subprocess.run([program("openssl"), *arguments], check=True, capture_output=True, timeout=60)

    def serving(self, name: str, *names: str, days: int = 2, signed: bool = True) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names."""
        request, file, extra = (self._folder / f"{name}.{kind}" for kind in ("csr", "pem", "ext"))
        extra.write_text("subjectAltName=" + ",".join(names))
        self._openssl("req", *self._new(name), "-subj", f"/CN={name}", "-out", str(request))
        key = str(self._folder / f"{name}.key")
        by = ["-CA", str(self.file), "-CAkey", str(self._folder / "ca.key"), "-CAcreateserial"]
        signer = by if signed else ["-signkey", key]
        self._openssl(
            "x509", "-req", "-in", str(request), *signer, "-days", str(days), "-extfile", str(extra), "-out", str(file)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file, key)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusting(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator has added the authority to the system's."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))


async def post(client: OutboundClient, host: str, port: int) -> int:
    return (await client.request("POST", f"https://{host}:{port}/x", headers={}, body=b"{}")).status


@pytest.mark.usefixtures("trusting")
async def test_a_certificate_for_the_host_of_the_url_is_accepted_and_the_name_is_sent(
    authority: Authority, make_client: MakeClient
) -> None:
    context, names = authority.serving("good", "DNS:hooks.test"), []
    context.sni_callback = lambda connection, name, _: names.append(name)
    async with receiving(OK, context=context) as receiver, name_server(["127.0.0.1"]) as dns:
        assert await post(make_client("127.0.0.0/8", resolve=dns.resolve), "Hooks.Test", receiver.port) == 200
        assert names == ["hooks.test"]
        assert f"host: hooks.test:{receiver.port}".encode() in receiver.requests[0]
        await receiver.until_closed()


@pytest.mark.usefixtures("trusting")
async def test_a_certificate_for_an_address_is_accepted_for_this_address(
    authority: Authority, local: OutboundClient
) -> None:
    async with receiving(OK, context=authority.serving("address", "IP:127.0.0.1")) as receiver:
        assert await post(local, "127.0.0.1", receiver.port) == 200
    async with receiving(OK, "127.0.0.2", context=authority.serving("address", "IP:127.0.0.1")) as receiver:
        with pytest.raises(RequestFailed, match=r"certificate of 127\.0\.0\.2 is not valid: IP address mismatch"):
            await post(local, "127.0.0.2", receiver.port)


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(
    ("names", "days", "signed", "says"),
    [
        (["DNS:other.test"], 2, True, "Hostname mismatch"),
        (["DNS:*.hooks.test"], 2, True, "Hostname mismatch"),
        (["DNS:hooks.test"], 2, False, "self-signed certificate"),
        (["DNS:hooks.test"], -1, True, "certificate has expired"),
    ],
    ids=["other name", "wildcard", "self-signed", "expired"],
)
async def test_a_wrong_certificate_fails_and_nothing_is_sent(
    authority: Authority, make_client: MakeClient, names: list[str], days: int, signed: bool, says: str
) -> None:
    context = authority.serving("wrong", *names, days=days, signed=signed)
    async with receiving(OK, context=context) as receiver, name_server(["127.0.0.1"]) as dns:
        client = make_client("127.0.0.0/8", resolve=dns.resolve)
        with pytest.raises(RequestFailed, match=f"certificate of hooks.test is not valid: {says}"):
            await post(client, "hooks.test", receiver.port)
        assert not any(receiver.requests)
        # The control: a client that does not verify gets an answer from the same server.
        careless = ssl.create_default_context()
        careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port, ssl=careless)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_an_authority_that_the_system_does_not_know_is_not_trusted(
    authority: Authority, make_client: MakeClient
) -> None:
    async with (
        receiving(OK, context=authority.serving("private", "DNS:hooks.test")) as receiver,
        name_server(["127.0.0.1"]) as dns,
    ):
        with pytest.raises(RequestFailed, match=r"certificate of hooks\.test is not valid: unable to get local issuer"):
            await post(make_client("127.0.0.0/8", resolve=dns.resolve), "hooks.test", receiver.port)


async def test_plain_http_on_a_tls_port_and_the_reverse_fail_with_a_sentence(
    authority: Authority, local: OutboundClient
) -> None:

    async def answer_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    async with receiving(answer_at_once, reads=False) as receiver:
        with pytest.raises(RequestFailed, match=r"The TLS connection to 127\.0\.0\.1 failed"):
            await post(local, "127.0.0.1", receiver.port)
    async with receiving(OK, context=authority.serving("tls", "DNS:hooks.test")) as receiver:
        with pytest.raises(RequestFailed, match=r"closed the connection|not HTTP"):
            await local.request("POST", f"http://127.0.0.1:{receiver.port}/", headers={}, body=b"")


async def test_a_handshake_that_stalls_ends_at_the_deadline_and_is_closed(local: OutboundClient) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    async with receiving(stall, reads=False) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        with pytest.raises(RequestFailed, match="did not answer within 1 seconds"):
            await local.request("POST", url, headers={}, body=b"", limits=ResponseLimits(seconds=1.0))
        await receiver.until_closed()


def test_the_authorities_of_the_package_are_used_where_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "absent.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    context = tls_context()
    assert context.cert_store_stats()["x509_ca"] > 50
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
