#include "base/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t id) {
    struct timespec time;
    clock_gettime(id, &time); /* it cannot fail: Linux has both clocks */
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int64_t system_now_ms(const struct clock *clock) {
    (void)clock;
    return read_ms(CLOCK_BOOTTIME);
}

static int64_t system_wall_ms(const struct clock *clock) {
    (void)clock;
    return read_ms(CLOCK_REALTIME);
}

const struct clock *clock_system(void) {
    static const struct clock system = {.now_ms = system_now_ms, .wall_ms = system_wall_ms};
    return &system;
}
