"""Files of fitted estimators: skops' format, with digests of what is in them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._files import write_atomically
from .._stored import NewerFormatError, newer_format
from .._version import __version__
from ._trusted import trusted_types

FILE_FORMAT = 1
MANIFEST = "skfair.json"  # skops reads schema.json, and the files that it names
CALLBACKS = "_skl_callbacks"  # where scikit-learn keeps what set_callbacks was given


class UntrustedTypesError(TypeError):
    """A file holds names that are not known to be safe.

    Parameters
    ----------
    path : Path
        The file.
    names : sequence of str
        What it holds.

    Attributes
    ----------
    names : list of str
        What the file holds.
    """

    def __init__(self, path: Path, names: Sequence[str]) -> None:
        self.names = list(names)
        super().__init__(
            f"{path} holds what is not known to be safe: {', '.join(self.names)}. If you know "
            "these names and trust whoever made the file, write them out: "
            f"skfair.persistence.load(path, trusted={self.names})."
        )


class DamagedFileError(ValueError):
    """A file is not what was written."""


def dump(estimator: Any, path: str | Path) -> str:
    """Write a fitted estimator, pipeline or search to a file that runs no code when it is loaded.

    It is a file of skops, which :func:`skops.io.load` reads as well, and has digests of its parts.
    Callbacks of scikit-learn (``set_callbacks``), which watch a fit, are left out.

    Parameters
    ----------
    estimator : estimator
        What is written.
    path : str or Path
        Usually with the ending ``.skops``. Either the whole file is there in the end, or what was
        there before.

    Returns
    -------
    str
        SHA-256 of the file. Who keeps it elsewhere can let :func:`load` check it: digests in the
        file tell damage, but whoever changes the file on purpose can write new ones.

    Raises
    ------
    ImportError
        If skops is not installed.
    ValueError
        If skops cannot store a step that refers to itself.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skfair import NetworkClassifier
    >>> from skfair.datasets import make_biased_classification
    >>> from skfair.persistence import dump, load
    >>> X, y, _ = make_biased_classification(random_state=0)
    >>> model = NetworkClassifier(max_epochs=2, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     digest = dump(model, Path(folder) / "model.skops")
    ...     same = load(Path(folder) / "model.skops", sha256=digest)
    >>> bool((same.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    skops = _import_skops()
    try:
        with _without_callbacks(estimator):
            stored = skops.dumps(estimator, compression=zipfile.ZIP_DEFLATED)
    except RecursionError as error:
        raise ValueError(
            "skops cannot store an estimator that refers to itself. scikit-learn's do from version "
            "1.8 on after set_fit_request and its like: leave the request out of that step, or use "
            "joblib."
        ) from error
    buffer = io.BytesIO(stored)
    with zipfile.ZipFile(buffer, "a", compression=zipfile.ZIP_DEFLATED) as archive:
        digests = {name: _sha256(archive.read(name)) for name in sorted(archive.namelist())}
        manifest = {"format": FILE_FORMAT, "skfair": __version__, "sha256": digests}
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
    content = buffer.getvalue()
    write_atomically(Path(path), content)
    return _sha256(content)


def load(path: str | Path, *, trusted: Iterable[str] = (), sha256: str | None = None) -> Any:
    """Load a fitted estimator, pipeline or search from a file that :func:`dump` or skops wrote.

    No code of the file runs: it holds names and numbers. Names that are made into objects are those
    that skops trusts, :func:`trusted_types`, and those that you add.

    Parameters
    ----------
    path : str or Path
        The file.
    trusted : iterable of str, default=()
        Further names, such as that of your own ``module``: each may be called with whatever the
        file says, so add no name that you do not know.
    sha256 : str, default=None
        What :func:`dump` returned; a file that is another one is refused.

    Returns
    -------
    estimator
        What was stored.

    Raises
    ------
    UntrustedTypesError
        If the file holds other names; nothing has been made of them.
    DamagedFileError
        If the file is not one of skops, is not whole, or has been changed.
    NewerFormatError
        If a newer skfair wrote it.
    ImportError
        If skops is not installed, or a package that the file's names belong to.
    """
    skops = _import_skops()
    path = Path(path)
    content = path.read_bytes()
    if sha256 is not None and _sha256(content) != sha256.lower():
        raise DamagedFileError(
            f"{path} is not the file that was expected: its SHA-256 is {_sha256(content)}, not "
            f"{sha256}."
        )
    try:
        intact = _check_digests(path, content)
        unknown = set(skops.get_untrusted_types(data=content)).difference(trusted_types(), trusted)
    except (DamagedFileError, NewerFormatError, ImportError):
        raise
    except Exception as error:  # whatever zipfile and skops say of damage
        raise DamagedFileError(f"{path} is not whole, or no file of skops: {error!r}.") from error
    if unknown:
        raise UntrustedTypesError(path, sorted(unknown))
    try:
        return skops.loads(content, trusted=[*trusted_types(), *trusted])
    except (NewerFormatError, ImportError):
        raise
    except Exception as error:
        why = "" if intact else "damaged, or "
        raise DamagedFileError(
            f"{path} cannot be loaded; it is {why}of other versions of its packages: {error!r}."
        ) from error


def _check_digests(path: Path, content: bytes) -> bool:
    """Compare a file's parts with its digests, if it has any; return whether it has.

    zipfile compares checksums of what it reads: these tell damage, but not what was put in place of
    another part.
    """
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise DamagedFileError(
            f"{path} is no file of skops, or is not whole. (joblib.load opens files of joblib and "
            "pickle, which run the code they contain: use only those of people you trust.)"
        )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if MANIFEST not in names:
            return False
        manifest = json.loads(archive.read(MANIFEST))
        if manifest["format"] > FILE_FORMAT:
            raise NewerFormatError(
                newer_format(str(path), manifest["skfair"], manifest["format"], FILE_FORMAT)
            )
        names.remove(MANIFEST)
        if manifest["sha256"] != {name: _sha256(archive.read(name)) for name in names}:
            raise DamagedFileError(f"{path} has been changed after it was written.")
    return True


@contextmanager
def _without_callbacks(estimator: Any) -> Iterator[None]:
    """Take scikit-learn's callbacks, here and in all estimators inside, away for the block."""
    holders, seen, rest = [], set(), [estimator]
    while rest:
        value = rest.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            rest += value.values()
        elif isinstance(value, (list, tuple)):
            rest += value
        elif type(value).__module__.startswith("sklearn.") or hasattr(value, "get_params"):
            attributes = getattr(value, "__dict__", {})
            rest += attributes.values()
            if CALLBACKS in attributes:
                holders.append((attributes, attributes[CALLBACKS]))
    for attributes, _ in holders:
        del attributes[CALLBACKS]
    try:
        yield
    finally:
        for attributes, callbacks in holders:
            attributes[CALLBACKS] = callbacks


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _import_skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            'skfair.persistence needs skops: python -m pip install "skfair-torch[persistence]".'
        ) from error
    return skops.io
