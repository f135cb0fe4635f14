/* TimeSpans, lease durations, thresholds, whole numbers: the settings' values that are numbers. */
#include <string.h>

#include "base/timespan.h"
#include "fuzz/input.h"
#include "lease/lease_options.h"
#include "settings/setting.h"
#include "settings/setting_rules.h"

#define MOST_MS INT64_C(922337203685477) /* a TimeSpan holds 2^63 - 1 ticks of 100 ns */

/* Returns the number behind the colon with this index. */
static long number_behind(const char *text, int index) {
    for (int i = 0; i <= index; i++) {
        text = strchr(text, ':');
        REQUIRE(text != NULL);
        text++;
    }
    return strtol(text, NULL, 10);
}

static void check_timespan(const char *text) {
    int64_t ms = -1, again_ms = -1;
    if (!timespan_parse(text, &ms)) {
        REQUIRE(ms == -1);
        return;
    }
    REQUIRE(ms >= 0 && ms <= MOST_MS + 24 * 3600 * 1000);
    REQUIRE(input_consists_of(text, "0123456789:.", 5, 25));
    char formatted[TIMESPAN_TEXT_BYTES];
    memset(formatted, 'x', sizeof formatted);
    timespan_format(ms, formatted);
    REQUIRE(memchr(formatted, '\0', sizeof formatted) != NULL);
    REQUIRE(timespan_parse(formatted, &again_ms) && again_ms == ms);
    REQUIRE(number_behind(formatted, 0) == number_behind(text, 0));
    REQUIRE(number_behind(formatted, 1) == number_behind(text, 1));
}

static void check_numbers(const char *text) {
    int seconds = 7;
    if (setting_parse_lease_duration(NULL, text, &seconds) == STATUS_OK) {
        REQUIRE(seconds == LEASEHOLD_INFINITE ||
                (seconds >= LEASE_MIN_DURATION_S && seconds <= LEASE_MAX_DURATION_S));
    } else {
        REQUIRE(seconds == 7);
    }
    double threshold = 7;
    if (setting_parse_safety_threshold(NULL, text, &threshold) == STATUS_OK) {
        REQUIRE(threshold >= 0.5 && threshold <= 0.95);
        REQUIRE(strtod(text, NULL) > threshold - 1e-9 && strtod(text, NULL) < threshold + 1e-9);
    } else {
        REQUIRE(threshold > 6);
    }
    int64_t number = -1;
    if (setting_whole_number(text, 0, 1000000000, &number)) {
        REQUIRE(number == strtoll(text, NULL, 10) && number <= 1000000000);
    } else {
        REQUIRE(number == -1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = input_of(data, size);
    char *text = input_take_text(&input);
    check_timespan(text);
    check_numbers(text);
    free(text);
    return 0;
}
