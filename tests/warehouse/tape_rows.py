"""Read a tape back as text, cell by cell, without any code of ours."""

import csv
from decimal import Decimal

CASH = ("principal", "interest", "other", "fees", "to_tax")


def read(folder, table):
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def cash(row):
    return sum(Decimal(row[cell]) for cell in CASH)
