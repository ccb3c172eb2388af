"""Fetch a program from its official release; nothing counts until its checksum is right.

A machine that cannot reach the release sites must find that out in seconds, not in the minutes that
name resolution and connection attempts may take one after the other: opening a URL has one deadline.
"""

from __future__ import annotations

import http.client
import re
import tarfile
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from missioncontrol.local.binaries.cache import sha256
from missioncontrol.local.binaries.catalog import RELEASE_SITES, Program
from missioncontrol.local.progress import Task

_CHUNK = 1 << 18
_LARGEST_CHECKSUM_FILE = 1 << 20


class DownloadError(RuntimeError):
    """A program could not be fetched; the message says why."""


class UnreachableError(DownloadError):
    """The site does not answer: it need not be asked for anything else."""


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise DownloadError(f"{req.full_url} leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Downloader:
    """Fetches from the release sites, each given up for good when it once did not answer."""

    def __init__(
        self,
        sites: Mapping[str, str] = RELEASE_SITES,
        *,
        connect_timeout: float = 4.0,
        stall_timeout: float = 20.0,
    ) -> None:
        self._sites = sites
        self._connect_timeout = connect_timeout
        self._stall_timeout = stall_timeout
        self._opener = urllib.request.build_opener(_NoDowngrade)
        self._unreachable: dict[str, str] = {}

    def fetch(self, program: Program, folder: Path, task: Task) -> Path:
        """Download, verify and unpack a program into `folder`; the path of the program."""
        if program.site in self._unreachable:
            raise UnreachableError(self._unreachable[program.site])
        base = self._sites[program.site].rstrip("/")
        url = f"{base}/{program.url}"
        try:
            expected = self._checksum(f"{base}/{program.checksum_url}", Path(program.url).name)
            file = folder / "download"
            self._save(url, file, task)
        except UnreachableError as error:
            self._unreachable[program.site] = str(error)
            raise
        actual = sha256(file)
        if actual != expected:
            raise DownloadError(f"{url} has the SHA-256 {actual}, not {expected}: it was not used")
        return file if program.member is None else _unpack(file, program.member, folder / program.name)

    def _checksum(self, url: str, name: str) -> str:
        """From a file of one checksum, with or without a name, or from a list of them."""
        with self._open(url) as answer:
            text = answer.read(_LARGEST_CHECKSUM_FILE).decode("ascii", errors="replace")
        for line in text.splitlines():
            match = re.fullmatch(r"([0-9a-fA-F]{64})(?:\s+\*?(\S+))?\s*", line)
            if match and (match[2] is None or Path(match[2]).name == name):
                return match[1].lower()
        raise DownloadError(f"{url} has no SHA-256 of {name}")

    def _save(self, url: str, file: Path, task: Task) -> None:
        done = 0
        with self._open(url) as answer, file.open("wb") as target:
            total = int(answer.headers.get("Content-Length") or 0)
            try:
                while chunk := answer.read(_CHUNK):
                    target.write(chunk)
                    done += len(chunk)
                    task.update(f"{done >> 20} of {total >> 20} MiB" if total else f"{done >> 20} MiB")
            except (OSError, http.client.HTTPException) as error:
                raise DownloadError(f"{url} broke off after {done} bytes: {error}") from error
        if total and done < total:
            raise DownloadError(f"{url} broke off after {done} of {total} bytes")

    def _open(self, url: str) -> Any:
        """The answer of the server; everything until its headers within the connect time-out."""
        outcome: list[Any] = []
        given_up = threading.Event()

        def attempt() -> None:
            try:
                answer = self._opener.open(url, timeout=self._stall_timeout)
            except Exception as error:  # noqa: BLE001 - handed to the caller, who raises it
                outcome.append(error)
            else:
                outcome.append(answer)
                if given_up.is_set():
                    answer.close()

        thread = threading.Thread(target=attempt, name=f"open {url}", daemon=True)
        thread.start()
        thread.join(self._connect_timeout)
        if not outcome:
            given_up.set()
            raise UnreachableError(f"{url} did not answer within {self._connect_timeout:.0f} s")
        found = outcome[0]
        match found:
            case urllib.error.HTTPError():
                found.close()
                raise DownloadError(f"{url} answered {found.code} {found.reason}")
            case DownloadError():
                raise found
            case urllib.error.URLError() | OSError() | http.client.HTTPException():
                raise UnreachableError(f"{url} cannot be reached: {getattr(found, 'reason', found)}")
            case Exception():
                raise found
        return found


def _unpack(archive: Path, member: str, target: Path) -> Path:
    try:
        with tarfile.open(archive) as tar:
            source = tar.extractfile(member)
            if source is None:
                raise DownloadError(f"{archive.name} has no file {member}")
            with source, target.open("wb") as file:
                while chunk := source.read(_CHUNK):
                    file.write(chunk)
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise DownloadError(f"the archive of {target.name} cannot be unpacked: {error}") from error
    return target
