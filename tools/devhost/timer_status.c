#include "devhost/timer_status.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES = 128 };

bool timer_status_load(struct timer_status *out, const char *folder, const char *name) {
    char path[PATH_MAX];
    struct timer_status status = {0};
    snprintf(path, sizeof path, "%s/%s.timer", folder, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    char line[LINE_BYTES] = "";
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    const char *at = line;
    int64_t *const times[] = {&status.last_ms, &status.next_ms, &status.updated_ms};
    for (size_t i = 0; read && i < sizeof times / sizeof times[0]; i++) {
        char *end;
        *times[i] = strtoll(at, &end, 10);
        read = end != at;
        at = end;
    }
    if (read) {
        *out = status;
    }
    return read;
}

bool timer_status_store(const struct timer_status *status, const char *folder, const char *name) {
    char path[PATH_MAX];
    char written[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.timer", folder, name);
    snprintf(written, sizeof written, "%s/%s.timer.new", folder, name);
    FILE *file = fopen(written, "we");
    if (file == NULL) {
        return false;
    }
    bool good = fprintf(file, "%" PRId64 " %" PRId64 " %" PRId64 "\n", status->last_ms,
                        status->next_ms, status->updated_ms) > 0;
    good = fclose(file) == 0 && good;
    return good && rename(written, path) == 0;
}

bool timer_status_begin(struct timer_status *out, const struct timer_status *stored,
                        const struct schedule *schedule, int64_t now_ms) {
    *out = (struct timer_status){TIMER_STATUS_NEVER, schedule_next_ms(schedule, now_ms), now_ms};
    if (stored == NULL) {
        return false;
    }
    int64_t from_ms = stored->last_ms != TIMER_STATUS_NEVER ? stored->last_ms : stored->updated_ms;
    int64_t expected_ms = schedule_next_ms(schedule, from_ms);
    if (stored->next_ms == expected_ms) {
        *out = *stored;
    } else if (now_ms <= expected_ms) {
        *out = (struct timer_status){TIMER_STATUS_NEVER, expected_ms, from_ms};
    }
    return now_ms > out->next_ms;
}
