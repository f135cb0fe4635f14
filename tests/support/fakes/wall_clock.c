#include "support/fakes/wall_clock.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

void wall_clock_open(struct wall_clock *wall_clock) {
    memset(wall_clock, 0, sizeof *wall_clock);
    const char *programs = getenv("LEASEHOLD_BIN");
    ck_assert_msg(programs != NULL, "LEASEHOLD_BIN is not set: run the tests with `make test`");
    char library[4000];
    snprintf(library, sizeof library, "%s/../preload/wall_clock.so", programs);
    ck_assert_msg(access(library, R_OK) == 0, "%s: %s", library, strerror(errno));
    snprintf(wall_clock->preload, sizeof wall_clock->preload, "LD_PRELOAD=%s", library);

    strcpy(wall_clock->path, "/tmp/leasehold-clock-XXXXXX");
    int fd = mkstemp(wall_clock->path);
    ck_assert_msg(fd >= 0 && ftruncate(fd, sizeof *wall_clock->offset_ms) == 0, "%s: %s",
                  wall_clock->path, strerror(errno));
    void *mapped =
        mmap(NULL, sizeof *wall_clock->offset_ms, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_msg(mapped != MAP_FAILED, "mmap: %s", strerror(errno));
    close(fd);
    wall_clock->offset_ms = mapped;
    snprintf(wall_clock->offset_variable, sizeof wall_clock->offset_variable,
             "WALL_CLOCK_OFFSET=%s", wall_clock->path);
}

void wall_clock_close(struct wall_clock *wall_clock) {
    if (wall_clock->offset_ms != NULL) {
        munmap(wall_clock->offset_ms, sizeof *wall_clock->offset_ms);
        unlink(wall_clock->path);
    }
    memset(wall_clock, 0, sizeof *wall_clock);
}

void wall_clock_set(struct wall_clock *wall_clock, int64_t offset_ms) {
    atomic_store(wall_clock->offset_ms, offset_ms);
}

int64_t wall_clock_ms(const struct wall_clock *wall_clock) {
    return clock_wall_ms(clock_system()) + atomic_load(wall_clock->offset_ms);
}
