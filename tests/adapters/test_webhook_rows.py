"""The repositories of webhooks against their contracts."""

from adapters.persistence.memory_webhooks import MemoryDeliveries, MemoryWebhooks
from adapters.persistence.sql_webhooks import SqlDeliveries, SqlWebhooks
from tests.adapters.test_persistence import OverMemory, OverPostgres, OverSqlite, engine
from tests.contracts.webhooks import DeliveryRepositoryContract, WebhookRepositoryContract

__all__ = ["engine"]  # a fixture


class TestSqlWebhooks(OverSqlite, WebhookRepositoryContract, adapter=SqlWebhooks): ...


class TestSqlDeliveries(OverSqlite, DeliveryRepositoryContract, adapter=SqlDeliveries): ...


class TestPostgresWebhooks(OverPostgres, WebhookRepositoryContract, adapter=SqlWebhooks): ...


class TestPostgresDeliveries(OverPostgres, DeliveryRepositoryContract, adapter=SqlDeliveries): ...


class TestMemoryWebhooks(OverMemory, WebhookRepositoryContract, adapter=MemoryWebhooks): ...


class TestMemoryDeliveries(OverMemory, DeliveryRepositoryContract, adapter=MemoryDeliveries): ...
