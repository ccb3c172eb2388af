"""jvmOptions of a K8ssandraCluster: every setting of the JVM that upstream gives a name to."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from missioncontrol.api.model import KubeModel, Quantity

GarbageCollector = Literal["G1GC", "CMS", "ZGC", "Shenandoah", "Graal", "Custom"]


class JvmOptions(KubeModel):
    """Settings of the JVM. Most keep the names that Cassandra's configuration builder uses."""

    heap_size: Quantity | None = Field(
        None,
        description="Deprecated: size of the heap; use heap_initial_size and heap_max_size.",
    )
    heap_new_gen_size: Quantity | None = Field(
        None, description="Deprecated: use gc_cms_heap_size_young_generation."
    )
    additional_options: list[str] = Field(
        default_factory=list, description="Options of the JVM beyond those below, in cassandra-env.sh."
    )
    additional_jvm_server_options: list[str] = Field(
        default_factory=list, description="Further lines of jvm-server.options (Cassandra 4 and newer)."
    )
    additional_jvm11_server_options: list[str] = Field(
        default_factory=list, description="Further lines of jvm11-server.options (Cassandra 4 and newer)."
    )
    additional_jvm8_server_options: list[str] = Field(
        default_factory=list, description="Further lines of jvm8-server.options (Cassandra 4 and newer)."
    )
    heap_initial_size: Quantity | None = Field(
        None, alias="heap_initial_size", description="Initial size of the heap."
    )
    heap_max_size: Quantity | None = Field(
        None, alias="heap_max_size", description="Maximum size of the heap."
    )
    vm_enable_assertions: bool | None = Field(
        None, alias="vm_enable_assertions", description="Enable assertions."
    )
    vm_enable_thread_priorities: bool | None = Field(
        None, alias="vm_enable_thread_priorities", description="Enable thread priorities."
    )
    vm_enable_non_root_thread_priority: bool | None = Field(
        None,
        alias="vm_enable_non_root_thread_priority",
        description="Allow lowering thread priorities without being root (3.11).",
    )
    vm_heap_dump_on_out_of_memory_error: bool | None = Field(
        None,
        alias="vm_heap_dump_on_out_of_memory_error",
        description="Write a heap dump when memory runs out.",
    )
    vm_print_heap_histogram_on_out_of_memory_error: bool | None = Field(
        None,
        alias="vm_print_heap_histogram_on_out_of_memory_error",
        description="Print a histogram of the heap when memory runs out.",
    )
    vm_exit_on_out_of_memory_error: bool | None = Field(
        None, alias="vm_exit_on_out_of_memory_error", description="Exit when memory runs out."
    )
    vm_crash_on_out_of_memory_error: bool | None = Field(
        None, alias="vm_crash_on_out_of_memory_error", description="Crash when memory runs out."
    )
    vm_per_thread_stack_size: Quantity | None = Field(
        None, alias="vm_per_thread_stack_size", description="Size of the stack of each thread."
    )
    vm_string_table_size: Quantity | None = Field(
        None, alias="vm_string_table_size", description="Size of the table of interned strings."
    )
    vm_always_pre_touch: bool | None = Field(
        None, alias="vm_always_pre_touch", description="Touch every page of the heap at start."
    )
    vm_disable_biased_locking: bool | None = Field(
        None, alias="vm_disable_biased_locking", description="Disable biased locking."
    )
    vm_use_tlab: bool | None = Field(
        None, alias="vm_use_tlab", description="Use thread-local allocation blocks."
    )
    vm_resize_tlab: bool | None = Field(
        None, alias="vm_resize_tlab", description="Let thread-local allocation blocks be resized."
    )
    vm_use_numa: bool | None = Field(None, alias="vm_use_numa", description="Allocate with respect to NUMA.")
    vm_disable_perf_shared_mem: bool | None = Field(
        None,
        alias="vm_disable_perf_shared_mem",
        description="Do not write performance data into a shared file.",
    )
    vm_prefer_ipv4: bool | None = Field(None, alias="vm_prefer_ipv4", description="Prefer IPv4.")
    vm_guaranteed_safepoint_interval_ms: int | None = Field(
        None,
        alias="vm_guaranteed_safepoint_interval_ms",
        description="Milliseconds between guaranteed safepoints.",
    )
    netty_eventloop_maxpendingtasks: int | None = Field(
        None,
        alias="netty_eventloop_maxpendingtasks",
        description="Tasks that may wait in a Netty event loop.",
    )
    netty_try_reflection_set_accessible: bool | None = Field(
        None,
        alias="netty_try_reflection_set_accessible",
        description="Let Netty use reflection for direct buffers.",
    )
    nio_maxcachedbuffersize: Quantity | None = Field(
        None, alias="nio_maxcachedbuffersize", description="Largest direct buffer that threads keep."
    )
    nio_align_direct_memory: bool | None = Field(
        None, alias="nio_align_direct_memory", description="Align direct buffers to pages."
    )
    jdk_allow_attach_self: bool | None = Field(
        None, alias="jdk_allow_attach_self", description="Allow the JVM to attach to itself."
    )
    cassandra_available_processors: int | None = Field(
        None, alias="cassandra_available_processors", description="Number of processors to assume."
    )
    cassandra_metrics_reporter_config_file: str | None = Field(
        None,
        alias="cassandra_metrics_reporter_config_file",
        description="Configuration file of the metrics reporter.",
    )
    cassandra_ring_delay_ms: int | None = Field(
        None,
        alias="cassandra_ring_delay_ms",
        description="Milliseconds to wait for the ring to settle at start.",
    )
    cassandra_write_survey: bool | None = Field(
        None, alias="cassandra_write_survey", description="Join as a write survey node, which takes no reads."
    )
    cassandra_disable_auth_caches_remote_configuration: bool | None = Field(
        None,
        alias="cassandra_disable_auth_caches_remote_configuration",
        description="Forbid changing the caches of authentication over JMX.",
    )
    cassandra_force_default_indexing_page_size: bool | None = Field(
        None,
        alias="cassandra_force_default_indexing_page_size",
        description="Always index with the default page size.",
    )
    cassandra_force_3_0_protocol_version: bool | None = Field(
        None,
        alias="cassandra_force_3_0_protocol_version",
        description="Use the internode protocol of 3.0 (3.11).",
    )
    cassandra_expiration_date_overflow_policy: str | None = Field(
        None,
        alias="cassandra_expiration_date_overflow_policy",
        description="What to do with TTLs beyond 2038: REJECT, CAP or CAP_NOWARN.",
    )
    cassandra_max_hint_ttl_seconds: int | None = Field(
        None, alias="cassandra_max_hint_ttl_seconds", description="Seconds that hints live at most."
    )
    cassandra_triggers_directory: str | None = Field(
        None, alias="cassandra_triggers_directory", description="Directory with the jars of triggers."
    )
    gc: GarbageCollector = Field("G1GC", description="Garbage collector.")
    gc_cms_heap_size_young_generation: Quantity | None = Field(
        None, alias="gc_cms_heap_size_young_generation", description="CMS: size of the young generation."
    )
    gc_cms_survivor_ratio: int | None = Field(
        None, alias="gc_cms_survivor_ratio", description="CMS: ratio of eden to survivor space."
    )
    gc_cms_max_tenuring_threshold: int | None = Field(
        None,
        alias="gc_cms_max_tenuring_threshold",
        description="CMS: collections that an object survives before it is promoted.",
    )
    gc_cms_initiating_occupancy_fraction: int | None = Field(
        None,
        ge=0,
        le=100,
        alias="gc_cms_initiating_occupancy_fraction",
        description="CMS: percentage of occupancy that starts a cycle.",
    )
    gc_cms_wait_duration_ms: int | None = Field(
        None, alias="gc_cms_wait_duration_ms", description="CMS: milliseconds to wait for a young collection."
    )
    gc_g1_rset_updating_pause_time_percent: int | None = Field(
        None,
        ge=0,
        le=100,
        alias="gc_g1_rset_updating_pause_time_percent",
        description="G1: percentage of the pause for updating remembered sets.",
    )
    gc_g1_max_gc_pause_ms: int | None = Field(
        None, alias="gc_g1_max_gc_pause_ms", description="G1: wanted length of a pause, in milliseconds."
    )
    gc_g1_initiating_heap_occupancy_percent: int | None = Field(
        None,
        ge=0,
        le=100,
        alias="gc_g1_initiating_heap_occupancy_percent",
        description="G1: percentage of occupancy that starts a cycle.",
    )
    gc_g1_parallel_threads: int | None = Field(
        None, alias="gc_g1_parallel_threads", description="G1: threads of the parallel phases."
    )
    gc_g1_conc_threads: int | None = Field(
        None, alias="gc_g1_conc_threads", description="G1: threads of the concurrent phases."
    )
    gc_print_details: bool | None = Field(
        None, alias="gc_print_details", description="Log details of collections (3.11)."
    )
    gc_print_date_stamps: bool | None = Field(
        None, alias="gc_print_date_stamps", description="Log the time of collections (3.11)."
    )
    gc_print_heap: bool | None = Field(
        None, alias="gc_print_heap", description="Log the heap around collections (3.11)."
    )
    gc_print_tenuring_distribution: bool | None = Field(
        None, alias="gc_print_tenuring_distribution", description="Log the ages of objects (3.11)."
    )
    gc_print_application_stopped_time: bool | None = Field(
        None,
        alias="gc_print_application_stopped_time",
        description="Log how long the application stood still (3.11).",
    )
    gc_print_promotion_failure: bool | None = Field(
        None, alias="gc_print_promotion_failure", description="Log failed promotions (3.11)."
    )
    gc_print_flss_statistics: bool | None = Field(
        None, alias="gc_print_flss_statistics", description="Log statistics of free lists (3.11)."
    )
    gc_print_use_log_file: bool | None = Field(
        None, alias="gc_print_use_log_file", description="Log collections to a file (3.11)."
    )
    gc_print_use_log_file_rotation: bool | None = Field(
        None, alias="gc_print_use_log_file_rotation", description="Rotate the log of collections (3.11)."
    )
    gc_print_number_of_log_files: int | None = Field(
        None, alias="gc_print_number_of_log_files", description="Number of rotated logs (3.11)."
    )
    gc_print_log_file_size: Quantity | None = Field(
        None, alias="gc_print_log_file_size", description="Size of a log before it is rotated (3.11)."
    )
    jmx_port: int | None = Field(None, alias="jmx_port", description="Port of JMX.")
    jmx_connection_type: str | None = Field(
        None, alias="jmx_connection_type", description="Who reaches JMX and with which authentication."
    )
    jmx_remote_ssl: bool | None = Field(None, alias="jmx_remote_ssl", description="TLS for JMX.")
    jmx_remote_ssl_opts: str | None = Field(
        None, alias="jmx_remote_ssl_opts", description="Options of TLS for JMX."
    )
    jmx_remote_ssl_require_client_auth: bool | None = Field(
        None,
        alias="jmx_remote_ssl_require_client_auth",
        description="Require a certificate from clients of JMX.",
    )
    debug_enable_flight_recorder: bool | None = Field(
        None, alias="debug_enable_flight_recorder", description="Enable the flight recorder."
    )
    debug_unlock_commercial_features: bool | None = Field(
        None, alias="debug_unlock_commercial_features", description="Unlock commercial features of the JVM."
    )
    debug_listen_remote_debuggers: bool | None = Field(
        None, alias="debug_listen_remote_debuggers", description="Listen for remote debuggers."
    )
    debug_disable_contended_annotations: bool | None = Field(
        None, alias="debug_disable_contended_annotations", description="Disable padding of contended fields."
    )
    debug_non_safepoints: bool | None = Field(
        None, alias="debug_non_safepoints", description="Debug information outside of safepoints too."
    )
    debug_unlock_diagnostic_vm_options: bool | None = Field(
        None, alias="debug_unlock_diagnostic_vm_options", description="Unlock diagnostic options of the JVM."
    )
    debug_log_compilation: bool | None = Field(
        None, alias="debug_log_compilation", description="Log compilation."
    )
    debug_preserve_frame_pointer: bool | None = Field(
        None, alias="debug_preserve_frame_pointer", description="Keep frame pointers, for profilers."
    )
