"""Programs are found, fetched or built; nothing that is not whole and of the right version is used."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from missioncontrol.local.binaries.cache import Cache
from missioncontrol.local.binaries.catalog import GoBuild, Program, catalog, parse_version
from missioncontrol.local.binaries.download import Downloader
from missioncontrol.local.binaries.resolve import BinariesError, Resolver
from missioncontrol.local.binaries.verify import UnusableError, check_version
from missioncontrol.local.progress import Progress

SCRIPT = b"#!/bin/sh\necho tool %s\n" + b"# padding\n" * 5000
GOOD = SCRIPT % b"1.2.3"


def a_program(*, member: str | None = None, url: str = "v1.2.3/tool") -> Program:
    return Program(
        name="tool",
        version="1.2.3",
        minimum=(1, 2, 0),
        because="older ones cannot do it",
        version_argv=("--version",),
        version_pattern=r"tool (\S+)",
        site="site",
        url=url,
        checksum_url=f"{url}.sha256",
        build=GoBuild("tool", "1.2.3", install="example.com/tool@v1.2.3"),
        member=member,
    )


class Site(ThreadingHTTPServer):
    """A release site whose answers a test chooses: path -> (status, headers' length, body, delay)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.truncate: set[str] = set()
        self.delay = 0.0
        self.stall: set[str] = set()
        self.asked: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def offer(self, program: Program, content: bytes, *, checksum: str | None = None) -> None:
        digest = checksum or hashlib.sha256(content).hexdigest()
        self.files[f"/{program.url}"] = content
        self.files[f"/{program.checksum_url}"] = f"{digest}  {Path(program.url).name}\n".encode()


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        site = self.server
        site.asked[self.path] += 1
        if self.path in site.stall:
            time.sleep(5)
        body = site.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        if self.path in site.truncate:
            return
        time.sleep(0 if self.path.endswith(".sha256") else site.delay)
        self.wfile.write(body[half:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def resolver(site: Site, tmp_path: Path, out: io.StringIO) -> Callable[..., Resolver]:
    def make(
        *, assets: Path | None = None, may_build: bool = False, connect_timeout: float = 1.0
    ) -> Resolver:
        return Resolver(
            cache=Cache(tmp_path / "cache", arch="amd64"),
            assets=assets,
            downloader=Downloader({"site": site.url}, connect_timeout=connect_timeout),
            progress=Progress(out, patience=0.2),
            may_build=may_build,
        )

    return make


def run(program: Path) -> str:
    return subprocess.run([program], capture_output=True, text=True, timeout=10).stdout.strip()


def leftovers(tmp_path: Path) -> list[str]:
    return [p.name for p in (tmp_path / "cache" / "bin" / "linux-amd64").glob(".*")]


def test_a_release_is_downloaded_once(site: Site, resolver: Callable[..., Resolver], tmp_path: Path) -> None:
    program = a_program()
    site.offer(program, GOOD)
    first = resolver().resolve([program])["tool"]
    second = resolver().resolve([program])["tool"]
    assert run(first) == "tool 1.2.3"
    assert second == first
    assert site.asked[f"/{program.url}"] == 1
    assert leftovers(tmp_path) == []


def test_a_program_inside_an_archive(site: Site, resolver: Callable[..., Resolver]) -> None:
    program = a_program(member="tool-v1/tool", url="v1.2.3/tool.tar.gz")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("tool-v1/tool")
        info.size = len(GOOD)
        tar.addfile(info, io.BytesIO(GOOD))
    site.offer(program, packed.getvalue())
    assert run(resolver().resolve([program])["tool"]) == "tool 1.2.3"


def _wrong_checksum(site: Site, program: Program) -> None:
    site.offer(program, GOOD, checksum="0" * 64)


def _truncated(site: Site, program: Program) -> None:
    site.offer(program, GOOD)
    site.truncate.add(f"/{program.url}")


def _missing(site: Site, program: Program) -> None:
    site.offer(program, GOOD)
    del site.files[f"/{program.url}"]


def _no_checksum(site: Site, program: Program) -> None:
    site.offer(program, GOOD)
    site.files[f"/{program.checksum_url}"] = b"<html>not here</html>"


def _silent(site: Site, program: Program) -> None:
    site.offer(program, GOOD)
    site.stall.add(f"/{program.checksum_url}")


def _another_version(site: Site, program: Program) -> None:
    site.offer(program, SCRIPT % b"1.2.4")


def _no_program(site: Site, program: Program) -> None:
    site.offer(program, b"\x7fELF but not really" * 100)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        pytest.param(_wrong_checksum, "it was not used", id="a wrong checksum is refused"),
        pytest.param(_truncated, "broke off after", id="a truncated body is refused"),
        pytest.param(_missing, "answered 404", id="a file that is not there"),
        pytest.param(_no_checksum, "has no SHA-256 of tool", id="a checksum that is none"),
        pytest.param(_silent, "did not answer within 1 s", id="a site that says nothing is given up soon"),
        pytest.param(_another_version, "is 1.2.4, not 1.2.3", id="a program of another version"),
        pytest.param(_no_program, "does not run", id="a file that is no program"),
    ],
)
def test_what_is_not_right_is_not_used(
    spoil: Callable[[Site, Program], None],
    sentence: str,
    site: Site,
    resolver: Callable[..., Resolver],
    tmp_path: Path,
) -> None:
    program = a_program()
    spoil(site, program)
    began = time.monotonic()
    with pytest.raises(BinariesError, match=sentence):
        resolver().resolve([program])
    assert time.monotonic() - began < 3
    assert leftovers(tmp_path) == []
    site.stall.clear()
    site.truncate.clear()
    site.offer(program, GOOD)
    assert run(resolver().resolve([program])["tool"]) == "tool 1.2.3", "the next attempt succeeds"


def test_a_site_without_a_server_is_given_up_at_once(tmp_path: Path, out: io.StringIO) -> None:
    resolver = Resolver(
        cache=Cache(tmp_path / "cache", arch="amd64"),
        assets=None,
        downloader=Downloader({"site": "http://127.0.0.1:9"}),
        progress=Progress(out),
        may_build=False,
    )
    with pytest.raises(BinariesError, match="cannot be reached"):
        resolver.resolve([a_program()])


def test_a_damaged_program_in_the_cache_is_fetched_again(
    site: Site, resolver: Callable[..., Resolver]
) -> None:
    program = a_program()
    site.offer(program, GOOD)
    path = resolver().resolve([program])["tool"]
    path.write_bytes(GOOD[:100])
    assert run(resolver().resolve([program])["tool"]) == "tool 1.2.3"
    assert path.read_bytes() == GOOD
    assert site.asked[f"/{program.url}"] == 2


def test_a_touched_program_in_the_cache_is_still_good(site: Site, resolver: Callable[..., Resolver]) -> None:
    program = a_program()
    site.offer(program, GOOD)
    path = resolver().resolve([program])["tool"]
    os.utime(path, (1, 1))
    assert resolver().resolve([program])["tool"] == path
    assert site.asked[f"/{program.url}"] == 1


def test_the_assets_folder_comes_first(site: Site, resolver: Callable[..., Resolver], tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "tool").write_bytes(SCRIPT % b"1.9.0")
    (assets / "tool").chmod(0o755)
    assert resolver(assets=assets).resolve([a_program()])["tool"] == assets / "tool"
    assert not site.asked


def test_an_old_program_in_the_assets_folder_is_refused_with_the_reason(
    site: Site, resolver: Callable[..., Resolver], tmp_path: Path, out: io.StringIO
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "tool").write_bytes(SCRIPT % b"1.1.9")
    (assets / "tool").chmod(0o755)
    site.offer(a_program(), GOOD)
    path = resolver(assets=assets).resolve([a_program()])["tool"]
    assert path.parent != assets
    assert "is version 1.1.9; 1.2.0 or newer is needed: older ones cannot do it" in out.getvalue()


def test_an_etcd_without_progress_notifications_is_refused(tmp_path: Path) -> None:
    etcd = next(p for p in catalog("amd64") if p.name == "etcd")
    path = tmp_path / "etcd"
    path.write_text("#!/bin/sh\necho 'etcd Version: 3.4.23'\necho 'Git SHA: 1'\n")
    path.chmod(0o755)
    with pytest.raises(
        UnusableError, match=r"version 3\.4\.23; 3\.5\.13 or newer is needed: .*sendInitialEvents"
    ):
        check_version(etcd, path)


@pytest.mark.parametrize(
    ("text", "version"),
    [("v1.36.3", (1, 36, 3)), ("3.5.13", (3, 5, 13)), ("v1.36.3-rc.0+abc", (1, 36, 3)), ("none", None)],
)
def test_versions(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


TWO_AT_ONCE = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_binaries import a_program, Cache, Downloader, Progress, Resolver
resolver = Resolver(
    cache=Cache(Path({cache!r}), arch="amd64"), assets=None,
    downloader=Downloader({{"site": {url!r}}}), progress=Progress(patience=0.2), may_build={may_build!r},
)
print(resolver.resolve([a_program()])["tool"])
"""


def start_resolving(
    tmp_path: Path, url: str, *, may_build: bool = False, path: str = ""
) -> subprocess.Popen[str]:
    code = TWO_AT_ONCE.format(
        here=str(Path(__file__).parent), cache=str(tmp_path / "cache"), url=url, may_build=may_build
    )
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]},
        start_new_session=True,
    )


def test_two_processes_at_once_download_once(site: Site, tmp_path: Path) -> None:
    program = a_program()
    site.offer(program, GOOD)
    site.delay = 1.0
    both = [start_resolving(tmp_path, site.url) for _ in range(2)]
    outputs = [process.communicate(timeout=30) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0][0] == outputs[1][0]
    assert site.asked[f"/{program.url}"] == 1
    assert sum("Waiting for another process that prepares tool" in err for _, err in outputs) == 1


def test_a_download_that_was_killed_never_counts(
    site: Site, resolver: Callable[..., Resolver], tmp_path: Path
) -> None:
    program = a_program()
    site.offer(program, GOOD)
    site.delay = 60.0
    process = start_resolving(tmp_path, site.url)
    wait_for(lambda: site.asked[f"/{program.url}"] == 1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    site.delay = 0.0
    assert leftovers(tmp_path), "the killed process left its folder"
    assert run(resolver().resolve([program])["tool"]) == "tool 1.2.3"
    assert leftovers(tmp_path) == [], "and the next one removed it"


def fake_go(tmp_path: Path, script: str) -> str:
    """A folder with a `go` that does what a test wants; put at the front of PATH."""
    folder = tmp_path / "fake-go"
    folder.mkdir(exist_ok=True)
    body = f"""#!/bin/sh
        [ "$1" = env ] && {{ echo go1.26.0; exit; }}
        echo x >>{tmp_path}/builds
        echo go: downloading example.com/tool v1.2.3
        {script}
    """
    (folder / "go").write_text(textwrap.dedent(body))
    (folder / "go").chmod(0o755)
    return str(folder)


WRITE_TOOL = "mkdir -p $GOBIN; printf '#!/bin/sh\\necho tool %s\\n' {} >$GOBIN/tool; chmod +x $GOBIN/tool"


def test_what_no_release_gives_is_built_once(
    resolver: Callable[..., Resolver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: io.StringIO
) -> None:
    monkeypatch.setenv("PATH", f"{fake_go(tmp_path, WRITE_TOOL.format('1.2.3'))}:{os.environ['PATH']}")
    path = resolver(may_build=True).resolve([a_program()])["tool"]
    assert run(path) == "tool 1.2.3"
    assert resolver(may_build=True).resolve([a_program()])["tool"] == path
    assert (tmp_path / "builds").read_text() == "x\n"
    assert "tool is built from Go modules, because" in out.getvalue()


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        pytest.param("echo no such module; exit 1", "failed .*no such module", id="a build that fails"),
        pytest.param(WRITE_TOOL.format("9.9.9"), "is 9.9.9, not 1.2.3", id="a build of another version"),
        pytest.param("mkdir -p $GOBIN; : >$GOBIN/tool", "does not", id="a build that left an empty file"),
    ],
)
def test_a_build_that_is_not_right_is_not_used(
    script: str,
    sentence: str,
    resolver: Callable[..., Resolver],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", f"{fake_go(tmp_path, script)}:{path}")
    with pytest.raises(BinariesError, match=f"(?s){sentence}"):
        resolver(may_build=True).resolve([a_program()])
    fake_go(tmp_path, WRITE_TOOL.format("1.2.3"))
    assert run(resolver(may_build=True).resolve([a_program()])["tool"]) == "tool 1.2.3"


def test_a_build_that_was_killed_never_counts(
    resolver: Callable[..., Resolver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = fake_go(tmp_path, f"{WRITE_TOOL.format('1.2.3')}; sleep 60")
    process = start_resolving(tmp_path, "http://127.0.0.1:9", may_build=True, path=go)
    wait_for((tmp_path / "builds").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    monkeypatch.setenv("PATH", f"{fake_go(tmp_path, WRITE_TOOL.format('1.2.3'))}:{os.environ['PATH']}")
    assert run(resolver(may_build=True).resolve([a_program()])["tool"]) == "tool 1.2.3"
    assert (tmp_path / "builds").read_text() == "x\nx\n"


def test_without_go_the_error_says_what_is_missing(
    resolver: Callable[..., Resolver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BinariesError, match=r"(?s)answered 404.*Go is not installed"):
        resolver(may_build=True).resolve([a_program()])


def wait_for(condition: Callable[[], object], timeout: float = 10.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
