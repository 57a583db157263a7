"""Every machine code that an error of the API may carry, with what it means and what to do.

docs/errors.md is made of this (`make errors`). A code is never renamed, nor used for something else;
tests hold the list against the sources, and against every answer that a test gets.
"""

from typing import NamedTuple


class Group(NamedTuple):
    """`about`: a sentence below the title, perhaps none; `codes`: the meaning of each."""

    title: str
    about: str
    codes: dict[str, str]


GROUPS = (
    Group(
        "Any field",
        "",
        {
            "required": "The field is missing, or a variable that the agent requires is blank. Send it.",
            "null": "`null` is no value here. Leave the field out, or give it a value.",
            "blank": "The text is empty, or nothing but spaces.",
            "invalid": "The value has another JSON type or form than the field: `message` says which.",
            "invalid_choice": "None of the words that the field takes; `message` lists them.",
            "max_length": "Too long: `message` has the limit, in characters or items.",
            "min_value": "The number is too small; `message` has the least.",
            "max_value": "The number is too large; `message` has the greatest.",
            "empty": "The list has no item, and needs one.",
            "not_a_list": "A list is wanted.",
            "control_character": "The text has line breaks, tabs or other control characters: take"
            " them out.",
            "null_characters_not_allowed": "The text has a NUL character: take it out.",
            "malformed": "Not of the form that the field has (language tag, `wss://` URL, SIP address,"
            " digit); `message` shows one.",
            "unknown_field": "There is no such field. Nothing is ignored, so that a misspelt setting is"
            " never lost; `message` has the nearest name.",
            "ambiguous": "Two names of the same thing were sent: send one.",
            "invalid_id": "No id: 24 lower-case hex digits.",
            "invalid_uuid": "No UUID.",
            "invalid_json": "The text of a form field is no JSON.",
            "invalid_email": "No e-mail address.",
            "invalid_time": "No time of day: `HH:MM`, 24 hours.",
            "not_later": "The end is not after the start. A window over midnight is not possible.",
            "repeated_day": "A day of the week is named twice.",
            "unknown_timezone": "No IANA time zone, such as `America/New_York`.",
            "unknown_country": "No ISO 3166 country, such as `US`.",
            "repeated_country": "A country is named twice.",
            "not_in_future": "The time is over. It has to be in the future.",
            "invalid_filter": "`filter` is no JSON object, or names more than 20 things.",
            "unknown_filter": "`filter` can name `callStatus`, `phoneNumber`, `timezone` and variables.",
        },
    ),
    Group(
        "Phone numbers",
        "Of contacts, do-not-call entries, and numbers to call from.",
        {
            "not_a_number": "Letters, a formula, anything but a phone number.",
            "rounded_number": "A spreadsheet's rounded display (`1.21256E+10`): digits are lost. Format"
            " the column as text, and save the file again.",
            "unknown_country_code": "It begins with no country code. Write the country code first,"
            " without `0` or `00` before it.",
            "too_short": "Fewer digits than any number of its country has.",
            "too_long": "More digits than any number of its country has.",
            "country_not_called": "A number of a country that the workspace does not call. Usually the"
            " country code is missing; else set `calledCountries` of the workspace.",
        },
    ),
    Group(
        "Contacts and their variables",
        "In `data.errors[].errors`, `failedChunks[].errors` and `invalidRows[].errors`, too.",
        {
            "reserved_name": "The API itself shows something under this name: choose another one.",
            "invalid_name": "A variable's name has 1 to 64 characters.",
            "too_large": "The record is over 16 KB of JSON.",
            "too_deep": "Lists and objects stand too deep inside of each other.",
            "duplicate_external_id": "An earlier record of this request, or row of this file, has the"
            " same `externalId` and another number. One id stands for one contact.",
        },
    ),
    Group(
        "Files",
        "On the field `file`, or on a row of it.",
        {
            "not_a_file": "The form has a text where a file is wanted.",
            "unsupported_file": "Neither .csv nor .xlsx nor .xls, by its name.",
            "empty_file": "The file has nothing in it, or no header row.",
            "broken_file": "It cannot be read to its end; `message` says where. Save it again.",
            "encrypted_file": "The workbook has a password. Save it without one.",
            "not_utf8": "The CSV is in another encoding. Save it as “CSV UTF-8”.",
            "too_many_rows": "More rows than a file may have. Split it.",
            "too_many_columns": "More than 1,000 columns.",
            "sheet_too_large": "The workbook is too large to be read. Save the sheet as CSV.",
            "missing_column": "The column `phoneNumber`, or one that the agent requires, is missing.",
            "duplicate_column": "Two columns have the same name.",
            "column_without_name": "A cell stands in a column that has no name in the header.",
            "no_rows": "There is nothing below the header.",
            "no_valid_row": "Not one row can be stored; the import's errors say why.",
            "no_agent": "Back office: no agent is behind the batch's numbers any more.",
            "batch_deleted": "Back office: the batch was deleted before its file was imported.",
            "replaced": "Back office: another check of the file took the place of this one.",
            "too_many_files": "Back office: too many files of the workspace wait to be imported.",
        },
    ),
    Group(
        "Batches",
        "",
        {
            "unknown_number": "No active phone number of this workspace has this id.",
            "no_calls": "Nothing to start: no call is pending, or the batch has all of `callData`"
            " already. Add contacts, or `retry-calls`.",
            "no_number": "The batch has no active number to call from.",
            "kill_switch": "Somebody has switched calling off, for the workspace, a number or its"
            " account; `message` has the reason. Only the back office switches it on again.",
        },
    ),
    Group(
        "Do-not-call list",
        "",
        {"already_listed": "The number is on the list already. Nothing is to be done."},
    ),
    Group(
        "Agents",
        "",
        {
            "repeated_key": "Two variables have the same key.",
            "repeated_value": "A value of an `enum` is named twice.",
            "other_type": "The field does not go with the `type` that was chosen.",
            "unknown_placeholder": "The message says `{name}`, and the agent has no such variable.",
            "agent_in_use": "Phone numbers still point at the agent: give them another one first.",
        },
    ),
    Group(
        "Numbers and carriers",
        "",
        {
            "already_added": "It is a number of the workspace already.",
            "unknown_agent": "No agent of this workspace has this id.",
            "credentials_refused": "The carrier does not know the account, or refuses the token.",
            "number_not_owned": "The account has no such number, or may not call from it.",
            "number_without_voice": "The number cannot make calls. Give it voice at the carrier.",
            "number_without_application": "Telnyx: connect the number to a TeXML application whose"
            " webhook method is POST.",
            "carrier_refused": "The carrier refuses for a reason of its own, told in `message`.",
            "integration_unavailable": "The server has no public address (`PUBLIC_BASE_URL`), which"
            " this carrier needs.",
            "other_account": "Back office: this is not the id of the account.",
            "unreadable": "A carrier's callback that makes no sense. Only carriers see it.",
        },
    ),
    Group(
        "People and keys",
        "",
        {
            "several_workspaces": "Login: you are in several workspaces. Send `workspaceId`;"
            " `data.workspaces` lists them.",
            "weak_password": "Too short, too common, or only digits; `message` says which.",
            "already_member": "The person is a member already.",
            "last_owner": "The last owner can neither leave nor take another role.",
            "no_invitee": "The person has a password already, so there is nothing to invite to.",
            "too_soon": "Somebody was invited a moment ago. Wait five minutes.",
            "too_many": "Too many invitations within the hour. Wait.",
        },
    ),
    Group(
        "Webhooks and events",
        "",
        {
            "malformed_url": "No `https://` URL with a host name or an IP address, in ASCII.",
            "url_too_long": "The URL is too long; `message` has the limit.",
            "url_fragment": "The URL has a fragment (`#`), which is never sent.",
            "url_credentials": "The URL has a user name or a password. Rely on the signature.",
            "https_required": "Plain HTTP goes to the operator's own networks only.",
            "unresolvable": "The host has no address in the DNS.",
            "private_address": "The host's address is not on the internet, and the operator has not"
            " allowed its network.",
            "too_many_webhooks": "The workspace has as many webhooks as it may have.",
            "webhook_disabled": "The webhook is switched off. Switch it on first: `enabled`.",
            "future_cursor": "`after` is no cursor that this server has given out.",
            "events_missed": "410: events after the cursor are gone. Leave `after` out to go on with the"
            " oldest, and read what became of your batches meanwhile.",
            "invalid_cursor": "`after` is no cursor: send one back as you got it.",
            "unknown_type": "There is no such type of event.",
            "not_before_until": "The span ends before it begins. Without `until` it ends now.",
            "too_many_events": "The span has too many events to be sent again. Choose a shorter one.",
        },
    ),
    Group(
        "Repeating a request",
        "On the field `Idempotency-Key`.",
        {
            "invalid_idempotency_key": "The key has 1 to 255 visible ASCII characters.",
            "idempotency_key_reused": "422: the key came with another request. A new request has a new"
            " key.",
            "idempotency_key_in_use": "409: a request with this key is still running. Send it again"
            " after `Retry-After`.",
        },
    ),
    Group(
        "Editing what others edit, too",
        "On the field `If-Match`.",
        {
            "invalid_etag": "The header has no ETag with its double quotes. Send it as you got it.",
            "precondition_failed": "412: it has changed since you fetched it, and nothing was done."
            " Fetch it again, and decide anew.",
        },
    ),
    Group(
        "Sandbox",
        "",
        {
            "sandbox_simulator_only": "A sandbox rings nobody: its numbers are of the integration"
            " `simulator`.",
            "sandbox_stays_inside": "A sandbox's token speaks of the sandbox only. Use one of the live"
            " workspace.",
            "sandbox_name": "A sandbox is named after its workspace. Rename that.",
            "no_sandbox": "The workspace has no sandbox.",
        },
    ),
)
CODES = {code: meaning for group in GROUPS for code, meaning in group.codes.items()}
