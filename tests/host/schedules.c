/*
 * schedules - what devhost makes of schedules, for `make test-host` to compare with NCrontab's own
 * library.
 *
 * Reads lines "AFTER COUNT SCHEDULE" and answers each with one line: the first COUNT times after
 * AFTER, or "invalid". Times are milliseconds since 1970 UTC; "never" stands for none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devhost/schedule.h"

static void answer(char *line) {
    char *rest;
    int64_t time_ms = strtoll(line, &rest, 10);
    long count = strtol(rest, &rest, 10);
    rest[strcspn(rest, "\n")] = '\0';
    struct schedule schedule;
    if (schedule_parse(rest + 1, &schedule, NULL) != STATUS_OK) {
        puts("invalid");
        return;
    }
    for (long i = 0; i < count && time_ms != INT64_MAX; i++) {
        time_ms = schedule_next_ms(&schedule, time_ms);
        if (time_ms == INT64_MAX) {
            fputs("never ", stdout);
        } else {
            printf("%" PRId64 " ", time_ms);
        }
    }
    putchar('\n');
}

int main(void) {
    char line[1024];
    while (fgets(line, sizeof line, stdin) != NULL) {
        answer(line);
    }
    return 0;
}
