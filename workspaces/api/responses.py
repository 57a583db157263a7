from typing import Any

from rest_framework.response import Response


class ApiResponse(Response):
    """What the envelope renderer needs to know besides the data.

    `bare`: the documented body has no envelope. `with_data` false: the envelope has no `data` key.
    """

    def __init__(
        self,
        data: Any = None,
        *,
        message: str = "",
        error_message: str = "",
        status: int = 200,
        bare: bool = False,
        with_data: bool = True,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(data, status=status, headers=headers)
        self.message = message
        self.error_message = error_message
        self.bare = bare
        self.with_data = with_data
