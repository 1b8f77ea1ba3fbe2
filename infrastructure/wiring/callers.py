"""Who calls: users, keys, tokens, quotas, webhooks of their own, and what is noted of what they do."""

from dependency_injector import providers

from adapters.passwords import Argon2Passwords
from application.admit_caller import AdmitCaller
from application.audit import Notes
from application.lend_token import LendToken
from application.log_in import LogIn, LogOut
from application.manage_api_keys import ManageApiKeys
from application.manage_quotas import ManageQuotas
from application.manage_webhooks import ManageWebhooks
from application.query_audit import QueryAudit
from application.query_usage import QueryUsage
from application.register_user import ChangePassword, RegisterUser
from application.replay_deliveries import ReplayDeliveries
from infrastructure.audit_settings import shortening
from infrastructure.tokens import make_tokens
from infrastructure.wiring.tasks import Tasks


class Callers(Tasks):
    """Who calls: users, keys, tokens, quotas, webhooks of their own, and what is noted of what they do."""

    manage_webhooks = providers.Factory(
        ManageWebhooks,
        new_uow=Tasks.new_uow.provider,
        sender=Tasks.webhook_sender,
        cipher=Tasks.cipher,
        ids=Tasks.ids,
        clock=Tasks.clock,
    )
    replay_deliveries = providers.Factory(
        ReplayDeliveries, new_uow=Tasks.new_uow.provider, queue=Tasks.queue, ids=Tasks.ids
    )
    query_usage = providers.Factory(
        QueryUsage, new_uow=Tasks.new_uow.provider, quota=Tasks.settings.provided.quota.quota
    )
    manage_quotas = providers.Factory(
        ManageQuotas, new_uow=Tasks.new_uow.provider, quota=Tasks.settings.provided.quota.quota
    )
    passwords = providers.Singleton(Argon2Passwords)
    tokens = providers.Singleton(make_tokens, Tasks.settings)
    admit_caller = providers.Factory(
        AdmitCaller,
        new_uow=Tasks.new_uow.provider,
        look=Tasks.look.provider,
        clock=Tasks.clock,
        tokens=tokens,
        anonymous=providers.Callable(lambda settings: settings.anonymous == "local", Tasks.settings),
    )
    register_user = providers.Factory(
        RegisterUser,
        new_uow=Tasks.new_uow.provider,
        clock=Tasks.clock,
        ids=Tasks.ids,
        passwords=passwords,
        open_to_all=Tasks.settings.provided.registration_open,
    )
    log_in = providers.Factory(
        LogIn, new_uow=Tasks.new_uow.provider, clock=Tasks.clock, ids=Tasks.ids, passwords=passwords, tokens=tokens
    )
    log_out = providers.Factory(LogOut, new_uow=Tasks.new_uow.provider, clock=Tasks.clock)
    change_password = providers.Factory(
        ChangePassword, new_uow=Tasks.new_uow.provider, clock=Tasks.clock, passwords=passwords
    )
    audit_notes = providers.Singleton(Notes, new_uow=Tasks.new_uow.provider)
    query_audit = providers.Factory(QueryAudit, new_uow=Tasks.new_uow.provider)
    shorten_address = providers.Singleton(shortening, Tasks.settings)
    lend_token = providers.Factory(LendToken, clock=Tasks.clock, ids=Tasks.ids, tokens=tokens)
    manage_api_keys = providers.Factory(ManageApiKeys, new_uow=Tasks.new_uow.provider, clock=Tasks.clock, ids=Tasks.ids)
