"""Accounts: whether an account may use the service, whoever found out that it is its owner who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from berth.helper import policy
from berth.helper.protocol import Answer, CheckAccount, failure, success

if TYPE_CHECKING:
    from berth.helper.policy import User
    from berth.helper.settings import Settings


def check(request: CheckAccount, settings: Settings) -> Answer:
    """Tell whether there is such an account and it may use the service, no password asked."""
    try:
        user = policy.find_user(request.user, settings)
    except policy.NotPermittedError as error:
        return failure("no-account", str(error))
    return admitted(user, settings)


def admitted(user: User, settings: Settings) -> Answer:
    """Tell whether an account is in the site's group, and whether the system lets it in (expiry)."""
    import pamela  # noqa: PLC0415 (it loads libpam: only the verbs of a login need it)

    try:
        policy.check_group(user, settings)
        pamela.check_account(user.name, settings.pam_service)
    except policy.NotPermittedError as error:
        return failure("not-in-group", str(error))
    except pamela.PAMError as error:
        return failure("not-allowed", str(error.message))
    return success()
