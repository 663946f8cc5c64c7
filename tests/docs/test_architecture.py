"""The page and the picture of the architecture show the rooms that there are."""

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOT_ROOMS = {"docs", "tests", "data", "logs", "dist", "htmlcov"}


def rooms():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."}
    return folders - NOT_ROOMS


def test_the_page_and_the_readme_have_every_room_and_no_other():
    for text in (PAGE, README):
        rows = re.findall(r"^\| (`.+?) \|", text, re.MULTILINE)
        named = {name for row in rows for name in re.findall(r"`(\w+)/`", row)}
        assert named - NOT_ROOMS == rooms()


def test_the_direction_on_the_page_is_the_one_that_is_enforced():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = [contract["layers"] for contract in contracts["contracts"] if "layers" in contract]

    told = " -> ".join(max(layers, key=len))
    assert f"`{told}`" in " ".join(PAGE.split())


def test_the_picture_shows_every_room_that_is_code_and_loads_nothing():
    root = ElementTree.parse(PICTURE).getroot()  # noqa: S314 - our own file
    words = {element.text for element in root.iter() if element.text}
    code = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert {f"{room}/" for room in code} <= words
    assert not [e for e in root.iter() if e.tag.endswith(("image", "script", "foreignObject"))]


def test_the_write_protocol_has_its_ten_lines():
    steps = re.findall(r"^(\d+)\. ", PAGE, re.MULTILINE)

    assert steps == [str(number) for number in range(1, 11)]
