"""No picture is among the repository's files: CelebA's terms forbid passing on any portion."""

import base64
import io
import re
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
OWN_PLOTS = frozenset({"docs/_static/audit.png"})  # from the root, of our own results
LARGEST_WEIGHTS = 64 * 64  # of a model that a test loads
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".npz", ".npy"}
FIRST_BYTES = {  # of a picture or an array, whatever its name
    "png": b"\x89PNG",
    "jpeg": b"\xff\xd8\xff",
    "gif": b"GIF8",
    "bmp": b"BM",
    "tiff": b"II*\x00",
    "npy": b"\x93NUMPY",
    "zip, npz": b"PK\x03\x04",
}
EMBEDDED = re.compile(
    rb"data:image/(?!svg)[a-z]+;base64,[A-Za-z0-9+/]{16}"
    rb"|(?:iVBORw0KGgo|/9j/|R0lGOD|UklGR|k05VTVBZ)[A-Za-z0-9+/\s\\]{200}"
)


def files_of(root):
    """What git tracks, and what it would: a file that a test left is among them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git, and a repository")
    return sorted(set(listed.decode().split("\0")) - {""})


def offense(path):
    """Why this file is a picture, or nothing."""
    if path.suffix.lower() in SUFFIXES:
        return f"is named {path.suffix}"
    content = path.read_bytes()
    if path.suffix == ".skops":
        return offense_of_model(content)
    for kind, first in FIRST_BYTES.items():
        if content.startswith(first) and not content.isascii():
            return f"starts like {kind}"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "starts like webp"
    if EMBEDDED.search(content):
        return "has a picture in base64"
    return None


def offense_of_model(content):
    """Why this file is no stored model of a test, or nothing: weights of a few units."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for part in archive.infolist():
            if Path(part.filename).suffix not in (".json", ".npy"):
                return f"holds {part.filename}"
            if part.filename.endswith(".npy"):
                array = np.load(io.BytesIO(archive.read(part)), allow_pickle=False)
                if array.dtype == np.uint8 or array.size > LARGEST_WEIGHTS:
                    return f"holds an array of shape {array.shape}, {array.dtype}"
    return None


def offenses(root):
    """The pictures among a repository's files, but for our own plots."""
    paths = [name for name in files_of(root) if name not in OWN_PLOTS]
    found = {name: offense(root / name) for name in paths if (root / name).is_file()}
    return {name: why for name, why in found.items() if why}


def test_no_picture_is_in_the_repository():
    assert len(files_of(ROOT)) > 100
    assert offenses(ROOT) == {}


def test_own_plots_exist():
    assert set(files_of(ROOT)) >= OWN_PLOTS


def picture(kind):
    """A random picture as matplotlib writes it."""
    plt = pytest.importorskip("matplotlib.image")
    buffer = io.BytesIO()
    plt.imsave(buffer, np.random.RandomState(0).rand(16, 16), format=kind, cmap="gray")
    return buffer.getvalue()


def array():
    buffer = io.BytesIO()
    np.save(buffer, np.random.RandomState(0).randint(0, 256, (32, 32), np.uint8))
    return buffer.getvalue()


def archive():
    buffer = io.BytesIO()
    np.savez(buffer, images=np.zeros((2, 8, 8), np.uint8))
    return buffer.getvalue()


def cell(content):
    """Output of a notebook."""
    return b'{"image/png": "' + base64.b64encode(content) + b'"}'


def page(content):
    """Part of a page."""
    return b'<img src="data:image/png;base64,' + base64.b64encode(content) + b'">'


def wrapped(content):
    """Lines as an e-mail or a module would have them."""
    return b'FACE = """\n' + base64.encodebytes(content) + b'"""\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("docs/face.png", lambda: b"any"),
        ("face.JPG", lambda: b"any"),
        ("face.jpeg", lambda: b"any"),
        ("face.webp", lambda: b"any"),
        ("face.gif", lambda: b"any"),
        ("faces.npz", archive),
        ("faces.npy", array),
        ("png_by_another_name.txt", lambda: picture("png")),
        ("jpeg_by_another_name.dat", lambda: picture("jpeg")),
        ("array_by_another_name.bin", array),
        ("archive_by_another_name.bin", archive),
        ("faces.skops", archive),
        ("notebook.ipynb", lambda: cell(picture("png"))),
        ("page.html", lambda: page(picture("png"))),
        ("module.py", lambda: wrapped(picture("png"))),
        ("jpeg.py", lambda: wrapped(picture("jpeg"))),
        ("array.py", lambda: wrapped(array())),
    ],
)
def test_a_planted_picture_is_found(tmp_path, name, content):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "clean.csv").write_text("method,AUC\nplain,0.8\n")
    (tmp_path / "data.py").write_text("ICON = 'data:image/svg+xml'  # base64, a word, is none\n")
    assert offenses(tmp_path) == {}
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content())
    assert list(offenses(tmp_path)) == [name]
