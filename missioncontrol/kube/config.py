"""Where a cluster is and how we prove who we are: kubeconfig files and the pod's own ServiceAccount.

A kubeconfig is read strictly. Plugins (exec, auth-provider) are never run; a kubeconfig that somebody else
wrote (a data plane's Secret) is read with `only_inline`, so that it cannot make us read files of this machine
or send passwords over connections that anybody could listen to. Every complaint names the field.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from missioncontrol.kube.tls import client_context

KUBECONFIG_LIMIT = 1024 * 1024
NESTING_LIMIT = 50
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class KubeconfigError(ValueError):
    """A kubeconfig that cannot be used; `field` is where, `message` what to change."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}" if field else message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """One cluster's address, the CA that vouches for it, and our credentials there."""

    server: str
    ca: bytes | None = field(default=None, repr=False)
    """PEM certificates; None means the system's trust store."""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str | None = None
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    """Read again while running: kubelet renews it."""
    client_cert: bytes | None = field(default=None, repr=False)
    client_key: bytes | None = field(default=None, repr=False)
    namespace: str = "default"

    def ssl_context(self) -> ssl.SSLContext:
        """A new TLS context for this cluster; raises ssl.SSLError when a certificate or key is unusable."""
        return client_context(
            ca=self.ca,
            client_cert=self.client_cert,
            client_key=self.client_key,
            verify=not self.insecure_skip_tls_verify,
        )


def in_cluster(*, root: Path = SERVICE_ACCOUNT, environ: dict[str, str] | None = None) -> ClusterConfig:
    """The cluster this pod runs in, as its ServiceAccount."""
    env = os.environ if environ is None else environ
    host, port = env.get("KUBERNETES_SERVICE_HOST"), env.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise KubeconfigError(
            "", "not running in a pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig"
        )
    try:
        ca = (root / "ca.crt").read_bytes()
        namespace = (root / "namespace").read_text().strip()
    except OSError as error:
        raise KubeconfigError("", f"the pod's ServiceAccount files cannot be read: {error}") from error
    bracketed = f"[{host}]" if ":" in host else host
    return ClusterConfig(
        server=f"https://{bracketed}:{port}", ca=ca, token_file=root / "token", namespace=namespace
    )


def from_kubeconfig(
    data: bytes | str | Path, *, context: str | None = None, only_inline: bool = False
) -> ClusterConfig:
    """The cluster and user of a context (default: the current one). Relative paths start at the file's
    folder.
    """
    raw, folder = _read(data)
    document = _parse(raw)
    name = context or document.get("current-context") or ""
    if not isinstance(name, str) or not name:
        raise KubeconfigError("current-context", "is not set, and no context was named")
    where, chosen = _entry(
        document, "contexts", "context", name, wanted_by="context" if context else "current-context"
    )
    where_cluster, cluster = _entry(
        document, "clusters", "cluster", _text(chosen, where, "cluster"), wanted_by=name
    )
    user_name = _text(chosen, where, "user")
    where_user, user = _entry(document, "users", "user", user_name, wanted_by=name)
    reader = _Reader(folder=folder, only_inline=only_inline)
    server = _server(cluster, where_cluster, only_inline=only_inline)
    skip = cluster.get("insecure-skip-tls-verify") is True
    # What would run or read something of ours is told first: it is the graver fault.
    _refuse_plugins(user, where_user)
    if cluster.get("proxy-url"):
        raise KubeconfigError(f"{where_cluster}.proxy-url", "proxies are not supported")
    config = ClusterConfig(
        server=server,
        ca=None if skip else reader.material(cluster, where_cluster, "certificate-authority"),
        insecure_skip_tls_verify=skip,
        tls_server_name=_text(cluster, where_cluster, "tls-server-name") or None,
        token=_text(user, where_user, "token") or None,
        token_file=reader.token_file(user, where_user),
        client_cert=reader.material(user, where_user, "client-certificate"),
        client_key=reader.material(user, where_user, "client-key"),
        namespace=_text(chosen, where, "namespace") or "default",
    )
    if skip and only_inline:
        raise KubeconfigError(
            f"{where_cluster}.insecure-skip-tls-verify", "is not allowed: give certificate-authority-data"
        )
    _check_tls(config, where_cluster, where_user)
    return config


def _read(data: bytes | str | Path) -> tuple[bytes, Path]:
    if isinstance(data, Path):
        try:
            raw = data.read_bytes()
        except OSError as error:
            raise KubeconfigError("", f"the kubeconfig cannot be read: {error}") from error
        folder = data.resolve().parent
    else:
        raw, folder = data.encode() if isinstance(data, str) else data, Path.cwd()
    if len(raw) > KUBECONFIG_LIMIT:
        raise KubeconfigError("", f"is longer than {KUBECONFIG_LIMIT} bytes: this is no kubeconfig")
    return raw, folder


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        _check_shape(raw)
        document = yaml.load(raw, Loader=_Loader)  # a safe loader, in C where it exists
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark is not None else ""
        raise KubeconfigError("", f"is neither YAML nor JSON{line}") from error
    if not isinstance(document, dict):
        raise KubeconfigError("", "is no kubeconfig: a mapping with clusters, users and contexts is expected")
    if document.get("kind") not in (None, "", "Config"):
        raise KubeconfigError("kind", "must be Config")
    return document


def _check_shape(raw: bytes) -> None:
    """Refuse what makes loaders crash (the one in C, by recursion) or run for ever (merged aliases)."""
    depth = 0
    for event in yaml.parse(raw, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise KubeconfigError("", "YAML aliases are not supported")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > NESTING_LIMIT:
            raise KubeconfigError("", f"is nested deeper than {NESTING_LIMIT} levels: this is no kubeconfig")


def _entry(
    document: dict[str, Any], section: str, member: str, name: str, *, wanted_by: str
) -> tuple[str, dict[str, Any]]:
    entries = document.get(section) or []
    if not isinstance(entries, list):
        raise KubeconfigError(section, "must be a list")
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and entry.get("name") == name:
            value = entry.get(member)
            if value is None and member == "user":
                value = {}
            if not isinstance(value, dict):
                raise KubeconfigError(f"{section}[{index}].{member}", "must be a mapping")
            return f"{section}[{index}].{member}", value
    names = ", ".join(str(e.get("name")) for e in entries if isinstance(e, dict)) or "none"
    raise KubeconfigError(
        section, f'has no {member} named "{name}", which {wanted_by} asks for; there are: {names}'
    )


def _text(mapping: dict[str, Any], where: str, key: str) -> str:
    value = mapping.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise KubeconfigError(f"{where}.{key}", "must be a string")
    return value


def _server(cluster: dict[str, Any], where: str, *, only_inline: bool) -> str:
    server = _text(cluster, where, "server")
    try:
        parts = urlsplit(server)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid, parts = False, urlsplit("")
    if (
        not port_is_valid
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.query
        or parts.fragment
    ):
        raise KubeconfigError(f"{where}.server", "must be a URL such as https://api.example.org:6443")
    if parts.username or parts.password:
        raise KubeconfigError(f"{where}.server", "must not hold credentials")
    if only_inline and parts.scheme != "https":
        raise KubeconfigError(f"{where}.server", "must use https")
    return server.rstrip("/")


def _refuse_plugins(user: dict[str, Any], where: str) -> None:
    for plugin in ("exec", "auth-provider"):
        if user.get(plugin) is not None:
            raise KubeconfigError(
                f"{where}.{plugin}",
                "is not allowed: use token, or client-certificate-data with client-key-data",
            )
    for unsupported in ("username", "password", "as", "as-uid", "as-groups", "as-user-extra"):
        if user.get(unsupported):
            raise KubeconfigError(f"{where}.{unsupported}", "is not supported")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Takes certificates and keys from the `-data` members or, where that is allowed, from files."""

    folder: Path
    only_inline: bool

    def material(self, mapping: dict[str, Any], where: str, name: str) -> bytes | None:
        inline, path = _text(mapping, where, f"{name}-data"), _text(mapping, where, name)
        if inline:
            try:
                return base64.b64decode("".join(inline.split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise KubeconfigError(f"{where}.{name}-data", "is not base64") from error
        if not path:
            return None
        if self.only_inline:
            raise KubeconfigError(f"{where}.{name}", f"files are not allowed: use {name}-data")
        try:
            return (self.folder / path).read_bytes()
        except OSError as error:
            raise KubeconfigError(f"{where}.{name}", f"cannot be read: {error}") from error

    def token_file(self, user: dict[str, Any], where: str) -> Path | None:
        path = _text(user, where, "tokenFile")
        if not path:
            return None
        if self.only_inline:
            raise KubeconfigError(f"{where}.tokenFile", "files are not allowed: use token")
        return self.folder / path


def _check_tls(config: ClusterConfig, where_cluster: str, where_user: str) -> None:
    if (config.client_cert is None) != (config.client_key is None):
        missing = "client-key-data" if config.client_key is None else "client-certificate-data"
        raise KubeconfigError(f"{where_user}.{missing}", "is missing: a client certificate needs its key")
    if any(char in (config.token or "") for char in "\r\n\0"):
        raise KubeconfigError(f"{where_user}.token", "must be one line")
    try:
        client_context(ca=config.ca, client_cert=None, client_key=None, verify=True)
    except (ssl.SSLError, ValueError) as error:
        raise KubeconfigError(
            f"{where_cluster}.certificate-authority-data", "holds no usable PEM certificate"
        ) from error
    try:
        config.ssl_context()
    except (ssl.SSLError, ValueError) as error:
        raise KubeconfigError(
            f"{where_user}.client-certificate-data", "is no PEM certificate that fits client-key-data"
        ) from error
