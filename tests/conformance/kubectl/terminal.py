"""A terminal with kubectl in it: runs command lines as they would be typed, and records what comes out."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.api import Api, Arm, Exchange, Obj
from tests.conformance.kinds import NATIVE_GROUP, Kind
from tests.conformance.kubectl.output import legible
from tests.kubectl import Kubectl

_SECONDS = 90.0
# A process that ends after a tenth of a second needs no collector.
_ENVIRONMENT = {"TZ": "UTC", "LANG": "C", "GOGC": "off", "GOMAXPROCS": "1"}
_VERSION = re.compile(r'("?resourceVersion"?: ?)"\d+"')
# The custom resources that raw requests are compared with stand beside ours, under the same short names.
_OTHERS = re.compile(rf"(?m)^.*{re.escape(NATIVE_GROUP)}.*\n")


@dataclass(frozen=True)
class Side:
    """A kube-apiserver on which the group is served, by us or as custom resources."""

    arm: Arm
    kubectl: Kubectl
    folder: Path


class Terminal(Api):
    """One case on one side, in a folder and a namespace of its own. The group has the same name on both."""

    def __init__(self, side: Side, kind: Kind, token: str) -> None:
        super().__init__(side.arm, side.arm, kind, token)
        self.side = side
        self.folder = side.folder / token
        self.ranked = True
        """Whether the versions of objects are compared: not of those that others have made."""

    @property
    def type(self) -> str:
        """The kind's name in command lines."""
        return self.kind.plural

    def ref(self, short: str = "a") -> str:
        """`<resource>/<name>`."""
        return f"{self.type}/{self.name(short)}"

    async def prepare(self) -> None:
        self.folder.mkdir(parents=True)
        if not self.kind.namespaced:
            await self.namespace(self.token)
        await super().prepare()

    # --- files ---------------------------------------------------------------------------------

    def file(self, name: str, *documents: Obj | str) -> str:
        """Write a file of the case's folder, which command lines name as it is."""
        texts = (each if isinstance(each, str) else json.dumps(each, indent=2) for each in documents)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n---\n".join(texts))
        return name

    def editor(self, *scripts: str) -> dict[str, str]:
        """An editor that runs the first sed script when it is first opened, the second the next time …"""
        script = self.folder / "editor"
        cases = "\n".join(f'{n}) sed -i -e {shlex.quote(text)} "$1" ;;' for n, text in enumerate(scripts, 1))
        script.write_text(
            '#!/bin/sh\nn=$(($(cat "$0.count" 2>/dev/null || echo 0) + 1)); echo $n >"$0.count"\n'
            f'cp "$1" "$0.seen.$n"\ncase $n in\n{cases}\nesac\n'
        )
        script.chmod(0o700)
        (self.folder / "editor.count").unlink(missing_ok=True)
        return {"KUBE_EDITOR": str(script)}

    def opened(self, label: str, number: int = 1) -> None:
        """Record what the editor was given."""
        path = self.folder / f"editor.seen.{number}"
        self._record(label, 0, path.read_text() if path.is_file() else "(not opened)", "")

    # --- command lines -------------------------------------------------------------------------

    async def run(
        self,
        line: str,
        *,
        stdin: Obj | str | None = None,
        env: dict[str, str] | None = None,
        namespace: str | None = None,
        record: bool = True,
        label: str = "",
        ordered: bool = True,
    ) -> Exchange:
        """`kubectl <line>` to its end. Where kubectl prints in no certain order, `ordered` is False."""
        text = json.dumps(stdin) if isinstance(stdin, dict) else stdin
        process = await self._start(line, env, namespace, piped=text is not None)
        try:
            async with asyncio.timeout(_SECONDS):
                out, err = await process.communicate(None if text is None else text.encode())
        except TimeoutError:
            process.kill()
            await process.communicate()
            raise AssertionError(f"kubectl {line}: no end after {_SECONDS:g} s on {self.arm.name}") from None
        shown = out.decode() if ordered else "\n".join(sorted(out.decode().splitlines()))
        exchange = self._exchange(label or line, process.returncode or 0, shown, err.decode())
        if record:
            self.exchanges.append(exchange)
        return exchange

    async def quiet(self, line: str, *, stdin: Obj | str | None = None, namespace: str | None = None) -> str:
        """A precondition: it is no part of the comparison, and must succeed."""
        done = await self.run(line, stdin=stdin, namespace=namespace, record=False)
        assert done.status == 0, f"kubectl {line}: {done.body}"
        return "\n".join(done.body["stdout"]) if isinstance(done.body["stdout"], list) else ""

    async def make(self, *shorts: str, **options: Any) -> None:
        """Create samples of the kind, unseen."""
        for short in shorts:
            await self.quiet("create -f -", stdin=self.sample(short, **options))

    @asynccontextmanager
    async def following(
        self, line: str, *, namespace: str | None = None, distinct: bool = False
    ) -> AsyncIterator[Following]:
        """`kubectl <line>`, which does not end by itself: interrupted when what happens here has happened.

        With `distinct` it does not matter how often a line was printed.
        """
        process = await self._start(line, None, namespace, piped=False)
        following = Following(process)
        try:
            yield following
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            await following.end()
        out = "\n".join(sorted(set(following.out.splitlines()))) if distinct else following.out
        self._record(line, 0, out, following.err)

    async def _start(
        self, line: str, env: dict[str, str] | None, namespace: str | None, *, piped: bool
    ) -> asyncio.subprocess.Process:
        kubectl = self.side.kubectl
        place = ("--namespace", self.token if namespace is None else namespace)
        return await asyncio.create_subprocess_exec(
            *kubectl.command(*shlex.split(line), *(() if namespace == "" else place)),
            cwd=self.folder if self.folder.is_dir() else self.side.folder,
            env=kubectl.environment({**_ENVIRONMENT, **(env or {})}),
            stdin=asyncio.subprocess.PIPE if piped else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    def _record(self, label: str, code: int, out: str, err: str) -> None:
        self.exchanges.append(self._exchange(label, code, out, err))

    def _exchange(self, label: str, code: int, out: str, err: str) -> Exchange:
        def own(text: str) -> str:
            text = _OTHERS.sub("", text)
            if not self.ranked:
                text = _VERSION.sub(r'\1"<version>"', text)
            text = text.replace(str(self.folder), "FOLDER").replace(os.fspath(self.side.kubectl.home), "HOME")
            return text.replace(str(self.side.folder), "SIDE").replace(self.arm.url, "SERVER")

        shown = legible(own(out), with_types="--v=0" in label)
        return Exchange(label, code, {}, {"stdout": shown, "stderr": legible(own(err))})


class Following:
    """What a running kubectl has printed until now."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        self.out = self.err = ""
        self._news = asyncio.Condition()
        self._process = process
        self._readers = [
            asyncio.create_task(self._read(process.stdout, "out")),
            asyncio.create_task(self._read(process.stderr, "err")),
        ]

    async def _read(self, stream: asyncio.StreamReader, name: str) -> None:
        while line := await stream.readline():
            setattr(self, name, getattr(self, name) + line.decode())
            async with self._news:
                self._news.notify_all()

    async def printed(self, text: str, times: int = 1) -> None:
        """Wait until the text stands there so many times."""
        async with asyncio.timeout(_SECONDS), self._news:
            await self._news.wait_for(lambda: (self.out + self.err).count(text) >= times)

    async def end(self) -> None:
        await self._process.wait()
        await asyncio.gather(*self._readers)
