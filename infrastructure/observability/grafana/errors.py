"""The dashboard of what goes wrong: where to look when an alert has come."""

from infrastructure.observability.grafana.board import Board, Row
from infrastructure.observability.grafana.panels import (
    GREEN,
    ORANGE,
    RED,
    YELLOW,
    Query,
    course,
    stat,
    states,
    table,
)

_REQUESTS = "colloquy_http_request_duration_seconds_count"
_CALLS = 'route!~"/health.*|/metrics"'
_DIED = 'cause=~"crashed|died_idle|hung|device_error|not_ready"'
_FAILED = 'cause!~"completed|cancelled|released|deleted"'

ERRORS = Board(
    "errors", "Errors", "Alerts, failed requests, failed attempts, parts that are down.",
    (
        Row((
            stat("Alerts", 'count(ALERTS{alertname=~"Colloquy.+", alertstate="firing"}) or vector(0)',
                 "Alerts that fire now; the runbook tells what to do.", steps=((1, RED),)),
            stat("Server errors", f'sum(increase({_REQUESTS}{{{_CALLS}, status=~"5.."}}[1h]) or vector(0))',
                 "5xx within the hour, probes left out.", steps=((1, YELLOW), (100, RED)), whole=True),
            stat("Tasks failed", 'sum(increase(colloquy_tasks_ended_total{status="error"}[1h]) or vector(0))',
                 "Tasks that ended in error within the hour; a recording that is none counts too.",
                 steps=((1, YELLOW), (20, RED)), whole=True),
            stat("Attempts failed",
                 f"sum(max by (cause) (increase(colloquy_attempts_total{{{_FAILED}}}[1h])) or vector(0))",
                 "Within the hour; most are tried again and succeed.", steps=((1, YELLOW), (20, RED)), whole=True),
            stat("Engines replaced",
                 f"sum(increase(colloquy_engine_restarts_total{{{_DIED}}}[1h]) or vector(0))",
                 "Processes of engines that died or hung within the hour.", steps=((1, YELLOW), (10, RED)), whole=True),
            stat("Webhooks given up",
                 'sum(increase(colloquy_webhook_attempts_total{outcome="given_up"}[24h]) or vector(0))',
                 "Deliveries that were given up within the day.", steps=((1, ORANGE),), whole=True),
        ), height=4),
        Row((
            table("Alerts that fire", "What fires now; each name is a heading of the runbook.",
                  'ALERTS{alertname=~"Colloquy.+", alertstate="firing"}',
                  {"alertname": "Alert", "severity": "Severity", "instance": "Process", "part": "Part"}),
            states("Alerts, over time", "When each fired.",
                   'max by (alertname) (ALERTS{alertname=~"Colloquy.+", alertstate="firing"})', "{{alertname}}",
                   {"1": ("firing", RED)}),
        ), height=7),
        Row((
            states("Parts", "What /health/ready says of each, the worst of all processes.",
                   "min by (part) (colloquy_part_up)", "{{part}}", {"0": ("down", RED), "1": ("up", GREEN)}),
            states("Processes", "Whether each answers Prometheus.", 'up{job=~"colloquy-.+"}', "{{job}} {{instance}}",
                   {"0": ("silent", RED), "1": ("answers", GREEN)}),
        ), height=7),
        Row((
            course("Refused and failed requests", "Answers a second by status, probes left out; 499 hung up.",
                   Query(f'sum by (status) (rate({_REQUESTS}{{{_CALLS}, status=~"[45].."}}[$__rate_interval])) > 0',
                         "HTTP {{status}}"), unit="reqps", stacked=True),
            course("Attempts that failed", "Within five minutes, by cause, as the database counts them.",
                   Query(f"max by (cause) (increase(colloquy_attempts_total{{{_FAILED}}}[5m])) > 0", "{{cause}}"),
                   bars=True, stacked=True),
        )),
        Row((
            course("Tasks that failed", "Part of the tasks of ten minutes that ended in error; the line: the alert's.",
                   Query('sum(increase(colloquy_tasks_ended_total{status="error"}[10m]) or vector(0)) '
                         "/ sum(increase(colloquy_tasks_ended_total[10m]) > 0)", "failed"), unit="percentunit",
                   limit=0.25, most=1),
            course("Processes of engines replaced", "Within five minutes, by cause.",
                   Query('sum by (cause) (increase(colloquy_engine_restarts_total{cause!="stopped"}[5m])) > 0',
                         "{{cause}}"), bars=True, stacked=True),
            course("Processes started", "Starts within a quarter of an hour; an upgrade is one each.",
                   Query('sum by (job) (changes(process_start_time_seconds{job=~"colloquy-.+"}[15m]))', "{{job}}"),
                   bars=True),
        )),
    ),
    alerts_shown=False,
)  # fmt: skip
