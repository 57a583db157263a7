"""What a download looks like, for the OpenAPI document."""

from drf_spectacular.utils import OpenApiExample

CSV_EXPORT = [
    OpenApiExample(
        "Two calls",
        response_only=True,
        status_codes=["200"],
        media_type="text/csv",
        value=(
            "_id,phoneNumber,callStatus,attempts,lastAttemptStatus,lastAttemptAt,callDuration,"
            "hangupCause,recordingUrl,transcript,timezone,createdAt,updatedAt,name,account_id\r\n"
            "64e5f12345abcdef11111111,12125551001,completed,2,completed,2025-05-15T14:30:00.000Z,120,"
            "NORMAL_CLEARING,https://example.com/recording.mp3,Call transcript here...,,"
            "2025-05-15T14:00:00.000Z,2025-05-15T14:32:00.000Z,Sarah Johnson,ACC-1001\r\n"
            "64e5f12345abcdef22222222,13105552002,pending,0,,,,,,,America/Los_Angeles,"
            "2025-05-15T14:00:00.000Z,2025-05-15T14:00:00.000Z,Michael Chen,ACC-1002\r\n"
        ),
    ),
]
NDJSON_EXPORT = [
    OpenApiExample(
        "A call",
        response_only=True,
        status_codes=["200"],
        media_type="application/x-ndjson",
        value=(
            '{"_id":"64e5f12345abcdef11111111","phoneNumber":"12125551001","callStatus":"completed",'
            '"attempts":1,"lastAttempt":{"requestUUID":"550e8400-e29b-41d4-a716-446655440000",'
            '"from":"12125550100","callStatus":"completed","callDuration":120,'
            '"hangupCause":"NORMAL_CLEARING","createdAt":"2025-05-15T14:30:00.000Z",'
            '"answeredAt":"2025-05-15T14:30:05.000Z","endedAt":"2025-05-15T14:32:05.000Z"},'
            '"timezone":null,"variables":{"name":"Sarah Johnson","account_id":"ACC-1001"},'
            '"createdAt":"2025-05-15T14:00:00.000Z","updatedAt":"2025-05-15T14:32:05.000Z"}\n'
        ),
    ),
]
