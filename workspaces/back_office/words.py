"""What audit events say, in words."""

from workspaces.callers import CredentialKind

_THINGS = {
    "accesstoken": "access token",
    "agent": "agent",
    "apikey": "API key",
    "batch": "batch",
    "callbatch": "batch",
    "call": "call",
    "carrieraccount": "carrier account",
    "donotcallentry": "do-not-call entry",
    "import": "import",
    "invitation": "invitation",
    "membership": "membership",
    "phonenumber": "phone number",
    "user": "person",
    "webhookendpoint": "webhook",
    "workspace": "workspace",
}
_DEEDS = {
    "create": "made",
    "update": "changed",
    "delete": "deleted",
    "revoke": "revoked",
    "start": "started",
    "stop": "stopped",
    "kill": "switched off",
    "release": "switched on again",
}
ACTIONS = {
    "accesstoken.create": "Signed in to the API",
    "accesstoken.revoke": "Access token revoked",
    "agent.create": "Agent made",
    "agent.update": "Agent changed",
    "agent.delete": "Agent deleted",
    "apikey.create": "API key made",
    "apikey.revoke": "API key revoked",
    "batch.create": "Batch made",
    "batch.update": "Batch changed",
    "batch.delete": "Batch deleted",
    "batch.start": "Batch started",
    "batch.stop": "Batch stopped",
    "batch.add_calls": "Contacts added to a batch",
    "batch.retry_calls": "Calls put back for another try",
    "batch.cancel_calls": "Contacts taken out of a batch",
    "carrieraccount.update": "Carrier account changed",
    "carrieraccount.kill": "Calling with a carrier account switched off",
    "carrieraccount.release": "Calling with a carrier account switched on again",
    "donotcallentry.create": "Number put on the do-not-call list",
    "donotcallentry.delete": "Number taken off the do-not-call list",
    "donotcallentry.import": "File of do-not-call numbers imported",
    "membership.create": "Member added",
    "membership.update": "Role of a member changed",
    "membership.delete": "Member removed",
    "phonenumber.create": "Phone number added",
    "phonenumber.update": "Phone number changed",
    "phonenumber.delete": "Phone number deleted",
    "phonenumber.kill": "Calling from a number switched off",
    "phonenumber.release": "Calling from a number switched on again",
    "session.create": "Signed in to the back office",
    "user.ask_password_reset": "New password asked for by mail",
    "user.create": "Person added",
    "user.password_change": "Password changed",
    "user.password_reset": "Password set anew by a mailed link",
    "user.sign_out": "Signed out everywhere",
    "user.update": "Person changed",
    "webhook.create": "Webhook made",
    "webhook.update": "Webhook changed",
    "webhook.delete": "Webhook deleted",
    "webhook.rotate_secret": "New secret for a webhook",
    "webhook.test": "Test of a webhook sent",
    "webhook.replay": "Events sent to a webhook again",
    "workspace.create": "Workspace made",
    "workspace.update": "Settings of the workspace changed",
    "workspace.kill": "All calling of the workspace switched off",
    "workspace.release": "All calling of the workspace switched on again",
}
CREDENTIALS = {
    CredentialKind.API_KEY: "API key",
    CredentialKind.ACCESS_TOKEN: "access token",
    CredentialKind.SESSION: "back office",
    CredentialKind.NONE: "nobody signed in",
}


def action_in_words(action: str) -> str:
    """`Batch started`; of an action that has no sentence, its noun and its verb."""
    if action in ACTIONS:
        return ACTIONS[action]
    noun, _, verb = action.partition(".")
    words = f"{thing(noun)} {_DEEDS.get(verb, verb.replace('_', ' '))}".strip()
    return words[:1].upper() + words[1:]


def thing(name: str) -> str:
    """A model's name as people say it."""
    return _THINGS.get(name, name)


def credential_in_words(kind: str, credential: str) -> str:
    """`API key odk_live_…`: with what somebody acted."""
    known = {str(one): words for one, words in CREDENTIALS.items()}
    return f"{known.get(kind, kind)} {credential}".strip()
