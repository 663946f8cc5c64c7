"""What can be wrong with an export: D01 to D26, each a change to a good tape drawn from a seed."""

import csv
import io
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from tests.warehouse.mixed_tape import mixed_tape
from tests.warehouse.tape_builder import HEADERS, Tape

Rows = dict[str, list[list[str]]]  # of each table: its header, then its rows

LEDGER = ("loans", "schedules", "transactions")
TABLES = (*LEDGER, "loan_par_balances")
KEYS = dict.fromkeys(LEDGER, "loan_id") | {"loan_par_balances": "loan_id_raw"}
CASH = ("principal", "interest", "other", "fees", "to_tax")
PAR = tuple(f"PAR_{days}_balance_usd" for days in (7, 30, 60, 90))
AMOUNTS = {
    "loans": ("disburse_principal", "interest_rate", "total_interest", "outstanding_balance"),
    "schedules": CASH,
    "transactions": CASH,
    "loan_par_balances": ("outstanding_balance", "writeoff_outstanding_balance", *PAR),
}
MONEY = AMOUNTS | {
    "loans": ("disburse_principal", "total_interest", "total_fees", "outstanding_balance")
}
DATES = {
    "loans": ("disburse_date", "maturity_date"),
    "schedules": ("date_due",),
    "transactions": ("date_paid",),
    "loan_par_balances": ("reporting_date",),
}
OPTIONAL = (
    *("company", "product_type", "frequency", "location_state_province", "total_other"),
    *("add_balance", "reduce_balance", "outstanding_balance_usd"),
    "writeoff_outstanding_balance_usd",
)
TEXTS = ("company", "product_type", "frequency", "location_state_province", "loan_status")

ROW = frozenset({"TOO_MANY_BAD_ROWS", "LOCALE_CHANGED"})
GATE = frozenset({"QUALITY_GATE"})
DAY = frozenset({"AS_OF_UNKNOWN", "AS_OF_IN_FUTURE"})
TEXT = frozenset({"TRUNCATED_OR_RAGGED", "CUT_FILE", "EMPTY_TABLE", "NOT_A_LOAN_TAPE"})
HEADER = frozenset({"SCHEMA_MISSING", "SCHEMA_DUPLICATE"})
NONE = frozenset()


@dataclass(frozen=True)
class Mutant:
    """A tape as it is sent, and what may become of it.

    `plain` is the same tape under the contract's own column names where `files` has others. No
    code means that it must be accepted; else `may_pass` tells whether it may be.
    """

    files: Mapping[str, bytes]
    codes: frozenset[str] = NONE
    may_pass: bool = False
    plain: Mapping[str, bytes] | None = None
    is_zip: bool = False


def render(rows: Rows, line_end: str = "\n") -> dict[str, bytes]:
    """Return the CSVs of an export."""
    files = {}
    for table, lines in rows.items():
        text = io.StringIO()
        csv.writer(text, lineterminator=line_end).writerows(lines)
        files[table] = text.getvalue().encode()
    return files


def rows_of(tape: Tape) -> Rows:
    """Return the tables of a tape as lists of cells."""
    return {
        table: [[*HEADERS[table]], *([row.get(c, "") for c in HEADERS[table]] for row in rows)]
        for table, rows in tape.tables().items()
    }


GOOD = rows_of(mixed_tape())


def good() -> Rows:
    """Return the good tape, to be spoiled."""
    return deepcopy(GOOD)


def mutate(seed: int) -> tuple[str, Mutant]:
    """Return the mutant of a seed and the name of what was done to it."""
    random = Random(seed)  # noqa: S311
    name = random.choice(_DRAWN)
    return name, MUTATIONS[name](random)


def sent(rows: Rows, codes: frozenset[str] = NONE, *, may_pass: bool = False) -> Mutant:
    """Return the mutant whose CSVs hold these rows."""
    return Mutant(render(rows), codes, may_pass=may_pass or not codes)


def _pick(random: Random, rows: Rows, table: str, most: int = 3) -> list[list[str]]:
    lines = rows[table][1:]
    return random.sample(lines, random.randint(1, min(most, len(lines))))


def _set(rows: Rows, table: str, lines: list[list[str]], column: str, cell: str) -> None:
    place = rows[table][0].index(column)
    for line in lines:
        line[place] = cell


def _some_or_all(random: Random, rows: Rows, table: str) -> list[list[str]]:
    return rows[table][1:] if random.random() < 0.15 else _pick(random, rows, table)


def _rename_loans(rows: Rows, change: Callable[[str], str]) -> Rows:
    for table, key in KEYS.items():
        place = rows[table][0].index(key)
        for line in rows[table][1:]:
            line[place] = change(line[place])
    return rows


def _keep_loans(rows: Rows, keep: Callable[[str], bool]) -> Rows:
    for table, key in KEYS.items():
        header, *lines = rows[table]
        place = header.index(key)
        rows[table] = [header, *(line for line in lines if keep(line[place]))]
    return rows


def _loan_ids(rows: Rows) -> list[str]:
    return [line[rows["loans"][0].index("loan_id")] for line in rows["loans"][1:]]


def d01_header(random: Random) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    header = rows[table][0]
    what = random.choice(("drop", "rename", "case", "twice", "reorder", "swap"))
    place = random.randrange(len(header))
    is_optional = header[place] not in _required(table)
    if what == "drop":
        rows[table] = [[c for n, c in enumerate(line) if n != place] for line in rows[table]]
        return sent(rows, NONE if is_optional else HEADER)
    if what == "rename":
        header[place] = f"zz{random.randrange(1000)}"
        return sent(rows, NONE if is_optional else HEADER)
    if what == "twice":
        rows[table] = [[*line, line[place]] for line in rows[table]]
        return sent(rows, HEADER)
    if what == "reorder":
        order = random.sample(range(len(header)), len(header))
        rows[table] = [[line[n] for n in order] for line in rows[table]]
        return sent(rows)
    if what == "swap":
        other = random.randrange(len(header))
        header[place], header[other] = header[other], header[place]
        return sent(rows, ROW | GATE | DAY, may_pass=True)
    spell = random.choice((str.upper, str.title, "  {} ".format, lambda n: n.replace("_", " ")))
    header[place] = spell(header[place])
    return replace(sent(rows), plain=render(GOOD))


def _required(table: str) -> list[str]:
    never = ("application_date", "pledge_date", "loan_grade", "lender", "facility", "dpd_date")
    never += ("credit_bureau_score", "ratio_paid", "amount_buckets", "loan_counts", "term_buckets")
    return [c for c in HEADERS[table] if c not in (*OPTIONAL, *never, "writeoff_type")]


def d02_extra_columns(random: Random) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    place = random.randrange(1, len(rows[table][0]) + 1)  # a file that begins with < is no table
    for number, line in enumerate(rows[table]):
        name = random.choice(HOSTILE) + "x" if number == 0 else random.choice((*HOSTILE, ""))
        line.insert(place, name)
    return sent(rows)


BAD_NUMBERS = (
    *("text", "1,234.56", "1.234,56", "12,5", "$12.50", "(12.5)", "12.5%", "1_000", "0x1F"),
    *(
        " 12 ",
        "\uff11\uff12",
        "\u0661\u0662",
        "\u221212",
        "\u00a012",
        "12.",
        ".5",
        "+5",
        "",
        "true",
    ),
)
ODD_NUMBERS = (
    *("NaN", "Infinity", "-inf", "1e309", "1e-400", "-0", "-0.00", "9" * 40, "0.1234567", "1e3"),
    *("1e-7", "0.00499999999", "00012", "-0.001", "1E-30", "123456789012.99", "1" * 13),
)


def d03_bad_number(random: Random) -> Mutant:
    return _numbers(random, BAD_NUMBERS, AMOUNTS)


def d04_odd_number(random: Random) -> Mutant:
    return _numbers(random, ODD_NUMBERS, AMOUNTS)


def d05_negative(random: Random) -> Mutant:
    return _numbers(random, ("-0.01", "-100", "-99999.99"), AMOUNTS)


def _numbers(random: Random, cells: tuple[str, ...], columns: Mapping[str, tuple]) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    lines, column = _some_or_all(random, rows, table), random.choice(columns[table])
    _set(rows, table, lines, column, random.choice(cells))
    return sent(rows, ROW | GATE | DAY, may_pass=True)


def d06_bad_date(random: Random) -> Mutant:
    cells = ("2026-02-30", "0000-00-00", "31/12/2025", "epoch", "infinity", "9999-12-31", "")
    cells += ("1899-12-30", "2025-12-31T10:00:00", "2025-1-1", "today", "2099-12-31", "20251231")
    return _numbers(random, cells, DATES)


def d07_days_past_due(random: Random) -> Mutant:
    columns = {"loans": ("dpd", "term"), "loan_par_balances": ("dpd",)}
    rows, table = good(), random.choice((*columns,))
    cell = random.choice(("-1", "99999", "1.5", "", "181", "0", "1e2", "9999999999", "x"))
    _set(rows, table, _some_or_all(random, rows, table), random.choice(columns[table]), cell)
    return sent(rows, ROW | GATE, may_pass=True)


def d08_encoding(random: Random) -> Mutant:
    files, table = render(good()), random.choice(TABLES)
    what = random.choice(("bom", "utf-16", "utf-16-le", "latin-1", *["byte"] * 16))
    if what == "bom":
        return Mutant({name: b"\xef\xbb\xbf" + data for name, data in files.items()}, may_pass=True)
    if what == "byte":
        at, good_bytes = random.randrange(len(files[table])), files[table]
        files[table] = good_bytes[:at] + random.choice((b"\xff", b"\xe1")) + good_bytes[at:]
        # A column that nobody reads may hold anything; one that is read must not tell a "?".
        plain = files | {table: good_bytes[:at] + b"?" + good_bytes[at:]}
        return Mutant(files, TEXT | HEADER | {"NOT_UTF8"}, may_pass=True, plain=plain)
    table = "loans" if what == "latin-1" else table
    files[table] = files[table].decode().encode(what)
    return Mutant(files, TEXT | HEADER | {"NOT_UTF8"})


def d09_lines(random: Random) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    what = random.choice(("crlf", "cr", "quoted", "unclosed", "nul", "mixed", "blank", "huge"))
    if what == "crlf":
        return Mutant(render(rows, "\r\n"), may_pass=True)
    if what in ("quoted", "huge"):
        text = "two\nlines" if what == "quoted" else "x" * 3_000_000
        _set(rows, "loans", _pick(random, rows, "loans", 1), random.choice(TEXTS[:3]), text)
        return Mutant(render(rows), TEXT if what == "huge" else NONE, may_pass=what == "quoted")
    files = render(rows, "\r") if what == "cr" else render(rows)
    at = random.choice([n for n, byte in enumerate(files[table]) if byte == 10] or [0])
    cut = {"unclosed": b'\n"', "nul": b"\0\n", "mixed": b"\r\n", "blank": b"\n\n", "cr": b""}[what]
    if what != "cr":
        files[table] = files[table][:at] + cut + files[table][at + 1 :]
    return Mutant(files, TEXT | HEADER | ROW, may_pass=what in ("mixed", "blank"))


def d10_cut(random: Random) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    what = random.choice((*["cut"] * 16, "short", "short", "long", "long", "comma"))
    if what == "cut":
        files = render(rows)
        files[table] = files[table][: random.randrange(len(files[table]))]
        return Mutant(files, TEXT | HEADER | ROW | GATE | DAY, may_pass=True)
    line = random.choice(rows[table][1:])
    line[:] = line[:-1] if what == "short" else [*line, "" if what == "comma" else "9"]
    if what == "comma":  # a separator after the last cell adds none
        return replace(sent(rows, TEXT, may_pass=True), plain=render(GOOD))
    return sent(rows, TEXT)


def d11_trailer(random: Random) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    cells = ["" for _ in rows[table][0]]
    cells[rows[table][0].index(KEYS[table])] = random.choice(("Total", "TOTAL:", "", "n=16"))
    for column in MONEY[table]:
        cells[rows[table][0].index(column)] = "12345.67"
    rows[table].append(cells)
    return sent(rows, ROW | GATE, may_pass=True)


def d12_repeated(random: Random) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    line = [*random.choice(rows[table][1:])]
    is_other = random.random() < 0.5
    if is_other:
        line[rows[table][0].index(random.choice(MONEY[table]))] = "1.23"
    rows[table].insert(random.randrange(1, len(rows[table]) + 1), line)
    if table == "transactions":
        return sent(rows, GATE, may_pass=True)
    return sent(rows, GATE | ROW if is_other else NONE, may_pass=True)


def d13_orphan(random: Random) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    place = rows[table][0].index(KEYS[table])
    for line in _pick(random, rows, table, 2):
        if random.random() < 0.5:
            line[place] = "NOBODY"
        else:
            rows[table].append([*line[:place], "NOBODY", *line[place + 1 :]])
    if random.random() < 0.2:
        rows["loans"].pop(random.randrange(1, len(rows["loans"])))
    return sent(rows, ROW | GATE, may_pass=True)


def d14_empty(random: Random) -> Mutant:
    files, table = render(good()), random.choice(TABLES)
    what = random.choice(("header", "nothing", "gone", "newlines"))
    files[table] = files[table].split(b"\n")[0] + b"\n"
    if what != "header":
        files[table] = b"\n" * 5 if what == "newlines" else b""
    if what == "gone":
        del files[table]
    return Mutant(files, TEXT | HEADER | {"TABLE_MISSING"})


def d15_constant_column(random: Random) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    place = random.randrange(len(rows[table][0]))
    cell = random.choice(("", rows[table][1][place], "0", "0.0"))
    for line in rows[table][1:]:
        line[place] = cell
    return sent(rows, ROW | GATE | DAY, may_pass=True)


HOSTILE = (
    *("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "'; drop table loan; --", '"" or 1=1'),
    *("$as_of", "\U0001f4b8 préstamo", "\u202eabc", "{}%s%(x)s", "<script>", "{{ x }}", "a,b;c"),
)


def d16_odd_id(random: Random) -> Mutant:
    rows = good()
    chosen = random.choice(_loan_ids(rows))
    new = random.choice(
        ("\U0001f4b8" * 9, "\u05d0\u05d1\u202e", "x" * 128, "x" * 129, "x" * 10_000)
    )
    is_long = len(new.encode()) > 128
    _rename_loans(rows, lambda loan: new if loan == chosen else loan)
    return sent(rows, ROW | GATE if is_long else NONE, may_pass=True)


def d17_formula(random: Random) -> Mutant:
    rows = good()
    for line in _pick(random, rows, "loans"):
        _set(rows, "loans", [line], random.choice((*TEXTS, "customer_id")), random.choice(HOSTILE))
    return sent(rows)


def d18_sql_in_id(random: Random) -> Mutant:
    rows = good()
    chosen, text = random.choice(_loan_ids(rows)), random.choice(HOSTILE)
    return sent(_rename_loans(rows, lambda loan: text if loan == chosen else loan))


def d19_nothing_outstanding(random: Random) -> Mutant:
    kept = random.choice((("PAID",), ("PAID", "OLD"), ("OLD",)))
    return sent(_keep_loans(good(), kept.__contains__), GATE, may_pass=True)


def d20_fewer_loans(random: Random) -> Mutant:
    """Another last day makes other snapshots true: those of a month that is not over may block."""
    ids = _loan_ids(GOOD)
    kept = set(random.sample(ids, random.randint(1, len(ids))))
    return sent(_keep_loans(good(), kept.__contains__), GATE | {"EMPTY_TABLE"}, may_pass=True)


def d21_other_unit(random: Random) -> Mutant:
    rows, factor = good(), random.choice((100, 0.01))
    for table, columns in MONEY.items():
        for column in columns:
            place = rows[table][0].index(column)
            for line in rows[table][1:]:
                line[place] = f"{float(line[place]) * factor:.2f}"
    return sent(rows, GATE, may_pass=True)  # a hundredth of a cent is rounded away


def d22_currency(random: Random) -> Mutant:
    rows, table = good(), random.choice(TABLES)
    column = "loan_ccy" if table == "loan_par_balances" else "currency"
    cell = random.choice(("HNL", "usd", "", "US$", "0"))
    lines = _some_or_all(random, rows, table)
    if table == "loan_par_balances" and random.random() < 0.3:
        column, cell = "xchg_rate_to_usd", random.choice(("", "x", "0"))
    _set(rows, table, lines, column, cell)
    # as in the other families: what is set apart may hold the ledger's last day
    return sent(rows, ROW | GATE | DAY, may_pass=True)


def d23_other_book(random: Random) -> Mutant:
    tape = Tape()
    for number in range(random.randint(1, 20)):
        disbursed = date(2025, 1, 1) + timedelta(days=random.randrange(320))
        principal = random.randint(1, 10**6) / 100
        due = disbursed + timedelta(days=random.randint(1, 90))
        late = random.choice((0, 0, -1, 5, 29, 30, 31, 89, 90, 91, 180, 181))
        paid = max(disbursed, due + timedelta(days=late))
        part = random.choice((1, 1, 0.995, 0.5, 0.0))
        tape.loan(
            f"N-{number}",
            customer=f"CLI{number % 5}",
            disbursed=disbursed,
            principal=f"{principal:.2f}",
            due=[(due, f"{principal:.2f}", "1.10")],
            payments=[(paid, f"{int(principal * part * 100) / 100:.2f}", "1.10")],
        )
    return sent(rows_of(tape), GATE | {"EMPTY_TABLE"}, may_pass=True)  # all paid within a month


def d24_par_not_nested(random: Random) -> Mutant:
    rows = good()
    lines, place = rows["loan_par_balances"], rows["loan_par_balances"][0].index(PAR[3])
    for line in _pick(random, rows, "loan_par_balances"):
        line[place] = f"{float(line[lines[0].index(PAR[2])]) + 0.01:.2f}"
    return sent(rows, GATE)


def d25_shuffled(random: Random) -> Mutant:
    rows = good()
    for table in TABLES:
        header, *lines = rows[table]
        rows[table] = [header, *random.sample(lines, len(lines))]
    return replace(sent(rows), is_zip=random.random() < 0.5)


def d26_many_rows(random: Random) -> Mutant:
    rows = good()
    for table, key in KEYS.items():
        header, *lines = rows[table]
        place = header.index(key)
        copies = [
            [*x[:place], f"{x[place]}/{n}", *x[place + 1 :]] for n in range(10) for x in lines
        ]
        rows[table] = [header, *copies]
    return sent(rows)


MUTATIONS: Mapping[str, Callable[[Random], Mutant]] = {
    f"{name[:3].upper()}{name[3:]}": made
    for name, made in sorted(globals().items())
    if name.startswith("d") and name[1:3].isdigit()
}
# A byte or a cut has as many places as the files have bytes, and is refused before most of the SQL.
_WEIGHTS = {"D01_header": 8, "D08_encoding": 50, "D10_cut": 50, "D26_many_rows": 1}
_DRAWN = [name for name in MUTATIONS for _ in range(_WEIGHTS.get(name, 2))]
