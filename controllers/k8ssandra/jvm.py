"""`jvmOptions` of a K8ssandraCluster, translated into the files and keys of the configuration builder.

The names on the left are k8ssandra's, those on the right the builder's; which file an option belongs to
depends on the server, because JVM flags moved between Cassandra 3.11 and 4.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from missioncontrol.validation.values import quantity

DEFAULT_COLLECTOR: Final = "G1GC"
ENV_FILE: Final = "cassandra-env-sh"
ADDITIONAL: Final = "additional-jvm-opts"

_SAME_NAME: Final = (
    "cassandra_available_processors",
    "cassandra_metrics_reporter_config_file",
    "cassandra_ring_delay_ms",
    "cassandra_write_survey",
    "cassandra_disable_auth_caches_remote_configuration",
    "cassandra_force_default_indexing_page_size",
)
_BOTH: Final[dict[str, str]] = {
    **dict(zip(_SAME_NAME, _SAME_NAME, strict=True)),
    "heap_initial_size": "initial_heap_size",
    "heap_max_size": "max_heap_size",
    "vm_enable_assertions": "enable_assertions",
    "vm_enable_thread_priorities": "use_thread_priorities",
    "vm_heap_dump_on_out_of_memory_error": "heap_dump_on_out_of_memory_error",
    "vm_per_thread_stack_size": "per_thread_stack_size",
    "vm_string_table_size": "string_table_size",
    "vm_always_pre_touch": "always_pre_touch",
    "vm_disable_biased_locking": "use_biased_locking",
    "vm_use_tlab": "use_tlb",
    "vm_resize_tlab": "resize_tlb",
    "vm_disable_perf_shared_mem": "perf_disable_shared_mem",
    "vm_prefer_ipv4": "java_net_prefer_ipv4_stack",
    "cassandra_triggers_directory": "cassandra_triggers_dir",
    "jmx_port": "jmx-port",
    "jmx_connection_type": "jmx-connection-type",
    "jmx_remote_ssl": "jmx-remote-ssl",
    "jmx_remote_ssl_opts": "jmx-remote-ssl-opts",
    "debug_unlock_commercial_features": "unlock_commercial_features",
    "debug_enable_flight_recorder": "flight_recorder",
    "debug_listen_remote_debuggers": "agent_lib_jdwp",
}
_NEW_ONLY: Final[dict[str, str]] = {
    "vm_disable_biased_locking": "use-biased-locking",
    "vm_use_numa": "use_numa",
    "vm_print_heap_histogram_on_out_of_memory_error": "print_heap_histogram_on_out_of_memory_error",
    "vm_exit_on_out_of_memory_error": "exit_on_out_of_memory_error",
    "vm_crash_on_out_of_memory_error": "crash_on_out_of_memory_error",
    "vm_guaranteed_safepoint_interval_ms": "guaranteed-safepoint-interval",
    "netty_eventloop_maxpendingtasks": "io_netty_eventloop_maxpendingtasks",
    "nio_maxcachedbuffersize": "jdk_nio_maxcachedbuffersize",
    "nio_align_direct_memory": "page-align-direct-memory",
    "cassandra_expiration_date_overflow_policy": "cassandra_expiration_date_overflow_policy",
    "cassandra_max_hint_ttl_seconds": "cassandra_max_hint_ttl",
    "jmx_remote_ssl_require_client_auth": "jmx-remote-ssl-require-client-auth",
    "debug_disable_contended_annotations": "restrict-contended",
    "debug_non_safepoints": "debug-non-safepoints",
    "debug_unlock_diagnostic_vm_options": "unlock-diagnostic-vm-options",
    "debug_log_compilation": "log_compilation",
    "debug_preserve_frame_pointer": "preserve-frame-pointer",
}
_COLLECTOR: Final[dict[str, str]] = {
    "gc": "garbage_collector",
    "gc_g1_rset_updating_pause_time_percent": "g1r_set_updating_pause_time_percent",
    "gc_g1_max_gc_pause_ms": "max_gc_pause_millis",
    "gc_g1_initiating_heap_occupancy_percent": "initiating_heap_occupancy_percent",
    "gc_g1_parallel_threads": "parallel_gc_threads",
    "gc_g1_conc_threads": "conc_gc_threads",
}
_COLLECTOR_NEW_ONLY: Final[dict[str, str]] = {
    "netty_try_reflection_set_accessible": "io_netty_try_reflection_set_accessible",
    "jdk_allow_attach_self": "jdk_attach_allow_attach_self",
}
_OLD_ONLY: Final[dict[str, str]] = {
    "vm_enable_non_root_thread_priority": "thread_priority_policy_42",
    "cassandra_force_3_0_protocol_version": "cassandra_force_3_0_protocol_version",
    "gc_cms_heap_size_young_generation": "heap_size_young_generation",
    "gc_cms_survivor_ratio": "survivor_ratio",
    "gc_cms_max_tenuring_threshold": "max_tenuring_threshold",
    "gc_cms_initiating_occupancy_fraction": "cms_initiating_occupancy_fraction",
    "gc_cms_wait_duration_ms": "cms_wait_duration",
    "gc_print_details": "print_gc_details",
    "gc_print_date_stamps": "print_gc_date_stamps",
    "gc_print_heap": "print_heap_at_gc",
    "gc_print_tenuring_distribution": "print_tenuring_distribution",
    "gc_print_application_stopped_time": "print_gc_application_stopped_time",
    "gc_print_promotion_failure": "print_promotion_failure",
    "gc_print_flss_statistics": "print_flss_statistics",
    "gc_print_use_log_file": "log_gc",
    "gc_print_use_log_file_rotation": "use_gc_log_file_rotation",
    "gc_print_number_of_log_files": "number_of_gc_log_files",
    "gc_print_log_file_size": "gc_log_file_size",
}
_ADDITIONAL_FILES: Final = {
    "additionalOptions": ENV_FILE,
    "additionalJvmServerOptions": "jvm-server-options",
    "additionalJvm11ServerOptions": "jvm11-server-options",
    "additionalJvm8ServerOptions": "jvm8-server-options",
}
# Amounts of bytes; the builder takes plain numbers only.
_QUANTITIES: Final = frozenset(
    {
        "heap_initial_size",
        "heap_max_size",
        "gc_cms_heap_size_young_generation",
        "vm_per_thread_stack_size",
        "vm_string_table_size",
        "nio_maxcachedbuffersize",
        "gc_print_log_file_size",
    }
)


def is_old_cassandra(server_type: str, version: str) -> bool:
    """Cassandra 3: one jvm.options file, other defaults."""
    return server_type == "cassandra" and version.startswith("3.")


def builder_sections(
    options: Mapping[str, Any] | None, *, server_type: str, version: str
) -> dict[str, dict[str, Any]]:
    """File → key → value for the options that this server knows; options of another era are left out."""
    if options is None:
        return {}
    given = _with_defaults(options)
    sections: dict[str, dict[str, Any]] = {}
    for table, file in _tables(server_type, version):
        for key, target in table.items():
            value = given.get(key)
            if value is not None:
                sections.setdefault(file, {})[target] = _plain(key, value)
    for key, file in _ADDITIONAL_FILES.items():
        if given.get(key):
            sections.setdefault(file, {})[ADDITIONAL] = list(given[key])
    return sections


def _with_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in options.items() if value is not None and value != ""}
    heap = given.get("heapSize")
    if heap is not None:
        given.setdefault("heap_initial_size", heap)
        given.setdefault("heap_max_size", heap)
    if given.get("heapNewGenSize") is not None:
        given.setdefault("gc_cms_heap_size_young_generation", given["heapNewGenSize"])
    if given:
        given.setdefault("gc", DEFAULT_COLLECTOR)
    return given


def _tables(server_type: str, version: str) -> list[tuple[Mapping[str, str], str]]:
    if is_old_cassandra(server_type, version):
        return [(_BOTH, "jvm-options"), (_COLLECTOR, "jvm-options"), (_OLD_ONLY, "jvm-options")]
    collector = "jvm8-server-options" if server_type == "dse" else "jvm11-server-options"
    return [
        ({**_BOTH, **_NEW_ONLY}, "jvm-server-options"),
        ({**_COLLECTOR, **_COLLECTOR_NEW_ONLY}, collector),
    ]


def _plain(key: str, value: Any) -> Any:
    if key not in _QUANTITIES:
        return value
    amount = quantity(value)
    return value if amount is None else int(amount.to_integral_value(rounding="ROUND_CEILING"))
