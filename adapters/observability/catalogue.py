"""Every number that the service shows: its name, its labels, and what it says; nothing here counts.

Dashboards, alert rules and the README are written after this list. A label's values are few: what they may be stands
in the sentence, or is bounded by what is installed.
"""

from dataclasses import dataclass

PREFIX = "colloquy_"
_MOMENTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_WORK = (0.1, 0.5, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
_FACTORS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 8.0)
_LAGS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
_LOADS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_STAGE = ("stage", "engine", "model", "device")


@dataclass(frozen=True, slots=True)
class Series:
    """One number; its kind is `counter`, `gauge` or `histogram`, and only the last has `buckets`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()

    @property
    def full(self) -> str:
        """The name as it is scraped."""
        return PREFIX + self.name


def _counter(name: str, text: str, *labels: str) -> Series:
    return Series(name, "counter", labels, text)


def _gauge(name: str, text: str, *labels: str) -> Series:
    return Series(name, "gauge", labels, text)


def _histogram(name: str, buckets: tuple[float, ...], text: str, *labels: str) -> Series:
    return Series(name, "histogram", labels, text, buckets)


# What every process tells.
BUILD = _gauge("build_info", "Always 1; the label is the release that runs.", "version")
LAG = _histogram("event_loop_lag_seconds", _LAGS, "How late the event loop comes back to what it was asked to do.")

# What the API tells.
REQUESTS = _histogram(
    "http_request_duration_seconds", _MOMENTS,
    "From a request's first byte to its answer's; status 499 is a caller who hung up before that.",
    "method", "route", "status",
)  # fmt: skip
IN_PROGRESS = _gauge("http_requests_in_progress", "Requests being answered, streams of events among them.")
RATE_LIMITED = _counter("rate_limited_total", "Requests refused because they were one too many.", "zone")

# What the database tells, the same in every process that shows it: the API's and the sweeper's.
TASKS = _gauge("tasks", "Tasks that there are: queued, processing, done, error or cancelled.", "status")
DEPTH = _gauge("queue_depth", "Queued tasks whose time has come: what a free worker could take now.")
OLDEST = _gauge("queue_oldest_seconds", "For how long the one that waits longest of those has waited; 0 for none.")
RUNNING = _gauge("tasks_running", "Tasks under a worker's lease.")
ATTEMPTS = _counter(
    "attempts_total",
    "Attempts that ended: completed, cancelled, released, deleted, lease_expired, or the code of their error.", "cause",
)  # fmt: skip
EXPIRIES = _counter("lease_expiries_total", "Leases that ran out, or whose worker was known to be gone.")
WEBHOOKS_PENDING = _gauge("webhook_pending", "Deliveries of webhooks that are to be made yet, now or later.")
WEBHOOK_LAG = _gauge("webhook_lag_seconds", "For how long the delivery that is overdue most has been due; 0 for none.")
STORED = _gauge(
    "stored_bytes", "Bytes that recordings, clips and waiting uploads take in the store, as last added up.", "kind"
)
FREE = _gauge("volume_free_bytes", "Room left on the volume of the data folder, or of the blobs.", "volume")
SIZE = _gauge("volume_size_bytes", "Size of that volume.", "volume")
PART = _gauge("part_up", "Whether a part that taking work needs is well, as /health/ready says.", "part")

# What whoever works tells.
STAGE = _histogram("stage_seconds", _WORK, "Seconds that a stage of a task took.", *_STAGE)
STAGE_AUDIO = _counter("stage_audio_seconds_total", "Seconds of audio that stages have worked through.", *_STAGE)
FACTOR = _histogram("real_time_factor", _FACTORS, "Seconds of work for each second of a recording.", *_STAGE)
ENDED = _counter("tasks_ended_total", "Tasks that this process brought to their end.", "status")
LOADS = _counter("model_loads_total", "Times that an engine's process brought a model into memory.", "engine", "model")
LOAD = _histogram("model_load_seconds", _LOADS, "Seconds that it took.", "engine", "model")
LESS = _counter(
    "out_of_memory_steps_total", "Steps down that engines took when memory ran out, 1 the first.", "engine", "step"
)
RESTARTS = _counter(
    "engine_restarts_total",
    "Processes of engines that ended before their time: crashed, died_idle, hung, out_of_memory, device_error, "
    "not_ready, recycled, or stopped with their task.", "engine", "cause",
)  # fmt: skip
DEVICE_OUT = _gauge("device_out_of_service", "1 for a device that failed three times in a row and rests.", "device")
MEMORY = _gauge(
    "resident_memory_bytes", "Memory of this process (parent) and of its engines' (asr, diarization, vad).", "process"
)
GPU_USED = _gauge("gpu_memory_used_bytes", "Memory of a GPU in use, by whomever.", "gpu")
GPU_TOTAL = _gauge("gpu_memory_total_bytes", "Memory of a GPU.", "gpu")
GPU_LOAD = _gauge("gpu_load_ratio", "Part of the time in which a GPU computed lately, 0 to 1.", "gpu")
SLOTS = _gauge("slots", "Places for tasks in this process: busy or free.", "state")
WEBHOOK_ATTEMPTS = _counter("webhook_attempts_total", "Webhooks sent: delivered, failed or given_up.", "outcome")

EVERYWHERE = (BUILD, LAG)
OF_THE_API = (REQUESTS, IN_PROGRESS, RATE_LIMITED)
OF_THE_DATABASE = (
    TASKS, DEPTH, OLDEST, RUNNING, ATTEMPTS, EXPIRIES, WEBHOOKS_PENDING, WEBHOOK_LAG, STORED, FREE, SIZE, PART,
)  # fmt: skip
OF_WORKERS = (
    STAGE, STAGE_AUDIO, FACTOR, ENDED, LOADS, LOAD, LESS, RESTARTS, DEVICE_OUT, MEMORY, GPU_USED, GPU_TOTAL, GPU_LOAD,
    SLOTS, WEBHOOK_ATTEMPTS,
)  # fmt: skip
CATALOGUE = (*EVERYWHERE, *OF_THE_API, *OF_THE_DATABASE, *OF_WORKERS)
