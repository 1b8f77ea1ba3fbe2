"""What everything stands on: settings, clocks, the database, blobs, queue, events, numbers and traces."""

from importlib.metadata import version

from dependency_injector import containers, providers

from adapters.cipher import AesGcmCipher
from adapters.observability.prometheus import PrometheusMetrics
from adapters.observability.whole import Whole
from adapters.persistence.sql import SqlUnitOfWork
from adapters.queue.in_process import InProcessQueue
from adapters.system import SystemClock, Uuid7Factory
from application.secret_urls import SecretUrls
from infrastructure.broker import make_queue
from infrastructure.database import connect, looking
from infrastructure.egress import make_egress
from infrastructure.encryption import guarded, make_encrypt_old, make_vault
from infrastructure.events import make_events
from infrastructure.installation_secret import derived_key
from infrastructure.limits import make_rate_limiter
from infrastructure.settings import Settings
from infrastructure.storage import make_blob_store, make_direct_access
from infrastructure.tracing import make_tracer, traced


class Foundations(containers.DeclarativeContainer):
    """What everything stands on: settings, clocks, the database, blobs, queue, events, numbers and traces."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)
    work_dir = providers.Callable(lambda settings: settings.work_dir, settings)
    """Where recordings are decoded to; a process that shares the data folder puts one of its own here."""
    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(Uuid7Factory)
    metrics = providers.ThreadSafeSingleton(PrometheusMetrics, version("colloquy"))
    whole = providers.Singleton(Whole)
    tracer = providers.ThreadSafeSingleton(make_tracer, settings)
    database = providers.Singleton(connect, settings.provided.sql_url, settings.provided.database)
    vault = providers.Singleton(make_vault, settings, providers.Factory(SqlUnitOfWork, database).provider, ids)
    new_uow = providers.Factory(SqlUnitOfWork, database, vault)
    look = providers.Factory(SqlUnitOfWork, providers.Singleton(looking, database), vault)
    stored = providers.Singleton(make_blob_store, settings)
    sealed = providers.Singleton(guarded, settings, stored, vault)
    """What every blob goes through; it is `stored` itself where nothing is encrypted."""
    blobs = providers.Singleton(
        traced,
        sealed,
        tracer,
        {"put": "store blob", "adopt": "store blob", "delete": "delete blob"},
    )
    encrypt_old = providers.Factory(make_encrypt_old, stored, sealed, new_uow.provider, database, vault)
    direct_access = providers.Singleton(make_direct_access, settings, clock)
    bell = providers.Singleton(InProcessQueue)
    queue = providers.Singleton(make_queue, settings, bell)
    events = providers.Singleton(make_events, settings)
    rate_limiter = providers.Singleton(make_rate_limiter, settings, clock)
    egress = providers.Singleton(make_egress, settings)
    secret_urls = providers.Singleton(
        SecretUrls,
        providers.Singleton(AesGcmCipher, providers.Callable(derived_key, settings, "recordings' urls").provider),
    )
