"""Real NATS servers for tests: start, kill, freeze, clusters, and certificates."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import eventually_blocking

PROGRAM = Path(sys.executable).parent / "nats-server"
DEADLINE = 30.0


class Nats:
    """A NATS server on a port of its own. `config` is text of its configuration file.

    It listens on `address`.
    """

    def __init__(self, folder: Path, config: str = "", address: str = "127.0.0.1") -> None:
        self.address, self.port = address, free_port()
        self._config = folder / f"nats{self.port}.conf"
        self._config.write_text(f'listen: "{address}:{self.port}"\n{config}\n')
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://{self.address}:{self.port}"

    @property
    def log(self) -> Path:
        return self._config.with_suffix(".log")

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> "Nats":
        assert self._process is None
        arguments = [str(PROGRAM), "-c", str(self._config), "-l", str(self.log)]
        self._process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually_blocking(self._accepts, DEADLINE, "NATS accepts connections")
        return self

    def _accepts(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text() if self.log.exists() else "NATS ended"
        with suppress(OSError), socket.create_connection((self.address, self.port), timeout=5) as probe:
            return probe.recv(4) == b"INFO"
        return False

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the process: connections stay open and get no answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


class Cluster:
    """NATS servers that are connected by routes. Each may be killed and started again."""

    def __init__(self, folder: Path, count: int = 3, address: str = "127.0.0.1") -> None:
        routes = [free_port() for _ in range(count)]
        self._monitors = [free_port() for _ in range(count)]
        others = ", ".join(f'"nats-route://127.0.0.1:{port}"' for port in routes)
        self.servers = [
            Nats(
                folder,
                f'server_name: "nats{number}"\nhttp: "127.0.0.1:{monitor}"\n'
                f'cluster {{ name: "tests", listen: "127.0.0.1:{route}", routes: [{others}], no_advertise: true }}',
                address,
            )
            for number, (route, monitor) in enumerate(zip(routes, self._monitors, strict=True))
        ]

    @property
    def url(self) -> str:
        """The addresses of all servers, as the setting of a node takes them."""
        return ",".join(server.url for server in self.servers)

    def start(self) -> "Cluster":
        """Start the servers that do not run, and wait until each has routes to all others."""
        for server in self.servers:
            if not server.is_running:
                server.start()
        eventually_blocking(lambda: all(map(self._is_joined, self._monitors)), DEADLINE, "the cluster is complete")
        return self

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def _is_joined(self, monitor: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{monitor}/routez", timeout=5) as answer:
                routes: Sequence[dict[str, str]] = json.load(answer)["routes"]
        except OSError:
            return False
        return len({route["remote_name"] for route in routes}) == len(self.servers) - 1


@contextmanager
def nats(folder: Path, config: str = "") -> Iterator[Nats]:
    server = Nats(folder, config).start()
    try:
        yield server
    finally:
        server.kill()


class Certificates:
    """An authority, and certificates for the server at 127.0.0.1 and for a client."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder / name
        self._folder.mkdir()
        self.ca, ca_key = self._folder / "ca.pem", self._folder / "ca.key"
        _openssl("req", "-x509", *_NEW, "-days", "2", "-subj", f"/CN={name}", "-keyout", str(ca_key),
                 "-out", str(self.ca), "-addext", "keyUsage=keyCertSign")  # fmt: skip
        self._ca_key = ca_key
        self.server, self.server_key = self._issue("server")
        self.client, self.client_key = self._issue("client")

    def _issue(self, name: str) -> tuple[Path, Path]:
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        _openssl("req", "-x509", *_NEW, "-days", "2", "-subj", f"/CN={name}", "-keyout", str(key), "-out",
                 str(certificate), "-CA", str(self.ca), "-CAkey", str(self._ca_key),
                 "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE")  # fmt: skip
        return certificate, key

    def config(self, *, verify: bool = False) -> str:
        """Return what makes NATS require TLS, and with `verify` a client certificate."""
        files = f'cert_file: "{self.server}", key_file: "{self.server_key}", ca_file: "{self.ca}"'
        return f"tls {{ {files}, verify: {str(verify).lower()} }}"


_NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)
