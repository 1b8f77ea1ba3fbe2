"""How recordings come in: uploads, clips, tasks and batches of them."""

from dependency_injector import providers

from adapters.storage.growing_files import LocalGrowingFiles
from application.admit_task import AdmitTask
from application.announce_upload import AnnounceUpload
from application.begin_resumable import BeginResumable
from application.delete_clip import DeleteClip
from application.finish_resumable import FinishResumable
from application.get_media import GetMedia
from application.query_clips import QueryClips
from application.resume_upload import ResumeUpload
from application.stage_upload import StageUpload
from application.store_clip import StoreClip
from application.submit_batch import SubmitBatch
from application.submit_transcription import SubmitTranscription
from infrastructure.engine_choice import absent_models
from infrastructure.wiring.work import Work


class Intake(Work):
    """How recordings come in: uploads, clips, tasks and batches of them."""

    announce_upload = providers.Factory(
        AnnounceUpload,
        new_uow=Work.new_uow.provider,
        direct=Work.direct_access,
        ids=Work.ids,
        largest=Work.settings.provided.max.file_size,
    )
    stage_upload = providers.Factory(StageUpload, new_uow=Work.new_uow.provider, blobs=Work.blobs)
    growing_files = providers.Singleton(
        LocalGrowingFiles,
        Work.settings.provided.resumable_dir,
        min_free_percent=Work.settings.provided.min.free_percent,
    )
    begin_resumable = providers.Factory(
        BeginResumable, new_uow=Work.new_uow.provider, ids=Work.ids, largest=Work.settings.provided.max.file_size
    )
    resume_upload = providers.Singleton(
        ResumeUpload,
        new_uow=Work.new_uow.provider,
        files=growing_files,
        finish=providers.Factory(FinishResumable, new_uow=Work.new_uow.provider, blobs=Work.blobs),
        largest=Work.settings.provided.max.file_size,
    )
    admit_task = providers.Factory(
        AdmitTask,
        new_uow=Work.new_uow.provider,
        most=Work.settings.provided.max.queued,
        most_of_owner=Work.settings.provided.max.queued_per_owner,
        quota=Work.settings.provided.quota.quota,
    )
    store_clip = providers.Factory(
        StoreClip,
        new_uow=Work.new_uow.provider,
        blobs=Work.blobs,
        stage=stage_upload,
        admit=admit_task,
        ids=Work.ids,
        kept=Work.settings.provided.clips_kept,
    )
    query_clips = providers.Factory(QueryClips, new_uow=Work.new_uow.provider)
    delete_clip = providers.Factory(DeleteClip, new_uow=Work.new_uow.provider, blobs=Work.blobs)
    get_media = providers.Factory(GetMedia, new_uow=Work.new_uow.provider, blobs=Work.blobs, direct=Work.direct_access)
    submit_transcription = providers.Factory(
        SubmitTranscription,
        new_uow=Work.new_uow.provider,
        blobs=Work.blobs,
        stage=stage_upload,
        queue=Work.queue,
        ids=Work.ids,
        asr=Work.asr,
        diarizer=Work.diarizer,
        absent_models=providers.Factory(absent_models, Work.asr_choice, Work.asr.provided.capabilities.call().models),
        retention=Work.settings.provided.kept,
        egress=Work.egress.provided.policy,
        admit=admit_task,
        tracer=Work.tracer,
        urls=Work.secret_urls,
    )
    submit_batch = providers.Factory(
        SubmitBatch, new_uow=Work.new_uow.provider, submit=submit_transcription, ids=Work.ids
    )
