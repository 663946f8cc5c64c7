"""The commands for what an auditor asks for."""

from pathlib import Path
from typing import Annotated

import typer

from deployments.verbs.options import Json

app = typer.Typer()
audit_app = typer.Typer()
app.add_typer(audit_app, name="audit")


@audit_app.callback()
def audit() -> None:
    """Show, send, verify, export and restore what an auditor asks for."""


@audit_app.command("payload")
def audit_payload(
    run: Annotated[
        str | None, typer.Argument(help="The run sealed last without it; see `tapewatch runs`.")
    ] = None,
) -> None:
    """Print what the audit store is sent for a run; nothing is sent."""
    from deployments.commands.audit import print_payload
    from settings.load import load_settings

    print_payload(load_settings(), run)


@audit_app.command("write")
def audit_write(json: Json = False) -> None:
    """Send the audit store all that it lacks; an error if no store is set."""
    from deployments.commands.audit import write_audit
    from settings.load import load_settings

    write_audit(load_settings(), is_json=json)


@audit_app.command("verify")
def audit_verify(json: Json = False) -> None:
    """Prove that run folders and audit store are what was sealed and received."""
    from deployments.commands.audit import verify_audit
    from settings.load import load_settings

    verify_audit(load_settings(), is_json=json)


@audit_app.command("migrate")
def audit_migrate(json: Json = False) -> None:
    """Make the audit store's tables in its Postgres, as `supabase db push` does."""
    from deployments.commands.audit_export import migrate_store
    from settings.load import load_settings

    migrate_store(load_settings(), is_json=json)


@audit_app.command("export")
def audit_export(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A new one; without it the settings say.")
    ] = None,
    json: Json = False,
) -> None:
    """Export the audit store to Parquet as of one moment, if its chain holds."""
    from deployments.commands.audit_export import export_audit
    from settings.load import load_settings

    export_audit(load_settings(), folder, is_json=json)


@audit_app.command("drill")
def audit_drill(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `audit export` wrote.")],
    record: Annotated[
        bool, typer.Option("--record", help="Keep the verdict in the data folder, for alerts.")
    ] = False,
    json: Json = False,
) -> None:
    """Restore an export into a throw-away PostgreSQL and prove that nothing is missing."""
    from deployments.commands.audit_export import drill_export

    if not record:  # an auditor has the export, and no settings
        drill_export(folder, is_json=json)
        return
    from deployments.commands.audit_export import drill_and_record
    from settings.load import load_settings

    drill_and_record(folder, load_settings(), is_json=json)
