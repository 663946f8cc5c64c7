"""`tapewatch synthesize`: a synthetic tape to try things on."""

from pathlib import Path

from deployments.documents import print_json
from deployments.render import open_console, print_facts
from settings.load import load_settings
from warehouse.synthetic import FAULTS, write_tape


def make_tape(loans: int, out: Path | None, seed: int, *, has_faults: bool, is_json: bool) -> None:
    """Write a tape, with every fault there is when asked, and say where it is."""
    settings = load_settings()
    suffix = "-faults" if has_faults else ""
    folder = out or settings.paths.data_dir / "synthetic" / f"{loans}-seed{seed}{suffix}"
    faults = tuple(FAULTS) if has_faults else ()
    engine = settings.engine
    with open_console(stderr=True).status(f"making a synthetic tape of {loans:,} loans …"):
        tape = write_tape(
            folder,
            loans,
            seed=seed,
            faults=faults,
            memory_limit=engine.memory_limit,
            threads=engine.threads,
        )
    key = tape.answer_key
    if is_json:
        print_json(
            {
                "folder": str(tape.folder),
                "loans": loans,
                "seed": seed,
                "as_of": tape.as_of.isoformat(),
                "rows": {**tape.rows},
                "answer_key": key and str(key),
            }
        )
        return
    facts = {
        "tape": str(tape.folder),
        "as of": tape.as_of.isoformat(),
        "rows": ", ".join(f"{name} {count:,}" for name, count in tape.rows.items()),
        "answer key": str(key or ""),
        "try next": f"tapewatch run --input {tape.folder}",
    }
    print_facts(open_console(), {label: said for label, said in facts.items() if said})
