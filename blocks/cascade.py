"""The Prefect block of Cascade's export: the settings of `[cascade]`, saved for one portfolio."""

from pathlib import Path

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr, ValidationError

from blocks.clients.cascade import CascadeClient, Log
from settings.connections import CascadeSettings
from settings.errors import ConfigError
from settings.model import Settings


class CascadeBlockError(ConfigError):
    """The saved block cannot be used."""

    code = "CASCADE_BLOCK"


class CascadeExport(Block):
    """Fetches the loan tape of one portfolio from Cascade over HTTP.

    Save it under the portfolio's name: the daily run finds it there, and then reads neither
    CASCADE_SESSION_COOKIE nor CASCADE_EXPORT_URL. What it leaves out is as in the settings.

    Example:
        Load a saved block:
        ```python
        from blocks.cascade import CascadeExport

        export = CascadeExport.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Cascade Export"
    _block_type_slug = "cascade-export"
    _documentation_url = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")

    portfolio: str = Field(description="The portfolio this export is of.")
    session_cookie: SecretStr = Field(
        description="The Cookie header of a signed-in browser, name=value."
    )
    export_url: SecretStr = Field(description="The link of the export, whole or a path.")
    base_url: str | None = Field(default=None, description="Where a path is appended to.")
    allowed_hosts: tuple[str, ...] | None = Field(
        default=None, description="The hosts that may get the cookie."
    )
    total_seconds: int | None = Field(
        default=None, description="Seconds of one fetch with all its tries."
    )
    max_bytes: str | None = Field(
        default=None, description="A larger export is refused; a size such as 20GB."
    )
    requests_per_minute: int | None = Field(default=None, description="Requests in any minute.")

    def cascade_settings(self, base: CascadeSettings) -> CascadeSettings:
        """Return `base` with all that this block sets.

        Raises:
            CascadeBlockError: A value breaks the law of its setting.
        """
        names = set(CascadeSettings.model_fields) & set(type(self).model_fields)
        values = {name: getattr(self, name) for name in names}
        chosen = {name: value for name, value in values.items() if value is not None}
        try:
            return CascadeSettings.model_validate({**base.model_dump(), **chosen})
        except ValidationError as error:
            wrong = ", ".join(str(problem["loc"][0]) for problem in error.errors())
        raise _wrong(self.portfolio, f"has a wrong {wrong}")

    def fetch(self, base: CascadeSettings, state: Path, folder: Path, log: Log) -> Path:
        """Download the export into `folder` and return the file.

        Raises:
            TapewatchError: There is no whole export.
        """
        return CascadeClient(self.cascade_settings(base), state).fetch(folder, log)


def load_cascade_settings(settings: Settings, portfolio: str) -> CascadeSettings:
    """Return what the block saved as `portfolio` says, or the settings where none is saved.

    Raises:
        CascadeBlockError: The block cannot be used, or is of another portfolio.
    """
    try:
        block = CascadeExport.load(portfolio, _sync=True)  # pyright: ignore[reportCallIssue,reportUnknownVariableType,reportUnknownMemberType]
    except ValidationError:
        raise _wrong(portfolio, "lacks a field, or has a wrong one") from None
    except ValueError:  # Prefect's answer for a block that was never saved
        return settings.cascade
    if not isinstance(block, CascadeExport) or block.portfolio != portfolio:
        raise _wrong(portfolio, "is of another portfolio")
    return block.cascade_settings(settings.cascade)


def _wrong(portfolio: str, problem: str) -> CascadeBlockError:
    name = f"cascade-export/{portfolio}"
    return CascadeBlockError(f"the block {name} {problem}", fix=f"save {name} again")
