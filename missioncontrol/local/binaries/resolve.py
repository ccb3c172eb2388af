"""Find every program: KUBEBUILDER_ASSETS, the cache, the official release, a build from Go modules."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from missioncontrol.local.binaries import gobuild
from missioncontrol.local.binaries.cache import Cache, Slot
from missioncontrol.local.binaries.catalog import Program, catalog
from missioncontrol.local.binaries.download import Downloader, DownloadError
from missioncontrol.local.binaries.verify import UnusableError, check_version
from missioncontrol.local.control_plane import Programs
from missioncontrol.local.errors import LocalError
from missioncontrol.local.paths import cache_home
from missioncontrol.local.progress import Progress

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class BinariesError(LocalError):
    """A program is to be had from nowhere; the message says what was tried."""


class Resolver:
    """Resolves programs one by one; why a source did not give one is kept for the error at the end."""

    def __init__(
        self,
        *,
        cache: Cache,
        assets: Path | None,
        downloader: Downloader,
        progress: Progress,
        may_build: bool = True,
    ) -> None:
        self._cache = cache
        self._assets = assets
        self._downloader = downloader
        self._progress = progress
        self._may_build = may_build
        self._reasons: dict[str, list[str]] = {}

    def resolve(self, programs: Iterable[Program]) -> dict[str, Path]:
        """The path of each program by its name."""
        wanted = list(programs)
        with ThreadPoolExecutor(max_workers=6) as pool:
            found = dict(zip((p.name for p in wanted), pool.map(self._without_build, wanted), strict=True))
        resolved = {name: path for name, path in found.items() if path is not None}
        # One build after the other: each uses every core.
        for program in wanted:
            if program.name not in resolved:
                resolved[program.name] = self._build(program)
        return resolved

    def _without_build(self, program: Program) -> Path | None:
        return self._from_assets(program) or self._from_cache(program) or self._from_release(program)

    def _failed(self, program: Program, why: object) -> None:
        self._reasons.setdefault(program.name, []).append(str(why))

    def _from_assets(self, program: Program) -> Path | None:
        if self._assets is None or not (self._assets / program.name).exists():
            return None
        path = self._assets / program.name
        try:
            check_version(program, path)
        except UnusableError as error:
            self._failed(program, error)
            self._progress.note(f"Not used: {error}")
            return None
        return path

    def _slot(self, program: Program) -> Slot:
        return self._cache.slot(program.name, program.version)

    def _from_cache(self, program: Program) -> Path | None:
        return self._cache.find(self._slot(program))

    def _from_release(self, program: Program) -> Path | None:
        slot = self._slot(program)
        with self._cache.lock(program.name, self._progress):
            if (found := self._cache.find(slot)) is not None:  # another process was first
                return found
            self._cache.sweep(slot)
            try:
                with (
                    self._cache.staging(slot) as staging,
                    self._progress.task(f"Downloading {program.name} {program.version}") as task,
                ):
                    file = self._downloader.fetch(program, staging, task)
                    return self._publish(program, file, source=program.url)
            except (DownloadError, UnusableError) as error:
                self._failed(program, error)
                return None

    def _build(self, program: Program) -> Path:
        what = program.build
        if not self._may_build:
            raise self._error(program)
        built = self._cache.slot(f"{what.name}-build", what.version)
        with self._cache.lock(built.name, self._progress):
            if (found := self._from_cache(program)) is not None:
                return found
            self._cache.sweep(built)
            file = self._cache.find(built)
            try:
                if file is None:
                    file = self._build_into(built, program)
                with self._cache.lock(program.name, self._progress):
                    return self._publish(program, file, source="built from Go modules")
            except (gobuild.BuildError, UnusableError) as error:
                self._failed(program, error)
                raise self._error(program) from error

    def _build_into(self, slot: Slot, program: Program) -> Path:
        what = program.build
        reasons = self._reasons.get(program.name)
        if reasons:
            self._progress.note(f"{program.name} is built from Go modules, because {reasons[-1]}")
        with (
            self._cache.staging(slot) as staging,
            self._progress.task(f"Building {what.name} {what.version} (minutes, the first time)") as task,
        ):
            file = gobuild.build(what, staging, cache=self._cache.root, task=task)
            _verify(program, file, staging, source="Go modules")
            return self._cache.publish(slot, file, source="built from Go modules")

    def _publish(self, program: Program, file: Path, *, source: str) -> Path:
        slot = self._slot(program)
        with self._cache.staging(slot) as staging:
            _verify(program, file, staging, source=source)
        return self._cache.publish(slot, file, source=source)

    def _error(self, program: Program) -> BinariesError:
        tried = "".join(f"\n  - {reason}" for reason in self._reasons.get(program.name, []))
        return BinariesError(
            f"{program.name} {program.version} cannot be had. Set KUBEBUILDER_ASSETS to a folder that has it "
            f"({program.minimum_text} or newer). What was tried:{tried}"
        )


def _verify(program: Program, file: Path, folder: Path, *, source: str) -> None:
    """Raises UnusableError unless the file runs under the program's name and is the wanted version."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        candidate = Path(place) / program.name
        os.link(file, candidate)
        candidate.chmod(0o755)
        version = check_version(program, candidate)
    if version != program.version:
        raise UnusableError(f"{program.name} from {source} is {version}, not {program.version}")


def resolve_programs(
    progress: Progress | None = None, environment: Mapping[str, str] | None = None
) -> Programs:
    """Every program that the local environment runs, as this machine can have it."""
    arch = _architecture()
    assets = (os.environ if environment is None else environment).get("KUBEBUILDER_ASSETS")
    resolver = Resolver(
        cache=Cache(cache_home(), arch=arch),
        assets=Path(assets).absolute() if assets else None,
        downloader=Downloader(),
        progress=progress or Progress(),
    )
    paths = resolver.resolve(catalog(arch))
    return Programs(**{name.replace("-", "_"): path for name, path in paths.items()})


def _architecture() -> str:
    arch = _ARCHITECTURES.get(platform.machine())
    if not sys.platform.startswith("linux") or arch is None:
        raise BinariesError(
            "the local environment runs on Linux (amd64, arm64), for which there are Kubernetes servers, "
            f"not on {sys.platform} {platform.machine()}"
        )
    return arch
