"""Where the table of images comes from: a file, or a ConfigMap in the system namespace, or what is built in.

Only the operator's own namespace counts: whoever may write ConfigMaps elsewhere must not choose what runs in
other people's datacenters.
"""

from __future__ import annotations

import logging
from pathlib import Path

from controllers.cassandra.render.image_config import BadImageConfig, read_image_config
from controllers.cassandra.render.images import ImageConfig
from missioncontrol.kube.informer import Informer
from missioncontrol.kube.views import ConfigMap

log = logging.getLogger(__name__)

KEY = "image_config.yaml"


class ImageSource:
    """The table of images as it is now."""

    def __init__(self, config_maps: Informer[ConfigMap], file: Path | None = None) -> None:
        self._config_maps = config_maps
        self._fixed = read_image_config(file.read_text(), source=str(file)) if file else None
        self._read: tuple[tuple[str, str], ImageConfig | None] | None = None
        self._built_in = ImageConfig()
        self._table = self._built_in

    def current(self) -> ImageConfig:
        """The table; one that has become unreadable is not used, and the last good one stays."""
        if self._fixed is not None:
            return self._fixed
        found = [each for each in self._config_maps.all() if each.data.get(KEY)]
        if not found:
            return self._built_in
        chosen = min(found, key=lambda each: each.metadata.name)
        version = (chosen.metadata.name, chosen.metadata.resource_version)
        if self._read is None or self._read[0] != version:
            self._read = (version, self._parsed(chosen))
        good = self._read[1]
        if good is not None:
            self._table = good
        return self._table

    def _parsed(self, config_map: ConfigMap) -> ImageConfig | None:
        source = f"the key {KEY} of the ConfigMap {config_map.metadata.namespace}/{config_map.metadata.name}"
        try:
            return read_image_config(config_map.data[KEY], source=source)
        except BadImageConfig as error:
            log.error("%s; the images that were known before stay in use", error)
            return None
