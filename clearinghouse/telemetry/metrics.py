"""The names of all metrics, unit last. Labels are bounded: operation, code, state."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

MESSAGE_SECONDS = Histogram(
    "clearinghouse_message_seconds",
    "Time to answer one message; its count is the number of messages.",
    ["operation", "code"],
)
SDRS = Counter(
    "clearinghouse_sdrs_total", "Service detail records taken in.", ["outcome"]
)
PARTNER_CALLS = Counter(
    "clearinghouse_partner_calls_total",
    "Calls made to partners.",
    ["operation", "outcome"],
)
DELIVERIES = Counter(
    "clearinghouse_deliveries_total",
    "Outbox rows by what became of them.",
    ["kind", "outcome"],
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "clearinghouse_outbox_oldest_seconds",
    "How long the oldest delivery in this state waits.",
    ["state"],
)
OUTBOX_DELIVERIES = Gauge(
    "clearinghouse_outbox_deliveries", "Deliveries that are not done.", ["state"]
)
