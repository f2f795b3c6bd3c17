"""A real nginx or Caddy, configured by the example in docs/proxy.md."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import pytest

from tests.support.server import free_port
from tests.support.waiting import eventually_blocking

PAGE = Path(__file__).parents[2] / "docs" / "proxy.md"
SERVER = "127.0.0.1:8000"
Kind = Literal["nginx", "caddy"]
HEADINGS = {
    ("nginx", ""): "nginx",
    ("nginx", "/chat"): "nginx, under a sub-path",
    ("caddy", ""): "Caddy",
    ("caddy", "/chat"): "Caddy, under a sub-path",
}


def example(heading: str) -> str:
    """Return the first code block under that heading of the page."""
    found = re.search(rf"^## {re.escape(heading)}\n.*?^```\w+\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None, f"docs/proxy.md has no example under {heading!r}"
    return found[1]


def program(name: str) -> str:
    """Return the program's path, or skip the test, which CI counts as a failure."""
    here = Path(sys.prefix) / "debian" / "usr"
    places = [os.environ.get("PATH", ""), "/usr/sbin", str(here / "sbin"), str(here / "bin")]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        pytest.skip(f"no {name} on this machine: scripts/proxies says how to get one")
    return found


class Certificate:
    """A self-signed certificate for both names of the examples."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "fullchain.pem"
        self.key = folder / "privkey.pem"
        extensions = ("subjectAltName=DNS:chat.example.org,DNS:example.org", "keyUsage=digitalSignature,keyCertSign")
        made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        where = ["-subj", "/CN=example.org", "-keyout", str(self.key), "-out", str(self.file)]
        added = [word for extension in extensions for word in ("-addext", extension)]
        subprocess.run([program("openssl"), "req", *made, *where, *added], check=True, capture_output=True, timeout=30)
        self.client = ssl.create_default_context(cafile=str(self.file))


class Front:
    """A proxy in front of a server; `root_path` is "" or "/chat"."""

    def __init__(self, kind: Kind, root_path: str, certificate: Certificate, folder: Path) -> None:
        self.kind = kind
        self.root_path = root_path
        self.certificate = certificate
        self.name = "example.org" if root_path else "chat.example.org"
        self.port = free_port()
        self.plain_port = free_port()
        self.text = example(HEADINGS[kind, root_path])
        self._folder = folder / f"{kind}{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Return the value for HUBBUB_PUBLIC_URL."""
        return f"https://{self.name}:{self.port}{self.root_path}"

    @property
    def origin(self) -> str:
        return f"https://{self.name}:{self.port}"

    def change(self, before: str, after: str) -> Self:
        """Replace a part of the example."""
        assert before in self.text, f"the example has no {before!r}"
        self.text = self.text.replace(before, after)
        return self

    def strip_root_path(self) -> Self:
        """Let the proxy strip the sub-path, so that the server does not see it."""
        if self.kind == "nginx":
            return self.change(f"proxy_pass http://{SERVER};", f"proxy_pass http://{SERVER}/;")
        return self.change("handle /chat/*", "handle_path /chat/*")

    def start(self, upstream: int) -> Self:
        """Start in front of the server on that port; return when connections are accepted."""
        self._folder.mkdir()
        self.change(SERVER, f"127.0.0.1:{upstream}")
        command = self._nginx() if self.kind == "nginx" else self._caddy()
        log = (self._folder / "log").open("wb")
        kept = {"HOME": str(self._folder), "XDG_DATA_HOME": str(self._folder), "XDG_CONFIG_HOME": str(self._folder)}
        with log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **kept}
            )
        eventually_blocking(self._is_listening, 20, f"{self.kind} listens")
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    def _nginx(self) -> list[str]:
        folder = self._folder
        self.change("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;")
        if not self.root_path:
            self.change("listen 80;", f"listen 127.0.0.1:{self.plain_port};")
        self.change("/etc/ssl/hubbub", str(self.certificate.file.parent))
        (folder / "site.conf").write_text(self.text)
        temporary = "".join(
            f"  {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root root;\n" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(
            f"{user}pid {folder}/pid;\ndaemon off;\nworker_processes 1;\nevents {{}}\n"
            f"http {{\n  access_log off;\n{temporary}  include {folder}/site.conf;\n}}\n"
        )
        return [program("nginx"), "-e", "stderr", "-c", str(folder / "nginx.conf"), "-p", str(folder)]

    def _caddy(self) -> list[str]:
        site = f"https://{self.name}:{self.port} {{\n    bind 127.0.0.1"
        self.change(f"{self.name} {{", f"{site}\n    tls {self.certificate.file} {self.certificate.key}")
        path = self._folder / "Caddyfile"
        path.write_text("{\n    admin off\n    auto_https disable_redirects\n}\n" + self.text)
        return [program("caddy"), "run", "--config", str(path), "--adapter", "caddyfile"]

    def log_text(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def _is_listening(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self.kind} ended at start:\n{self.log_text()}\n{self.text}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
