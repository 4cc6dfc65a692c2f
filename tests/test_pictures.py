"""No picture is in the repository: the terms of the face data sets forbid passing any on."""

import base64
import binascii
import io
import re
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
ALLOWED: set[str] = set()  # plots of our own, by their path in the repository
NAMES = re.compile(r"\.(bmp|gif|ico|jpe?g|np[yz]|pdf|p[gp]m|png|pt|tiff?|webp)$", re.IGNORECASE)
BEGINNINGS = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"%PDF"),
    *(b"RIFF", b"\x93NUMPY", b"PK\x03\x04", b"\x1f\x8b", b"P5\n", b"P6\n"),
)
BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n\\]{400,}")
GRAY_VALUES = re.compile(rb"(?:\b(?:0x)?[0-9a-fA-F]{1,3}\b[\s,;\[\]()]{1,12}){400}")


def is_picture(content: bytes) -> bool:
    """Whether bytes begin as pictures, arrays and archives do."""
    return content.startswith(BEGINNINGS)


def decoded(run: bytes) -> bytes:
    """Beginning of what a run of base64 stands for, if it is one."""
    run = re.sub(rb"\\n|[\r\n\\]", b"", run)[:64]
    try:
        return base64.b64decode(run[: len(run) // 4 * 4])
    except binascii.Error:
        return b""


def offence(path: Path) -> str | None:
    """What is wrong with a file, ``None`` if nothing is."""
    content = path.read_bytes()
    if NAMES.search(path.name) or is_picture(content):
        return "a picture, an array or an archive"
    if any(is_picture(decoded(run)) for run in BASE64.findall(content)):
        return "holds a picture or an array in base64"
    if GRAY_VALUES.search(content):
        return "holds a long list of gray values"
    return None


def offences(root: Path, names: list[str]) -> dict[str, str]:
    """Files, by their path below ``root``, with what is wrong."""
    found = {name: offence(root / name) for name in names if name not in ALLOWED}
    return {name: wrong for name, wrong in found.items() if wrong is not None}


def tracked() -> list[str]:
    """Files of the repository that are there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_picture_is_in_the_repository():
    names = tracked()
    assert "tests/test_pictures.py" in names or len(names) > 100
    assert offences(ROOT, names) == {}


def test_what_is_allowed_is_there():
    assert set(tracked()) >= ALLOWED


GRAY = np.random.RandomState(0).randint(0, 256, (64, 64), dtype=np.uint8)


def as_npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, GRAY)
    return buffer.getvalue()


def as_npz() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("images.npy", as_npy())
    return buffer.getvalue()


def as_png() -> bytes:
    figure = pytest.importorskip("matplotlib.image")
    buffer = io.BytesIO()
    figure.imsave(buffer, GRAY, format="png", cmap="gray")
    return buffer.getvalue()


def in_html() -> bytes:
    return b'<img src="data:image/png;base64,' + base64.b64encode(as_png()) + b'">'


def in_notebook() -> bytes:
    text = base64.encodebytes(as_png()).replace(b"\n", b"\\n")
    return b'{"data": {"image/png": "' + text + b'"}}'


def array_in_base64() -> bytes:
    return b'FACE = "' + base64.b64encode(as_npy()) + b'"\n'


def as_numbers() -> bytes:
    buffer = io.StringIO()
    np.savetxt(buffer, GRAY, fmt="%d", delimiter=",")
    return buffer.getvalue().encode()


def as_list() -> bytes:
    return f"FACE = {GRAY.tolist()}".encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("face.png", as_png),
        ("face.PNG", as_png),
        ("face.txt", as_png),  # whatever its name
        ("faces.npy", as_npy),
        ("faces.npz", as_npz),
        ("faces.dat", as_npz),
        ("face.jpg", lambda: b""),
        ("index.html", in_html),
        ("plot.svg", in_html),
        ("example.ipynb", in_notebook),
        ("faces.py", array_in_base64),
        ("face.csv", as_numbers),
        ("face.rst", as_list),
    ],
)
def test_a_planted_picture_is_found(tmp_path, name, content):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / name).write_bytes(content())
    (tmp_path / "README.md").write_text("No picture.")
    assert list(offences(tmp_path, ["README.md", f"docs/{name}"])) == [f"docs/{name}"]


def test_results_and_digests_are_no_pictures(tmp_path):
    rows = np.random.RandomState(0).random_sample((500, 9)).round(4)
    np.savetxt(tmp_path / "table.csv", rows, fmt="%.4g", delimiter=",")
    (tmp_path / "digests.txt").write_text("e2a851063cc398966c9d11a1b0e6e6f9" * 40)
    (tmp_path / "plot.svg").write_text('<svg><path d="M 0.5 1.25 L 3.5 4.5"/></svg>' * 99)
    assert offences(tmp_path, ["table.csv", "digests.txt", "plot.svg"]) == {}
