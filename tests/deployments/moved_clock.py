"""A clock that a test moves while processes run: what is due at three need not be waited for.

Only the wall clock of the processes moves, which a shim between them and libc does; what they wait
by, the monotonic clock, stays. It is compiled where the test runs.
"""

import mmap
import shutil
import struct
import subprocess
import time
from datetime import datetime

SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const long *moved;

__attribute__((constructor)) static void open_file(void) {
    const char *path = getenv("MOVED_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) moved = at;
    close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && moved && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *moved;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    int failed = syscall(SYS_gettimeofday, now, zone);
    if (!failed && moved) now->tv_sec += *moved;
    return failed;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


class MovedClock:
    """The wall clock of every process that is started with `environment`."""

    def __init__(self, folder):
        self._file = folder / "moved_clock"
        self._file.write_bytes(struct.pack("l", 0))
        shim = folder / "moved_clock.so"
        command = ["cc", "-shared", "-fPIC", "-O1", "-x", "c", "-", "-o", str(shim)]
        subprocess.run(command, input=SHIM.encode(), check=True)  # noqa: S603 - the compiler
        self.environment = {"LD_PRELOAD": str(shim), "MOVED_CLOCK": str(self._file)}

    @staticmethod
    def is_possible():
        """Whether there is a compiler."""
        return shutil.which("cc") is not None

    def move_to(self, moment: datetime):
        """Let it be this moment now, in every process at once."""
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
            shared[:] = struct.pack("l", round(moment.timestamp() - time.time()))
