"""The Prefect block of the audit store: the settings of `[audit]`, saved for one environment."""

from prefect.blocks.core import Block
from pydantic import Field, HttpUrl, SecretStr, ValidationError

from blocks.clients import audit_store
from settings.connections import AuditSettings
from settings.errors import ConfigError
from settings.model import Settings


class AuditStoreBlockError(ConfigError):
    """The saved block cannot be used."""

    code = "AUDIT_STORE_BLOCK"


class AuditStore(Block):
    """Stores what every run says in a Supabase project, or in a Postgres of one's own.

    Save it under the environment's name, such as production: the flows find it there, and then
    read none of the SUPABASE variables. What it leaves out is as in the settings.

    Example:
        Load a saved block:
        ```python
        from blocks.audit_store import AuditStore

        store = AuditStore.load("BLOCK_NAME")
        ```
    """

    _block_type_name = "Audit Store"
    _block_type_slug = "audit-store"
    _documentation_url = HttpUrl("https://docs.prefect.io/v3/concepts/blocks")

    url: str | None = Field(default=None, description="The Supabase project's URL.")
    service_role: SecretStr | None = Field(
        default=None, description="The service-role key that goes with the URL."
    )
    db_url: SecretStr | None = Field(
        default=None, description="Instead of both: postgresql://user:password@host:5432/postgres."
    )
    ca_file: str | None = Field(
        default=None, description="A PEM file: the authority of the database's certificate."
    )

    def audit_settings(self, base: AuditSettings) -> AuditSettings:
        """Return `base` with all that this block sets; where it leads is the block's word alone.

        Raises:
            AuditStoreBlockError: A value breaks the law of its setting.
        """
        cleared = {"url": None, "service_role": None, "service_role_key": None, "db_url": None}
        names = ("url", "service_role", "db_url", "ca_file")
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        try:
            return AuditSettings.model_validate({**base.model_dump(), **cleared, **chosen})
        except ValidationError as error:
            wrong = ", ".join(str(problem["loc"][0]) for problem in error.errors())
        raise AuditStoreBlockError(f"the block has a wrong {wrong}", fix="save the block again")

    def store(self, base: AuditSettings) -> audit_store.AuditStore:
        """Return the store this block leads to.

        Raises:
            ConfigError: It leads nowhere.
        """
        return audit_store.need_store(self.audit_settings(base))


def load_audit_settings(settings: Settings) -> AuditSettings:
    """Return what the block saved for this environment says, the settings where none is saved.

    Raises:
        AuditStoreBlockError: The block cannot be used.
    """
    name = settings.environment
    try:
        block = AuditStore.load(name, _sync=True)  # pyright: ignore[reportCallIssue,reportUnknownVariableType,reportUnknownMemberType]
    except ValidationError:
        raise AuditStoreBlockError(
            f"the block audit-store/{name} has a wrong field", fix=f"save audit-store/{name} again"
        ) from None
    except ValueError:  # Prefect's answer for a block that was never saved
        return settings.audit
    if not isinstance(block, AuditStore):
        raise AuditStoreBlockError(
            f"audit-store/{name} is another kind of block", fix=f"save audit-store/{name} again"
        )
    return block.audit_settings(settings.audit)
