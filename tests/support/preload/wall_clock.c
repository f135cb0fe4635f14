/*
 * wall_clock.c - a wall clock that a test sets, for a program that has this library in LD_PRELOAD.
 *
 * What asks for the time of day is told the machine's and an offset, which is an int64_t of
 * milliseconds in the file that WALL_CLOCK_OFFSET names (tests/support/fakes/wall_clock.h writes
 * it). The file is mapped, so that a jump is one store. All other clocks, and all timers and waits,
 * are left to the system. (Debian's libfaketime 0.9.10 is no help here: whatever its settings, it
 * bends timerfd_settime on CLOCK_BOOTTIME and pthread_cond_timedwait on CLOCK_MONOTONIC, too.)
 *
 * The system is asked without the C library's functions: those are ours here, or a sanitizer's that
 * come back to us.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t *offset_ms; /* NULL until the library is set up */

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("WALL_CLOCK_OFFSET");
    int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void *mapped =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset_ms, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        fprintf(stderr, "wall_clock: WALL_CLOCK_OFFSET=%s: %s\n", path == NULL ? "" : path,
                strerror(errno));
        abort();
    }
    close(fd);
    offset_ms = mapped;
}

static void shift(struct timespec *time) {
    int64_t ms = offset_ms == NULL ? 0 : atomic_load(offset_ms);
    int64_t ns = time->tv_nsec + ms % 1000 * 1000000 +
                 1000000000; /* one second more, so that it is not negative */
    time->tv_sec += (time_t)(ms / 1000 + ns / 1000000000 - 1);
    time->tv_nsec = (long)(ns % 1000000000);
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): theirs are reserved names */

int clock_gettime(clockid_t id, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, id, time);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        shift(time);
    }
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
