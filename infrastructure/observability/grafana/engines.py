"""The dashboard of the engines: how fast they are, how much they work, and how they fail."""

from infrastructure.observability.grafana.board import Board, Row, Variable, by_instance, percentile
from infrastructure.observability.grafana.panels import (
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    Query,
    bars,
    course,
    heatmap,
    stat,
    states,
)

_HERE = 'engine=~"$engine", instance=~"$instance"'
_STAGE, _AUDIO = "colloquy_stage_seconds", "colloquy_stage_audio_seconds_total"
_SLOW = ((1.0, YELLOW), (4.0, RED))
"""As long as the recording itself is slow. Colours are for the eye; the alert compares with the engine's own day."""


def _factor(stage: str) -> str:
    labels = f'stage="{stage}", {_HERE}'
    return f"sum(rate({_STAGE}_sum{{{labels}}}[15m])) / (sum(rate({_AUDIO}{{{labels}}}[15m])) > 0)"


ENGINES = Board(
    "engines", "Engines", "Speed, load and failures of what recognises and what tells speakers apart.",
    (
        Row((
            stat("Recognition", _factor("recognition"), "Seconds of work for a second of audio, over a quarter of an "
                 "hour: 0.1 is ten times as fast as speech.", unit="short", steps=_SLOW),
            stat("Diarization", _factor("diarization"), "Seconds of work for a second of audio, likewise.",
                 unit="short", steps=_SLOW),
            stat("Audio an hour", f'sum(rate({_AUDIO}{{stage="decode", instance=~"$instance"}}[15m]))',
                 "Hours of audio that are taken in each hour, over a quarter of one.", unit="short"),
            stat("Models loaded", f"sum(increase(colloquy_model_loads_total{{{_HERE}}}[1h]) or vector(0))",
                 "Within the hour. Many, with few restarts: raise ENGINE_IDLE_SECONDS.", whole=True),
            stat("Did with less", f"sum(increase(colloquy_out_of_memory_steps_total{{{_HERE}}}[1h]) or vector(0))",
                 "Steps down for want of memory within the hour. ColloquyEnginesDegraded fires at five.",
                 steps=((1, YELLOW), (5, RED)), whole=True),
            stat("Devices out", 'sum(colloquy_device_out_of_service{instance=~"$instance"}) or vector(0)',
                 "Devices that failed three times in a row and rest: ColloquyDeviceOutOfService.", steps=((1, RED),)),
        ), height=4),
        Row((
            course(
                "Real-time factor", "Seconds of work for a second of audio, by stage and engine, over ten minutes.",
                Query(f"sum by (stage, engine) (rate({_STAGE}_sum{{{_HERE}}}[10m])) "
                      f"/ (sum by (stage, engine) (rate({_AUDIO}{{{_HERE}}}[10m])) > 0)", "{{stage}} {{engine}}"),
            ),
            heatmap(
                "Real-time factor of tasks", "Each column is a moment, each row a span; the darker, the more stages. "
                "What moves up here gets slower.",
                f'sum by (le) (rate(colloquy_real_time_factor_bucket{{{_HERE}, stage=~"recognition|diarization"}}'
                "[$__rate_interval]))", unit="short",
            ),
        )),
        Row((
            course(
                "Audio worked through", "Seconds of audio a second, by stage, over five minutes.",
                Query(f"sum by (stage) (rate({_AUDIO}{{{_HERE}}}[5m]))", "{{stage}}"),
            ),
            course(
                "Where the time goes", "Seconds of work a second, by stage, over five minutes: how many are under way.",
                Query(f"sum by (stage) (rate({_STAGE}_sum{{{_HERE}}}[5m]))", "{{stage}}"), stacked=True,
            ),
            course(
                "How long stages take, p95", "All but one in twenty take no longer, over a quarter of an hour.",
                Query(percentile(95, _STAGE, _HERE, by="stage", over="15m"), "{{stage}}"), unit="s",
            ),
        )),
        Row((
            course(
                "Models loaded", "Within five minutes, by model.",
                Query(f"sum by (engine, model) (increase(colloquy_model_loads_total{{{_HERE}}}[5m])) > 0",
                      "{{engine}} {{model}}"), bars=True, stacked=True,
            ),
            bars("Loading takes", "On average, over the hour.",
                 f"sum by (engine, model) (rate(colloquy_model_load_seconds_sum{{{_HERE}}}[1h])) "
                 f"/ sum by (engine, model) (rate(colloquy_model_load_seconds_count{{{_HERE}}}[1h]) > 0)",
                 "{{engine}} {{model}}", unit="s", steps=((30, YELLOW), (120, ORANGE))),
            course(
                "GPU load", "Part of the time in which each GPU computed.",
                Query('colloquy_gpu_load_ratio{instance=~"$instance"}', "{{instance}} GPU {{gpu}}"), unit="percentunit",
                most=1,
            ),
        )),
        Row((
            course(
                "Processes replaced", "Within five minutes, by cause.",
                Query(f'sum by (cause) (increase(colloquy_engine_restarts_total{{{_HERE}, cause!="stopped"}}[5m])) > 0',
                      "{{cause}}"), bars=True, stacked=True,
            ),
            course(
                "Steps down for want of memory", "Within five minutes; 1 is the first.",
                Query(f"sum by (engine, step) (increase(colloquy_out_of_memory_steps_total{{{_HERE}}}[5m])) > 0",
                      "{{engine}} step {{step}}"), bars=True, stacked=True,
            ),
            states(
                "Devices", "Red while a device rests after three failures in a row.",
                'max by (instance, device) (colloquy_device_out_of_service{instance=~"$instance"})',
                "{{instance}} {{device}}", {"0": ("in service", GREEN), "1": ("out of service", RED)},
            ),
        ), title="Failures", height=7),
    ),
    (by_instance("colloquy-.+"), Variable("engine", "label_values(colloquy_stage_seconds_count, engine)", "Engine")),
)  # fmt: skip
