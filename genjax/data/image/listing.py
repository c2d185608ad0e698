"""What a folder of pictures holds: pictures, other files, and what cannot be read."""

import dataclasses
import os
import stat
from pathlib import Path
from typing import NamedTuple

EXTENSIONS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff"}
    | {".webp"}
)  # of files that are taken for pictures, in any case; others are left alone
UNREAD = frozenset(
    {".avif", ".cr2", ".dng", ".exr", ".heic", ".heif", ".jp2", ".jxl", ".nef", ".svg", ".tga"}
)  # of pictures that are left alone as well, which is told


class File(NamedTuple):
    """A picture, or a folder that cannot be read."""

    path: str  # below the folder, with "/"
    stamp: tuple[int, int] = (0, 0)  # size in bytes, time of change in ns
    reason: str = ""  # why it cannot be read


@dataclasses.dataclass
class Listing:
    """What lies in a folder and its sub-folders, in order.

    Attributes:
      files: the pictures, those among them that cannot be read with the reason.
      bad_folders: folders that cannot be read, with the reason.
      left_alone: other files, and links that lead back into a folder that they lie in.
      classes: the sub-folders that hold pictures at any depth.
      empty: those that do not.
    """

    files: list[File] = dataclasses.field(default_factory=list)
    bad_folders: list[File] = dataclasses.field(default_factory=list)
    left_alone: list[str] = dataclasses.field(default_factory=list)
    classes: list[str] = dataclasses.field(default_factory=list)
    empty: list[str] = dataclasses.field(default_factory=list)


def listing(folder: Path) -> Listing:
    """Lists `folder`, follows links, passes over hidden names; `OSError` if it cannot be read."""
    found = Listing()
    top: list[str] = []
    root = os.stat(folder)
    # Folders to read, each with those that it lies in: a link into one of them is a loop.
    waiting = [(str(folder), "", frozenset({(root.st_dev, root.st_ino)}))]
    while waiting:
        path, below, within = waiting.pop()
        try:
            entries = os.listdir(path)
        except OSError as e:
            if not below:
                raise
            found.bad_folders.append(File(below, reason=e.strerror or str(e)))
            continue
        for name in entries:
            if name.startswith(".") or name == "__MACOSX":  # where macOS's archives keep ._ files
                continue
            is_picture = os.path.splitext(name)[1].lower() in EXTENSIONS
            inner, file = below + name, os.path.join(path, name)
            try:
                s = os.stat(file)
            except OSError as e:  # a link to nowhere, or in a ring
                if is_picture:
                    found.files.append(File(inner, reason=e.strerror or str(e)))
                else:
                    found.left_alone.append(inner)
                continue
            if stat.S_ISDIR(s.st_mode):
                if (s.st_dev, s.st_ino) in within:
                    found.left_alone.append(f"{inner}/ (a link back)")
                    continue
                top += [] if below else [name]
                waiting.append((file, f"{inner}/", within | {(s.st_dev, s.st_ino)}))
            elif is_picture:
                found.files.append(File(inner, (s.st_size, s.st_mtime_ns), _unreadable(file, s)))
            else:
                found.left_alone.append(inner)
    found.files.sort()
    found.bad_folders.sort()
    # Those first that look like pictures.
    found.left_alone.sort(key=lambda p: (os.path.splitext(p)[1].lower() not in UNREAD, p))
    found.classes = sorted({f.path.split("/")[0] for f in found.files if "/" in f.path})
    found.empty = sorted(set(top) - set(found.classes) - {f.path[:-1] for f in found.bad_folders})
    return found


def _unreadable(path: str, s: os.stat_result) -> str:
    if not stat.S_ISREG(s.st_mode):
        return "no regular file"
    return "" if os.access(path, os.R_OK) else "Permission denied"
