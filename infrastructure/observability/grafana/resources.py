"""The dashboard of what the service stands on: memory, GPUs, disks, processors."""

from infrastructure.observability.grafana.board import Board, Row, by_instance
from infrastructure.observability.grafana.panels import GREEN, ORANGE, RED, YELLOW, Query, bars, course, stat, table

_HERE = 'instance=~"$instance"'
_OURS = f'job=~"colloquy-.+", {_HERE}'
_GPU = f"colloquy_gpu_memory_used_bytes{{{_HERE}}} / colloquy_gpu_memory_total_bytes{{{_HERE}}}"
_FREE = f"colloquy_volume_free_bytes{{{_HERE}}} / colloquy_volume_size_bytes{{{_HERE}}}"

RESOURCES = Board(
    "resources", "Resources", "Memory, GPUs, volumes, processors and files of every process.",
    (
        Row((
            stat("Processes", f"sum(up{{{_OURS}}})", "Processes of the service that answer."),
            stat("Memory", f"sum(colloquy_resident_memory_bytes{{{_HERE}}})",
                 "What workers and their engines keep in memory, all together.", unit="bytes"),
            stat("GPU memory", f"max({_GPU})",
                 "Of the fullest GPU. ColloquyGpuMemoryNearlyFull fires at 95 %.", unit="percentunit",
                 steps=((0.85, YELLOW), (0.95, RED))),
            stat("Free on disk", f"min({_FREE})", "Of the fullest volume. Alerts: 15 and 8 %. Uploads stop at 5 %.",
                 unit="percentunit", steps=((0.08, ORANGE), (0.15, GREEN)), least_good=True),
            stat("Stored", "sum(max by (kind) (colloquy_stored_bytes))", "What recordings, clips and waiting uploads "
                 "take.", unit="bytes"),
            stat("Processors", f"sum(rate(process_cpu_seconds_total{{{_OURS}}}[$__rate_interval]))",
                 "Cores that the processes themselves keep busy; engines run in children, which are not counted here."),
        ), height=4),
        Row((
            course("Memory by part", "Of each worker (parent) and of its engines, over all workers.",
                   Query(f"sum by (process) (colloquy_resident_memory_bytes{{{_HERE}}})", "{{process}}"), unit="bytes",
                   stacked=True),
            course("Memory by process", "Resident memory of each process, its engines not counted. What only ever "
                   "grows is a leak: ColloquyMemoryGrows.",
                   Query(f"process_resident_memory_bytes{{{_OURS}}}", "{{instance}}"), unit="bytes"),
        )),
        Row((
            course("GPU memory", "In use, by whomever; the line is the alert's.",
                   Query(_GPU, "{{instance}} GPU {{gpu}}"), unit="percentunit", limit=0.95, most=1),
            course("Free on each volume", "The least that any process sees; the line is where ColloquyDiskLow fires.",
                   Query(f"min by (volume) ({_FREE})", "{{volume}}"), unit="percentunit", limit=0.15, most=1),
            course("Stored", "By kind, as last added up.", Query("max by (kind) (colloquy_stored_bytes)", "{{kind}}"),
                   unit="bytes", stacked=True),
        )),
        Row((
            course("Processors", "Cores that each process keeps busy, its engines not counted.",
                   Query(f"rate(process_cpu_seconds_total{{{_OURS}}}[$__rate_interval])", "{{instance}}")),
            course("Open files", "File descriptors in use.",
                   Query(f"process_open_fds{{{_OURS}}}", "{{instance}}")),
            bars("Up for", "Since each process was started.", f"time() - process_start_time_seconds{{{_OURS}}}",
                 "{{instance}}", unit="s"),
        )),
        Row((
            table("Releases", "What runs where; two releases side by side are an upgrade that is under way.",
                  f"colloquy_build_info{{{_HERE}}}", {"job": "Kind", "instance": "Process", "version": "Release"}),
        ), height=6),
    ),
    (by_instance(),),
)  # fmt: skip
