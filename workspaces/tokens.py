"""The secrets in the links of mails: who opens one chooses the password of the account.

They are signatures, not rows: nothing of them is stored. A link ends with its time, with the
password that it helped to set, and with the next sign-in.
"""

from datetime import timedelta
from typing import Any

from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.http import base36_to_int

RESET_LASTS = timedelta(hours=1)


class InvitationTokens(PasswordResetTokenGenerator):
    """They last `PASSWORD_RESET_TIMEOUT`: an invitation waits for somebody who did not ask for it."""

    key_salt = "workspaces.tokens.InvitationTokens"


class ResetTokens(PasswordResetTokenGenerator):
    key_salt = "workspaces.tokens.ResetTokens"

    def check_token(self, user: Any, token: str | None) -> bool:
        if not super().check_token(user, token):
            return False
        made = base36_to_int((token or "").partition("-")[0])
        return self._num_seconds(self._now()) - made <= RESET_LASTS.total_seconds()


invitation_tokens = InvitationTokens()
reset_tokens = ResetTokens()
