"""The dashboard of the HTTP API: what callers feel."""

from infrastructure.observability.grafana.board import Board, Row, by_instance, percentile, percentiles
from infrastructure.observability.grafana.panels import ORANGE, RED, YELLOW, Query, bars, course, heatmap, stat

_REQUESTS = "colloquy_http_request_duration_seconds"
_HERE = 'instance=~"$instance"'
_CALLS = f'{_HERE}, route!~"/health.*|/metrics"'
"""What people and programs ask; probes and scrapes would only thin the numbers out."""
_LAG = "colloquy_event_loop_lag_seconds"
_SHOWN = 'job="colloquy-api"'


def _rate(labels: str = _CALLS) -> str:
    return f"rate({_REQUESTS}_count{{{labels}}}[$__rate_interval])"


_FAILED = _rate(f'{_CALLS}, status=~"5.."')
_CLASSES = f'label_replace({_rate()}, "class", "${{1}}xx", "status", "(.)..")'

API = Board(
    "api", "API", "Requests, latency, errors and limits of the HTTP API.",
    (
        Row((
            stat("Requests", f"sum({_rate()})", "Requests a second, probes left out.", unit="reqps"),
            stat(
                "Server errors", f'sum(rate({_REQUESTS}_count{{{_CALLS}, status=~"5.."}}[5m]) or vector(0)) '
                f"/ sum(rate({_REQUESTS}_count{{{_CALLS}}}[5m]))",
                "Part of the answers of five minutes that were 5xx. ColloquyApiErrors fires at 5 %.",
                unit="percentunit", steps=((0.01, YELLOW), (0.05, RED)),
            ),
            stat(
                "Latency, p95", percentile(95, _REQUESTS, _CALLS), "All but one in twenty answers begin sooner than "
                "this, what waits for a task or takes an upload included.", unit="s", steps=((2, YELLOW), (10, ORANGE)),
            ),
            stat(
                "In progress", f"sum(colloquy_http_requests_in_progress{{{_SHOWN}, {_HERE}}})",
                "Requests being answered now, streams of events among them.", whole=True,
            ),
            stat(
                "Turned away", f"60 * sum(rate(colloquy_rate_limited_total{{{_HERE}}}[$__rate_interval]) or vector(0))",
                "Requests a minute that were refused because they were one too many (429).", unit="cpm",
                steps=((1, YELLOW),),
            ),
            stat(
                "Event loop, p99", percentile(99, _LAG, f"{_SHOWN}, {_HERE}"),
                "How late the event loop is, but for one turn in a hundred. ColloquyEventLoopBlocked fires at 200 ms.",
                unit="s", steps=((0.05, YELLOW), (0.2, RED)),
            ),
        ), height=4),
        Row((
            course(
                "Requests by outcome", "Requests a second by the first digit of their status.",
                Query(f"sum by (class) ({_CLASSES})", "{{class}}"), unit="reqps", stacked=True,
            ),
            course(
                "Latency", "From a request's first byte to its answer's: half of the answers, 95 and 99 in a hundred.",
                *percentiles(_REQUESTS, _CALLS), unit="s",
            ),
        )),
        Row((
            heatmap(
                "How long answers take", "Each column is a moment, each row a span of latency; the darker, the more.",
                f"sum by (le) (rate({_REQUESTS}_bucket{{{_CALLS}}}[$__rate_interval]))", unit="s",
            ),
            bars(
                "Slowest routes, p95", "By the last five minutes. Uploads and what waits for a task take as long as "
                "they take.", f"topk(8, histogram_quantile(0.95, sum by (le, method, route) "
                f"(rate({_REQUESTS}_bucket{{{_CALLS}}}[5m]))) > 0)",
                "{{method}} {{route}}", unit="s", steps=((1, YELLOW), (10, ORANGE)),
            ),
        )),
        Row((
            course(
                "Busiest routes", "Requests a second by route.",
                Query(f"topk(6, sum by (method, route) ({_rate()}))", "{{method}} {{route}}"), unit="reqps",
            ),
            course(
                "Errors by route", "Answers a second that were 5xx; none is a blank panel.",
                Query(f"sum by (route, status) ({_FAILED}) > 0", "{{status}} {{route}}"),
                unit="reqps", bars=True,
            ),
        )),
        Row((
            course(
                "In progress", "Requests being answered, by process.",
                Query(f"colloquy_http_requests_in_progress{{{_SHOWN}, {_HERE}}}", "{{instance}}"),
            ),
            course(
                "Turned away by limits", "Requests a minute that were one too many, by zone.",
                Query(f"60 * sum by (zone) (rate(colloquy_rate_limited_total{{{_HERE}}}[$__rate_interval]))",
                      "{{zone}}"), unit="cpm", stacked=True,
            ),
            course(
                "Event loop", "How late the loop is, but for one turn in a hundred; the line is the alert's.",
                Query(percentile(99, _LAG, f"{_SHOWN}, {_HERE}", by="instance"), "{{instance}}"), unit="s", limit=0.2,
            ),
        )),
    ),
    (by_instance("colloquy-api"),),
)  # fmt: skip
