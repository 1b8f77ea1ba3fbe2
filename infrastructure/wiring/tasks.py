"""What is asked and done about tasks that there are: their state, results, speakers, end and tidying up."""

from importlib.metadata import version

from dependency_injector import providers

from adapters.scoring.metrics import MetricsScorer
from application.cancel_task import CancelTask
from application.delete_task import DeleteTask, QueryDeletions
from application.edit_speakers import EditSpeakers
from application.encoded_result import EncodedResult
from application.follow_segments import FollowSegments
from application.follow_task import FollowTask
from application.get_result import GetResult
from application.label_task import LabelTask
from application.list_models import ListModels
from application.list_revisions import ListRevisions
from application.query_batches import EndBatch, QueryBatches
from application.query_tasks import QueryTasks
from application.reconcile import Reconcile
from application.retry_task import RetryTask
from application.revise_task import ReviseTask
from infrastructure.chores import make_chores
from infrastructure.models import in_memory, shelf
from infrastructure.wiring.intake import Intake


class Tasks(Intake):
    """What is asked and done about tasks that there are: their state, results, speakers, end and tidying up."""

    scorer = providers.Factory(MetricsScorer)
    query_tasks = providers.Factory(QueryTasks, new_uow=Intake.new_uow.provider, look=Intake.look.provider)
    label_task = providers.Factory(LabelTask, new_uow=Intake.new_uow.provider)
    follow_task = providers.Singleton(FollowTask, new_uow=Intake.new_uow.provider, events=Intake.events)
    get_result = providers.Factory(GetResult, new_uow=Intake.new_uow.provider, blobs=Intake.blobs)
    encoded_result = providers.Factory(
        EncodedResult,
        new_uow=Intake.new_uow.provider,
        blobs=Intake.blobs,
        result=get_result,
        release=version("colloquy"),
    )
    follow_segments = providers.Singleton(
        FollowSegments, follow=follow_task, result=get_result, new_uow=Intake.new_uow.provider
    )
    revise_task = providers.Factory(
        ReviseTask,
        new_uow=Intake.new_uow.provider,
        admit=Intake.admit_task,
        queue=Intake.queue,
        ids=Intake.ids,
        diarizer=Intake.diarizer,
    )
    retry_task = providers.Factory(
        RetryTask,
        new_uow=Intake.new_uow.provider,
        admit=Intake.admit_task,
        queue=Intake.queue,
        ids=Intake.ids,
        check=Intake.submit_transcription.provided.check,
        revise=revise_task,
    )
    list_revisions = providers.Factory(ListRevisions, new_uow=Intake.new_uow.provider, blobs=Intake.blobs)
    edit_speakers = providers.Factory(EditSpeakers, new_uow=Intake.new_uow.provider, result=get_result)
    list_models = providers.Factory(
        ListModels,
        asr=Intake.asr,
        diarizer=Intake.diarizer,
        shelf=providers.Callable(shelf, Intake.settings).provider,
        in_memory=providers.Callable(in_memory, Intake.asr, Intake.diarizer).provider,
    )
    cancel_task = providers.Factory(CancelTask, new_uow=Intake.new_uow.provider)
    delete_task = providers.Factory(DeleteTask, new_uow=Intake.new_uow.provider, blobs=Intake.blobs)
    query_batches = providers.Factory(QueryBatches, new_uow=Intake.new_uow.provider)
    end_batch = providers.Factory(EndBatch, new_uow=Intake.new_uow.provider, cancel=cancel_task, delete=delete_task)
    query_deletions = providers.Factory(QueryDeletions, new_uow=Intake.new_uow.provider)
    reconcile = providers.Factory(Reconcile, new_uow=Intake.new_uow.provider, blobs=Intake.blobs)
    chores = providers.Factory(
        make_chores,
        Intake.new_uow.provider,
        Intake.blobs,
        Intake.growing_files,
        Intake.database,
        Intake.settings.provided.audit_kept,
    )
