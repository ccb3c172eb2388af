"""Reads ImageConfig files: upstream's present format (config.k8ssandra.io/v1beta2) and the one before it.

Both are turned into one plain table. What a file leaves out has upstream's default, so that a file needs
only what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from controllers.cassandra.render.images import HCD, ImageConfig, ServerImage, tagged

GROUP: Final = "config.k8ssandra.io"
_SERVER_REPOSITORIES: Final = {
    "cassandra": "k8ssandra/cass-management-api",
    "dse": "datastax/dse-mgmtapi-6_8",
    "hcd": "datastax/hcd",
}


class BadImageConfig(ValueError):
    """A file that is no ImageConfig."""


def read_image_config(text: str, *, source: str) -> ImageConfig:
    """The table in a file; `source` says in errors which one."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadImageConfig(f"{source} is not YAML: {error}") from error
    if not isinstance(document, dict) or document.get("kind") != "ImageConfig":
        raise BadImageConfig(f"{source} is no ImageConfig of {GROUP}")
    version = str(document.get("apiVersion", ""))
    try:
        match version:
            case "config.k8ssandra.io/v1beta2":
                return _current(_Current.model_validate(document))
            case "config.k8ssandra.io/v1beta1":
                return _previous(_Previous.model_validate(document))
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()
        )
        raise BadImageConfig(f"{source}: {found}") from error
    raise BadImageConfig(f"{source} has apiVersion {version!r}; {GROUP}/v1beta2 and v1beta1 are known")


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


# --- v1beta2 -------------------------------------------------------------------------------------


class _Image(_Part):
    registry: str = ""
    repository: str = ""
    name: str = ""
    tag: str = ""
    digest: str = ""
    prefix: str = ""
    suffix: str = ""
    pull_policy: str = ""
    pull_secret: str = ""


class _Policy(_Part):
    registry: str | None = None
    repository: str | None = None
    pull_policy: str = ""
    pull_secrets: list[str] | None = None


class _Current(_Part):
    images: dict[str, _Image] = Field(default_factory=dict)
    types: dict[str, _Image] = Field(default_factory=dict)
    defaults: _Policy = _Policy()
    overrides: _Policy | None = None


def _current(config: _Current) -> ImageConfig:
    defaults, overrides = config.defaults, config.overrides or _Policy()

    def name(image: _Image) -> str:
        """Registry, repository and name; an override counts even where it is empty."""
        registry = image.registry or defaults.registry or ""
        repository = image.repository or defaults.repository or ""
        if overrides.registry is not None:
            registry = overrides.registry
        if overrides.repository is not None:
            repository = overrides.repository
        return "/".join(part for part in (registry, repository, image.name) if part)

    def reference(image: _Image) -> str:
        return f"{name(image)}@{image.digest}" if image.digest else tagged(name(image), image.tag)

    table = ImageConfig()
    images = {component: reference(image) for component, image in config.images.items()}
    types = {kind: ServerImage(name(each), each.prefix, each.suffix) for kind, each in config.types.items()}
    every = {**config.images, **config.types}
    policies = {each: overrides.pull_policy or image.pull_policy for each, image in config.images.items()}
    policies |= {kind: image.pull_policy for kind, image in config.types.items()}
    replaced = overrides.pull_secrets is not None
    return ImageConfig(
        images={**table.images, **images},
        types={"hcd": HCD, **types} if config.types else table.types,
        pull_policies={each: policy for each, policy in policies.items() if policy},
        default_pull_policy=overrides.pull_policy or defaults.pull_policy,
        common_pull_secrets=tuple((overrides.pull_secrets if replaced else defaults.pull_secrets) or ()),
        own_pull_secrets={}
        if replaced
        else {each: image.pull_secret for each, image in every.items() if image.pull_secret},
    )


# --- v1beta1 -------------------------------------------------------------------------------------


class _Reference(_Part):
    name: str = ""


class _PreviousPolicy(_Part):
    image_registry: str = ""
    image_pull_secret: _Reference = _Reference()
    image_pull_policy: str = ""
    image_namespace: str | None = None


class _Component(_PreviousPolicy):
    repository: str = ""
    suffix: str = ""


class _Previous(_PreviousPolicy):
    images: dict[str, Any] = Field(default_factory=dict)
    defaults: dict[str, _Component] = Field(default_factory=dict)


def _previous(config: _Previous) -> ImageConfig:
    table = ImageConfig()

    def component(name: str) -> _Component:
        return config.defaults.get(name) or _Component()

    def placed(name: str, image: str) -> str:
        """A reference with the configured registry and namespace in place of its own."""
        registry, rest = _split_registry(image)
        _, slash, tail = rest.partition("/")
        if config.image_namespace is not None and slash:
            rest = f"{config.image_namespace}/{tail}" if config.image_namespace else tail
        wanted = (component(name).image_registry or config.image_registry).removesuffix("/")
        return "/".join(part for part in (wanted or registry, rest) if part)

    images = {
        name: placed(name, image) for name, image in config.images.items() if isinstance(image, str) and image
    }
    types = {
        kind: ServerImage(
            placed(kind, component(kind).repository or repository),
            suffix=component(kind).suffix if component(kind).repository else "",
            versions=_versions(config.images.get(kind), lambda image, kind=kind: placed(kind, image)),
        )
        for kind, repository in _SERVER_REPOSITORIES.items()
    }
    secrets = [config.image_pull_secret.name]
    secrets += [config.defaults[name].image_pull_secret.name for name in sorted(config.defaults)]
    policies = {name: each.image_pull_policy for name, each in config.defaults.items()}
    return ImageConfig(
        images={**table.images, **images},
        types=types,
        pull_policies={name: policy for name, policy in policies.items() if policy},
        default_pull_policy=config.image_pull_policy,
        common_pull_secrets=tuple(dict.fromkeys(name for name in secrets if name)),
    )


def _versions(found: object, placed: Any) -> Mapping[str, str]:
    if not isinstance(found, dict):
        return {}
    return {str(version): placed(str(image)) for version, image in found.items()}


def _split_registry(image: str) -> tuple[str, str]:
    first, slash, rest = image.partition("/")
    return (first, rest) if slash and ("." in first or ":" in first) else ("", image)
