"""A disk of its own that is too small: a tmpfs that only this process and its children reach."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

from tests.leaving_out import leave_out


class SmallDisk:
    """A tmpfs in a mount namespace that lives as long as the block; `root` is the way to it."""

    def __init__(self, folder: Path, options: str) -> None:
        folder.mkdir()
        self._folder, self._options = folder, options

    def __enter__(self) -> Self:
        tools = [shutil.which(name) for name in ("unshare", "nsenter", "mount")]
        if None in tools:
            leave_out("unshare, nsenter or mount is not installed")
        mount = f'mount -t tmpfs -o mode=0700,{self._options} tapewatch "$0" && echo ready && cat'
        self._holder = subprocess.Popen(  # noqa: S603
            ["unshare", "--mount", "--propagation=private", "sh", "-c", mount, str(self._folder)],  # noqa: S607
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._holder.stdout.readline() != "ready\n":
            leave_out(f"no tmpfs can be mounted here: {self._holder.communicate()[1].strip()}")
        self.root = Path(f"/proc/{self._holder.pid}/root{self._folder}")
        return self

    def __exit__(self, *_: object) -> None:
        self._holder.communicate()  # its `cat` ends with its input, and the tmpfs with it

    def free_bytes(self) -> int:
        told = os.statvfs(self.root)
        return told.f_bavail * told.f_frsize

    def free_inodes(self) -> int:
        return os.statvfs(self.root).f_ffree

    def leave_bytes(self, size: int) -> None:
        """Fill the disk with one file until `size` bytes are left."""
        with (self.root / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, self.free_bytes() - size)

    def leave_inodes(self, count: int) -> None:
        """Fill the disk with empty files until `count` more can be made."""
        (self.root / "fillers").mkdir()
        for number in range(self.free_inodes() - count):
            (self.root / "fillers" / str(number)).touch()

    def clear(self) -> None:
        """Remove what fills the disk."""
        (self.root / "filler").unlink(missing_ok=True)
        shutil.rmtree(self.root / "fillers", ignore_errors=True)

    def remount(self, how: str) -> None:
        command = ["nsenter", f"--target={self._holder.pid}", "--mount"]
        command += ["mount", "-o", f"remount,{how}", str(self._folder)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
