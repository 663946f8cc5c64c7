"""Load the settings of this process, and tell where each of them came from.

The first of these layers that sets a setting decides it: the caller's portfolio, the variables of
the environment, environments/<name>.toml, defaults.toml; in development the key file comes last.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import SecretStr, ValidationError
from pydantic_settings import (
    EnvSettingsSource,
    InitSettingsSource,
    SettingsError,
    TomlConfigSettingsSource,
)

from settings.errors import ConfigError
from settings.model import NESTING, PREFIX, Environment, Settings, canonical, secrets, variables
from settings.pii_key import development_key
from settings.value_types import KEY_BYTES_MIN

MASK = "********"
RESERVED = frozenset({"TAPEWATCH_TEST", "TAPEWATCH_CRASH_AT"})  # read by settings.trials

_ALL = ".env.example lists every variable with its default"
_NEW_KEY = (
    """export TAPEWATCH_PII_KEY="$(python3 -c 'import secrets; print(secrets.token_hex(32))')\""""
)


class UnknownEnvironmentError(ConfigError):
    """PIPELINE_ENV names no environment."""

    code = "UNKNOWN_ENVIRONMENT"


class UnknownVariableError(ConfigError):
    """A variable begins like one of ours and is none."""

    code = "UNKNOWN_VARIABLE"


class InvalidSettingError(ConfigError):
    """A value breaks the law of its setting."""

    code = "INVALID_SETTING"


class MissingPiiKeyError(ConfigError):
    """No key to mask customers with, outside development."""

    code = "PII_KEY_MISSING"


class BrokenInstallError(ConfigError):
    """A settings file that ships with Tapewatch is missing or unreadable."""

    code = "BROKEN_INSTALL"


@dataclass(frozen=True)
class SettingRow:
    """One setting for `tapewatch config show`; the value of a secret is always ********."""

    name: str
    value: str
    source: str
    variable: str


def load_settings(
    env: Mapping[str, str] | None = None, *, portfolio: str | None = None
) -> Settings:
    """Return the settings of this process (or of `env`), for the portfolio if one is named.

    In development this makes the key file of the data folder where there is none.

    Raises:
        ConfigError: A variable or a value is wrong; the message names it and never its value.
        PiiKeyFileError: The key file of a development machine cannot be used.
    """
    settings, _ = _resolve(os.environ if env is None else env, portfolio)
    return settings


def describe_settings(
    env: Mapping[str, str] | None = None, *, portfolio: str | None = None
) -> tuple[SettingRow, ...]:
    """Return each setting that `load_settings` gives for the same arguments, with its source.

    Raises:
        ConfigError: As for `load_settings`.
        PiiKeyFileError: As for `load_settings`.
    """
    settings, layers = _resolve(os.environ if env is None else env, portfolio)
    return tuple(
        SettingRow(".".join(path), _shown(settings, path), _source(layers, path), variable)
        for variable, path in variables().items()
    )


@dataclass(frozen=True)
class _Layer:
    """What one place sets, as nested tables, and what a person calls that place."""

    source: str
    values: Mapping[str, object]
    is_file: bool = False  # of many settings: a message must name the key too

    def at(self, path: Sequence[object]) -> object:
        """Return what this layer sets at `path`, None where it is silent."""
        here: object = self.values
        for key in path:
            table = cast("Mapping[object, object]", here if isinstance(here, Mapping) else {})
            here = table.get(key)
        return here


def _resolve(env: Mapping[str, str], portfolio: str | None) -> tuple[Settings, list[_Layer]]:
    chosen = {name: value for name, value in env.items() if value}  # `NAME=` means "not set"
    _refuse_unknown(chosen)
    environment = _environment(chosen)
    layers = [
        *_argument_layers(portfolio),
        *_variable_layers(chosen),
        *(_file_layer(name) for name in (f"environments/{environment}.toml", "defaults.toml")),
    ]
    if "TAPEWATCH_PII_KEY" not in chosen:
        layers.append(_key_layer(environment, layers))
    return _validated(layers), layers


def _refuse_unknown(env: Mapping[str, str]) -> None:
    known = {name.removeprefix(PREFIX): name for name in variables()}
    said: list[str] = []
    for name in sorted(env):
        if name.upper().startswith(PREFIX) and name not in {*known.values(), *RESERVED}:
            near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), known, 1, 0.7)
            said.append(f"{name} (did you mean {known[near[0]]}?)" if near else name)
    if said:
        fix = f"correct or unset it; {_ALL}"
        raise UnknownVariableError(f"no such setting: {', '.join(said)}", fix=fix)


def _environment(env: Mapping[str, str]) -> str:
    environment = env.get("PIPELINE_ENV", "production")
    choices = get_args(Environment)
    if environment not in choices:
        raise UnknownEnvironmentError(
            f"PIPELINE_ENV must be one of {', '.join(choices)}",
            fix="export PIPELINE_ENV=production, or unset it for the same",
        )
    return environment


def _argument_layers(portfolio: str | None) -> list[_Layer]:
    return [] if portfolio is None else [_Layer("portfolio", {"portfolio": {"name": portfolio}})]


def _variable_layers(env: Mapping[str, str]) -> list[_Layer]:
    layers: list[_Layer] = []
    source = EnvSettingsSource(Settings)
    for variable, path in variables().items():
        if variable in env:
            source.env_vars = {(PREFIX + NESTING.join(path)).lower(): env[variable]}
            try:
                values = source()
            except SettingsError:
                raise _invalid([f"{variable} must be JSON"]) from None
            sealed = _sealed(values, path) if path in secrets() else values
            layers.append(_Layer(f"env {variable}", sealed))
    return layers


def _file_layer(name: str) -> _Layer:
    path = Path(__file__).parent / name
    try:
        if not path.is_file():
            raise FileNotFoundError
        return _Layer(name, TomlConfigSettingsSource(Settings, path)(), is_file=True)
    except (OSError, tomllib.TOMLDecodeError):
        raise BrokenInstallError(
            f"{path} is missing or damaged", fix="install Tapewatch again"
        ) from None


def _key_layer(environment: str, layers: Sequence[_Layer]) -> _Layer:
    if environment != "development":
        raise MissingPiiKeyError(
            f"TAPEWATCH_PII_KEY is not set, and {environment} masks customers with it",
            fix=f"set the key that masked earlier runs; for the first run ever: {_NEW_KEY}",
        )
    # Everything else is checked first: a command with a wrong setting leaves no file behind.
    stand_in = _Layer("", {"pii_key": "0" * KEY_BYTES_MIN})
    file = _validated([*layers, stand_in]).paths.pii_key_file
    return _Layer(str(file), _sealed({"pii_key": development_key(file)}, ["pii_key"]))


def _sealed(values: Mapping[str, object], path: Sequence[str]) -> Mapping[str, object]:
    """Return `values` with the secret at `path` out of sight: the library can log what it merges.

    Args:
        values: What one place sets, `path` included.
        path: The names that lead to the secret.
    """
    name, *rest = path
    value = values[name]
    if rest:
        return {**values, name: _sealed(cast("Mapping[str, object]", value), rest)}
    return {**values, name: SecretStr(str(value))}


def _validated(layers: Sequence[_Layer]) -> Settings:
    sources = tuple(InitSettingsSource(Settings, dict(layer.values)) for layer in layers)
    arguments: dict[str, Any] = {"_build_sources": (sources, {})}  # pyright knows the fields alone
    try:
        return Settings(**arguments)
    except ValidationError as error:
        found = error.errors(include_input=False, include_context=False, include_url=False)
        problems = [_problem(layers, problem["loc"], problem["msg"]) for problem in found]
    raise _invalid(problems)


def _problem(layers: Sequence[_Layer], loc: Sequence[int | str], message: str) -> str:
    """Return one line that names the variables, or else the file and the key, to correct."""
    law = message.removeprefix("Value error, ")
    path = loc
    while path and not any(layer.at(path) is not None for layer in layers):
        path = path[:-1]
    setters = [layer for layer in layers if layer.at(path) is not None]
    if not isinstance(setters[0].at(path), Mapping):
        setters = setters[:1]  # the first one wins: only tables are merged
    named = [layer.source.removeprefix("env ") for layer in setters if not layer.is_file]
    where = " and ".join(named) or f"{setters[0].source}, {'.'.join(map(str, loc))}"
    return f"{where}: {law}"


def _invalid(problems: Sequence[str]) -> InvalidSettingError:
    return InvalidSettingError("; ".join(problems), fix=f"correct or unset it; {_ALL}")


def _source(layers: Sequence[_Layer], path: Sequence[str]) -> str:
    source = next((layer.source for layer in layers if layer.at(path) is not None), "default")
    return "default" if source == "defaults.toml" else source


def _shown(settings: Settings, path: Sequence[str]) -> str:
    value: object = settings
    for name in path:
        value = getattr(value, name)
    if isinstance(value, SecretStr):
        return MASK
    if value is None:
        return "not set"
    plain = str(value) if isinstance(value, Path) else canonical(value)
    return plain if isinstance(plain, str) else json.dumps(plain)
