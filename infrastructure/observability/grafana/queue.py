"""The dashboard of the queue: whether tasks move, and who works on them."""

from infrastructure.observability.grafana.board import Board, Row
from infrastructure.observability.grafana.panels import ORANGE, RED, YELLOW, Query, bars, course, stat

_FAILED = 'cause!~"completed|cancelled|released|deleted"'

QUEUE = Board(
    "queue", "Queue", "What waits, what runs, who works, and how it ends; webhooks too.",
    (
        Row((
            stat("Waiting", "max(colloquy_queue_depth)", "Tasks that a free worker could take now.",
                 steps=((100, YELLOW), (1000, ORANGE))),
            stat(
                "Oldest waits", "max(colloquy_queue_oldest_seconds)", "For how long the task that waits longest has "
                "waited. ColloquyOldestTaskWaitsTooLong fires at half an hour.", unit="s",
                steps=((600, YELLOW), (1800, RED)),
            ),
            stat("Running", "max(colloquy_tasks_running)", "Tasks under a worker's lease."),
            stat(
                "Workers", "count(count by (instance) (colloquy_slots))", "Processes that work. "
                "ColloquyNoWorkerAlive fires when there is none and tasks wait.", steps=((1, "#73BF69"),),
                least_good=True,
            ),
            stat(
                "Busy", 'sum(colloquy_slots{state="busy"}) / sum(colloquy_slots)', "Part of the workers' places for "
                "tasks that are taken. At 100 % what comes has to wait: more workers help.", unit="percentunit",
                steps=((0.8, YELLOW), (1, ORANGE)),
            ),
            stat("Ended within the hour", "sum(increase(colloquy_tasks_ended_total[1h]))",
                 "Tasks that came to their end, well or not.", whole=True),
        ), height=4),
        Row((
            course(
                "Waiting and running", "Tasks, as the database knows them.",
                Query("max(colloquy_queue_depth)", "waiting"), Query("max(colloquy_tasks_running)", "running"),
            ),
            course(
                "The oldest that waits", "The dashed line is the alert's.",
                Query("max(colloquy_queue_oldest_seconds)", "waiting"), unit="s", limit=1800,
            ),
        )),
        Row((
            course(
                "Tasks ended", "Tasks a minute, by how they ended, over five minutes.",
                Query("60 * sum by (status) (rate(colloquy_tasks_ended_total[5m]))", "{{status}}"),
                unit="cpm", stacked=True,
            ),
            course(
                "Places for tasks", "Taken and free, over all workers.",
                Query("sum by (state) (colloquy_slots)", "{{state}}"), stacked=True,
            ),
        )),
        Row((
            course(
                "Attempts that failed", "Within five minutes, by cause; counted in the database, so that a restart "
                "forgets none.", Query(f"max by (cause) (increase(colloquy_attempts_total{{{_FAILED}}}[5m])) > 0",
                                       "{{cause}}"), bars=True, stacked=True,
            ),
            course(
                "Leases that expired", "Within five minutes: their workers fell silent, and the tasks went to others.",
                Query("max(increase(colloquy_lease_expiries_total[5m]))", "leases"), bars=True,
            ),
            bars("All tasks there are", "Finished ones too, until they are deleted.",
                 "max by (status) (colloquy_tasks)", "{{status}}", unit="short"),
        )),
        Row((
            course("Webhooks to be sent", "Deliveries that wait, those for a later try included.",
                   Query("max(colloquy_webhook_pending)", "deliveries")),
            course("Webhooks overdue", "For how long the most overdue delivery has been due; the line is the alert's.",
                   Query("max(colloquy_webhook_lag_seconds)", "overdue"), unit="s", limit=300),
            course("Webhooks sent", "Tries a minute, by what became of them, over five minutes.",
                   Query("60 * sum by (outcome) (rate(colloquy_webhook_attempts_total[5m]))",
                         "{{outcome}}"), unit="cpm", stacked=True),
        ), title="Webhooks", height=7),
    ),
)  # fmt: skip
