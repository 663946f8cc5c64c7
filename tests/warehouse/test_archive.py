"""Hostile and damaged ZIPs are refused for what they are; good ones come out byte for byte."""

import hashlib
import stat
import struct
import zipfile
import zlib

import pytest

from settings.errors import StorageError
from warehouse.archive import list_members, read_head, unpack
from warehouse.archive_rules import ArchiveLimits, BadArchiveError

LIMITS = ArchiveLimits(max_members=100, max_bytes=1 << 30)
LOANS = b"loan_id,dpd\n" + b"L1,5\n" * 50
PAYMENTS = b"loan_id,paid\n" + b"L1,9.50\n" * 40
NESTED = {
    "zip": b"PK\x03\x04" + bytes(300),
    "gzip": b"\x1f\x8b" + bytes(300),
    "7z": b"7z\xbc\xaf'\x1c" + bytes(300),
    "rar": b"Rar!\x1a\x07" + bytes(300),
    "xz": b"\xfd7zXZ\x00" + bytes(300),
    "tar": b"loans.csv".ljust(257, b"\0") + b"ustar" + bytes(100),
}


@pytest.fixture
def packed(tmp_path):
    """Return a function that packs members, given as (name or ZipInfo, bytes), into a ZIP."""

    def pack(*members, method=zipfile.ZIP_DEFLATED):
        path = tmp_path / "export.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in members:
                archive.writestr(name, data, method)
        return path

    return pack


@pytest.fixture
def export(packed):
    return packed(("loans.csv", LOANS), ("payments.csv", PAYMENTS))


def refuse(archive, limits=LIMITS):
    """Return the reason and the message of the refusal; nothing may appear beside the archive."""
    folder = archive.parent / "out"
    folder.mkdir(exist_ok=True)
    before = sorted(archive.parent.rglob("*"))

    with pytest.raises(BadArchiveError) as refused:
        members = list_members(archive, limits)
        unpack(archive, {member: folder / member.name for member in members}, limits)

    assert sorted(archive.parent.rglob("*")) == before
    assert refused.value.message.startswith(f"{archive.name}: ")
    return refused.value.evidence["reason"], refused.value.message


def patch(archive, offset, form, *values):
    """Overwrite fields of the archive."""
    data = bytearray(archive.read_bytes())
    struct.pack_into(form, data, offset, *values)
    archive.write_bytes(data)


def entry_of(archive, place=0):
    """Return where an entry of the directory begins."""
    data = archive.read_bytes()
    at = data.index(b"PK\x01\x02")
    for _ in range(place):
        at = data.index(b"PK\x01\x02", at + 1)
    return at


# ---------------------------------------------------------------- what is taken


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_good_archive_comes_out_byte_for_byte(packed, tmp_path, method):
    archive = packed(("a/loans.csv", LOANS), ("payments.csv", PAYMENTS), method=method)

    members = list_members(archive, LIMITS)
    copied = unpack(archive, {member: tmp_path / member.name for member in members}, LIMITS)

    assert [(m.name, m.size) for m in members] == [("loans.csv", 262), ("payments.csv", 333)]
    assert (tmp_path / "loans.csv").read_bytes() == LOANS
    assert (tmp_path / "payments.csv").read_bytes() == PAYMENTS
    assert [facts.newlines for facts in copied] == [51, 41]
    assert copied[0].sha256 == hashlib.sha256(LOANS).hexdigest()
    assert stat.S_IMODE((tmp_path / "loans.csv").stat().st_mode) == 0o600


def test_only_the_members_asked_for_are_unpacked(export, tmp_path):
    payments = list_members(export, LIMITS)[1]

    unpack(export, {payments: tmp_path / "given"}, LIMITS)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.zip", "given"]
    assert (tmp_path / "given").read_bytes() == PAYMENTS


def test_folders_and_litter_of_a_mac_are_left_out(packed):
    archive = packed(
        ("tape/", b""),
        ("tape/loans.csv", LOANS),
        ("__MACOSX/tape/._loans.csv", b"x"),
        ("tape/.DS_Store", b"x"),
    )

    assert [member.name for member in list_members(archive, LIMITS)] == ["loans.csv"]


def test_an_archive_written_as_a_stream_is_taken(tmp_path):
    archive = tmp_path / "export.zip"
    with archive.open("wb") as file:
        file.seekable = lambda: False
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("loans.csv", LOANS)

    assert [member.size for member in list_members(archive, LIMITS)] == [262]


@pytest.mark.parametrize(("twin", "is_taken"), [(2, True), (3, False)])
def test_the_end_record_of_a_large_archive_is_held_against_its_twin(export, twin, is_taken):
    data = export.read_bytes()
    length, offset = struct.unpack_from("<2L", data, len(data) - 10)
    end = len(data) - 22
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, twin, twin, length, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    export.write_bytes(data[:end] + wide + locator + data[end:])

    if is_taken:
        assert len(list_members(export, LIMITS)) == 2
    else:
        assert refuse(export)[0] == "directory"


def test_a_member_of_no_bytes_is_taken(packed, tmp_path):
    archive = packed(("loans.csv", b""))
    [member] = list_members(archive, LIMITS)

    assert unpack(archive, {member: tmp_path / "loans.csv"}, LIMITS)[0].size == 0


def test_a_workbook_is_a_member_like_any_other(packed):
    archive = packed(("tape.xlsx", NESTED["zip"]))
    [member] = list_members(archive, LIMITS)

    assert read_head(archive, member, 4) == b"PK\x03\x04"


def test_the_head_of_a_member_is_read_alone(export):
    loans, payments = list_members(export, LIMITS)

    assert read_head(export, loans, 11) == b"loan_id,dpd"
    assert read_head(export, payments, 1 << 20) == PAYMENTS


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("kept", [1, 21, 30, 100, -200, -23, -22, -21, -1])
def test_a_cut_archive_is_refused(export, kept):
    export.write_bytes(export.read_bytes()[:kept])

    assert refuse(export)[0] == "cut_off"


def test_bytes_after_the_end_are_refused(export):
    export.write_bytes(export.read_bytes() + b"\n")

    assert refuse(export)[0] == "cut_off"


def test_bytes_before_the_start_are_refused(export):
    export.write_bytes(b"#!/bin/sh\n" + export.read_bytes())

    assert refuse(export)[0] == "directory"


def test_a_file_of_no_bytes_is_refused(tmp_path):
    archive = tmp_path / "export.zip"
    archive.touch()

    assert refuse(archive) == ("empty", "export.zip: it is empty: 0 bytes")


@pytest.mark.parametrize("members", [[], [("folder/", b"")], [("__MACOSX/._a", b"x")]])
def test_an_archive_without_a_file_is_refused(packed, members):
    assert refuse(packed(*members))[0] == "empty"


def test_a_wrong_crc_in_the_directory_is_refused(export):
    patch(export, entry_of(export) + 16, "<L", 1)

    assert refuse(export)[0] == "directory"


def test_a_wrong_crc_in_both_places_is_refused_once_read(packed, tmp_path):
    archive = packed(("loans.csv", LOANS), ("payments.csv", PAYMENTS))
    patch(archive, 14, "<L", 1)
    patch(archive, entry_of(archive) + 16, "<L", 1)

    assert list_members(archive, LIMITS)
    assert refuse(archive)[0] == "damaged"


def test_changed_bytes_of_a_member_are_refused(packed):
    archive = packed(("loans.csv", LOANS), method=zipfile.ZIP_STORED)
    patch(archive, 30 + len("loans.csv") + 20, "<B", 0)

    assert refuse(archive)[0] == "damaged"


@pytest.mark.parametrize("offset", [8, 10, 12, 16])  # counts, directory's size and place
def test_a_wrong_end_record_is_refused(export, offset):
    at = len(export.read_bytes()) - 22 + offset
    patch(export, at, "<H", 40)

    assert refuse(export)[0] in {"directory", "damaged"}


@pytest.mark.parametrize("place", [7, 0x7FFFFFFF])
def test_an_entry_that_points_elsewhere_is_refused(export, place):
    patch(export, entry_of(export) + 42, "<L", place)

    assert refuse(export)[0] in {"directory", "damaged"}


def test_two_entries_for_the_same_bytes_are_refused(export):
    patch(export, entry_of(export, 1) + 42, "<L", 0)

    assert refuse(export)[0] == "overlap"


def test_a_member_that_reaches_into_the_next_is_refused(export):
    packed_size = len(export.read_bytes())
    for at in (18, entry_of(export) + 20):
        patch(export, at, "<L", packed_size // 2)

    assert refuse(export)[0] == "overlap"


@pytest.mark.parametrize("stated", [261, 263, 10, 60_000])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_size_that_is_not_the_true_one_is_refused(packed, method, stated):
    archive = packed(("loans.csv", LOANS), method=method)
    for at in (14, entry_of(archive) + 16):  # checksum, size packed, size
        packed_size = struct.unpack_from("<L", archive.read_bytes(), at + 4)[0]
        patch(archive, at, "<3L", zlib.crc32(LOANS[:stated]), packed_size, stated)

    assert refuse(archive)[0] in {"size", "damaged"}


# ---------------------------------------------------------------- what an export never holds


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../loans.csv", "traversal"),
        ("a/../../loans.csv", "traversal"),
        ("..", "traversal"),
        ("a\\..\\loans.csv", "traversal"),
        ("/etc/loans.csv", "absolute"),
        ("C:\\loans.csv", "absolute"),
        ("c:loans.csv", "absolute"),
        ("loans.csv\n", "name"),
        (".", "name"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(packed, name, reason):
    assert refuse(packed(("loans.csv", LOANS), (name, PAYMENTS)))[0] == reason


@pytest.mark.parametrize("name", ["__MACOSX/../../._x", "/a/.DS_Store", "../folder/"])
def test_what_nobody_reads_is_judged_too(packed, name):
    reason, _ = refuse(packed(("loans.csv", LOANS), (name, b"")))

    assert reason in {"traversal", "absolute"}


def test_a_name_with_a_nul_is_refused(packed):
    archive = packed(("loans.csv", LOANS), ("notes@.csv", b"x"))
    archive.write_bytes(archive.read_bytes().replace(b"notes@.csv", b"notes\0.csv"))

    assert refuse(archive)[0] in {"name", "damaged"}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(stat.S_IFLNK, "symlink"), (stat.S_IFIFO, "kind"), (stat.S_IFDIR, "kind")],
)
def test_a_member_that_is_no_file_is_refused(packed, kind, reason):
    info = zipfile.ZipInfo("notes.csv")
    info.external_attr = (kind | 0o777) << 16

    assert refuse(packed(("loans.csv", LOANS), (info, b"/etc/passwd")))[0] == reason


@pytest.mark.parametrize("place", ["directory", "member"])
def test_an_encrypted_member_is_refused(export, place):
    patch(export, entry_of(export) + 8 if place == "directory" else 6, "<H", 1)

    assert refuse(export) == ("encrypted", "export.zip: loans.csv is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_packing_without_a_bound_is_refused(packed, method):
    assert refuse(packed(("loans.csv", LOANS), method=method))[0] == "compression"


def test_an_unknown_packing_is_refused(export):
    for at in (8, entry_of(export) + 10):
        patch(export, at, "<H", 99)

    assert refuse(export)[0] == "compression"


@pytest.mark.parametrize("name", ["old.zip", "old.7Z", "old.tar.gz", "old.rar", "old.tgz"])
def test_an_archive_inside_is_refused_by_its_name(packed, name):
    reason, message = refuse(packed(("loans.csv", LOANS), (name, b"x")))

    assert (reason, name in message) == ("nested", True)


@pytest.mark.parametrize("kind", NESTED)
def test_an_archive_inside_is_refused_by_its_bytes(packed, kind):
    archive = packed(("loans.csv", LOANS), ("notes.csv", NESTED[kind]))
    notes = list_members(archive, LIMITS)[1]

    with pytest.raises(BadArchiveError, match=r"notes\.csv is an archive inside"):
        read_head(archive, notes, 1)
    assert refuse(archive)[0] == "nested"


def test_a_workbook_that_is_another_archive_is_refused(packed):
    assert refuse(packed(("tape.xlsx", NESTED["rar"])))[0] == "nested"


@pytest.mark.parametrize("name", ["loans.csv", "LOANS.csv", "other/Loans.CSV"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(packed, name):
    reason, message = refuse(packed(("loans.csv", LOANS), (name, LOANS)))

    assert reason == "twice"
    assert message.endswith("is in it twice")


@pytest.mark.parametrize("count", [101, 5_000])
def test_too_many_members_are_refused(packed, count):
    archive = packed(*((f"{number}.csv", b"x") for number in range(count)))

    assert refuse(archive)[0] == "too_many"


def test_a_directory_that_would_fill_the_memory_is_refused_unread(packed):
    archive = packed(*((f"{number}{'x' * 60_000}.csv", b"") for number in range(80)))

    assert refuse(archive)[0] == "too_many"


def test_a_bomb_of_200_mb_is_refused(packed):
    archive = packed(("loans.csv", bytes(200 << 20)))

    assert archive.stat().st_size < 300_000
    assert refuse(archive)[0] == "bomb"


def test_a_bomb_of_many_members_is_refused(packed):
    archive = packed(*((f"{number}.csv", bytes(30 << 20)) for number in range(4)))

    assert refuse(archive) == ("bomb", "export.zip: it unpacks to far more than a tape")


@pytest.mark.parametrize(("allowed", "is_taken"), [(595, True), (594, False)])  # 262 + 333
def test_the_limit_is_for_all_members_together(export, allowed, is_taken):
    limits = ArchiveLimits(2, allowed)

    if is_taken:
        assert len(list_members(export, limits)) == 2
    else:
        assert refuse(export, limits)[0] == "too_large"


# ---------------------------------------------------------------- the targets


def test_a_file_at_the_target_stays_and_no_other_is_left(export, tmp_path):
    loans, payments = list_members(export, LIMITS)
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(StorageError):
        unpack(export, {loans: tmp_path / "new", payments: tmp_path / "mine"}, LIMITS)

    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "new").exists()


def test_a_link_at_the_target_is_not_followed(export, tmp_path):
    loans, _ = list_members(export, LIMITS)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageError):
        unpack(export, {loans: tmp_path / "link"}, LIMITS)

    assert not (tmp_path / "elsewhere").exists()


def test_an_archive_that_changed_since_it_was_listed_is_refused(packed, tmp_path):
    [member] = list_members(packed(("loans.csv", LOANS)), LIMITS)
    archive = packed(("loans.csv", LOANS + b"L2,1\n"))

    with pytest.raises(BadArchiveError, match="changed while it was read"):
        unpack(archive, {member: tmp_path / "loans.csv"}, LIMITS)


def test_an_archive_that_is_not_there_is_the_disk_s_matter(tmp_path):
    with pytest.raises(StorageError):
        list_members(tmp_path / "absent.zip", LIMITS)
