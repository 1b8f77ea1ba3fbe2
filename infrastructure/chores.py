"""Which chores there are and how often each is done; what they do stands in their use cases."""

import socket
from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from application.add_up_storage import AddUpStorage
from application.chores import Chore, Chores
from application.erase import Erase, FinishErasures
from application.forget_deliveries import ForgetDeliveries
from application.ports.blobs import BlobStore
from application.ports.persistence import NewUnitOfWork
from application.ports.resumables import GrowingFiles
from application.query_audit import PruneAudit
from application.reconcile import Reconcile
from application.retain import EnforceRetention
from application.sweep_resumables import SweepResumables
from application.sweep_uploads import SweepUploads
from infrastructure.database import wipe_deleted

_ERASURES = timedelta(seconds=5)
"""Together with a lease, after which no worker of a deleted task is alive, well below the minute that is promised."""
_RETENTION = timedelta(minutes=1)
_UPLOADS = timedelta(seconds=100)
_DELIVERIES = timedelta(hours=1)
_AUDIT = timedelta(hours=1)
_STORAGE = timedelta(minutes=5)
"""Some seconds' work for half a million tasks, in steps of milliseconds."""
_RECONCILING = timedelta(hours=6)
"""It lists the whole store, and what it finds is a day old at least."""


def make_chores(
    new_uow: NewUnitOfWork, blobs: BlobStore, files: GrowingFiles, database: AsyncEngine, audit: timedelta | None
) -> Chores:
    """Return the chores of every process that works or serves; `audit` is for how long its log is kept."""
    erasures = FinishErasures(
        new_uow=new_uow, erase=Erase(new_uow=new_uow, blobs=blobs), wipe=partial(wipe_deleted, database)
    )
    resumables = SweepResumables(new_uow=new_uow, files=files)
    retention, reconcile = EnforceRetention(new_uow=new_uow, blobs=blobs), Reconcile(new_uow=new_uow, blobs=blobs)
    return Chores(
        new_uow=new_uow,
        chores=[
            Chore(name="erasures", every=_ERASURES, do=erasures),
            Chore(name="retention", every=_RETENTION, do=retention),
            Chore(name="uploads", every=_UPLOADS, do=SweepUploads(new_uow=new_uow, blobs=blobs)),
            # Each machine has files of its own.
            Chore(name=f"resumable@{socket.gethostname()}", every=_UPLOADS, do=resumables),
            Chore(name="deliveries", every=_DELIVERIES, do=ForgetDeliveries(new_uow=new_uow)),
            Chore(name="storage", every=_STORAGE, do=AddUpStorage(new_uow=new_uow)),
            Chore(name="audit", every=_AUDIT, do=PruneAudit(new_uow=new_uow, kept=audit)),
            Chore(name="reconcile", every=_RECONCILING, do=partial(reconcile, remove=True)),
        ],
    )
