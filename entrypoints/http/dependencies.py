"""The use cases that the HTTP API drives, from the container; whichever process serves it."""

from entrypoints.http.app import ApiDependencies
from entrypoints.http.client_address import TrustedProxies
from entrypoints.http.rates import RateLimits, Zone
from entrypoints.numbers import Numbers
from entrypoints.probe import Probe
from infrastructure.container import Container


def api_dependencies(container: Container, probe: Probe, numbers: Numbers) -> ApiDependencies:
    """Gather them; `probe` tells how the process is, and `numbers` what it counts."""
    proxies = TrustedProxies(container.settings().api.trusted_proxies.split(","))
    return ApiDependencies(
        admit_caller=container.admit_caller(),
        submit=container.submit_transcription(),
        tasks=container.query_tasks(),
        label=container.label_task(),
        follow=container.follow_task(),
        segments=container.follow_segments(),
        result=container.get_result(),
        encoded=container.encoded_result(),
        submit_batch=container.submit_batch(),
        batches=container.query_batches(),
        end_batch=container.end_batch(),
        cancel=container.cancel_task(),
        delete=container.delete_task(),
        deletions=container.query_deletions(),
        announce=container.announce_upload(),
        stage=container.stage_upload(),
        media=container.get_media(),
        store_clip=container.store_clip(),
        begin_resumable=container.begin_resumable(),
        resume_upload=container.resume_upload(),
        clips=container.query_clips(),
        delete_clip=container.delete_clip(),
        retry=container.retry_task(),
        revise=container.revise_task(),
        revisions=container.list_revisions(),
        speakers=container.edit_speakers(),
        models=container.list_models(),
        webhooks=container.manage_webhooks(),
        replays=container.replay_deliveries(),
        keys=container.manage_api_keys(),
        audit=container.query_audit(),
        notes=container.audit_notes(),
        shorten=container.shorten_address(),
        register=container.register_user(),
        log_in=container.log_in(),
        log_out=container.log_out(),
        change_password=container.change_password(),
        lend=container.lend_token(),
        usage=container.query_usage(),
        probe=probe,
        metrics=container.metrics(),
        numbers=numbers.text,
        warnings=lambda: probe.warnings,
        rates=_rates(container, proxies),
        proxies=proxies,
        tracer=container.tracer(),
    )


def _rates(container: Container, proxies: TrustedProxies) -> RateLimits:
    settings = container.settings()
    most: dict[Zone, int] = {zone: getattr(settings.limit, zone, 0) for zone in Zone}
    return RateLimits(container.rate_limiter(), most, proxies, container.metrics().turned_away)
