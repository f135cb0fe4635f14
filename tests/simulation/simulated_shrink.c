#include "simulation/simulated_shrink.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_RUNS = 2000 };

static bool still_fails(struct simulated_shrunk *shrunk,
                        const struct simulated_run_options *options) {
    struct simulated_result result;
    simulated_run(options, &result);
    free(result.strikes);
    shrunk->runs++;
    return result.rule == shrunk->rule;
}

/* Tries the plan without its strikes `from` to `from` + `count` - 1. */
static bool leave_out(struct simulated_shrunk *shrunk, size_t from, size_t count) {
    struct simulated_faults *faults = &shrunk->faults;
    size_t rest = faults->count - from - count, bytes = faults->count * sizeof *faults->strikes;
    struct simulated_strike *before = malloc(bytes + 1);
    memcpy(before, faults->strikes, bytes);
    memmove(&faults->strikes[from], &faults->strikes[from + count], rest * sizeof *faults->strikes);
    faults->count -= count;
    bool fails = still_fails(shrunk, &shrunk->options);
    if (!fails) {
        faults->count += count;
        memcpy(faults->strikes, before, bytes);
    }
    free(before);
    return fails;
}

/* Leaves out halves, then quarters, and at last single strikes, until none can go. */
static void shrink_faults(struct simulated_shrunk *shrunk) {
    for (size_t part = shrunk->faults.count; part > 0 && shrunk->runs < MOST_RUNS; part /= 2) {
        bool any = true;
        while (any && shrunk->runs < MOST_RUNS) {
            any = false;
            for (size_t from = 0;
                 from + part <= shrunk->faults.count && shrunk->runs < MOST_RUNS;) {
                bool is_gone = leave_out(shrunk, from, part);
                any = any || is_gone;
                from += is_gone ? 0 : part;
            }
            any = any && part == 1;
        }
    }
}

/* Makes a number smaller, down to 1, for as long as the run fails: by half, then by one. */
static void shrink_number(struct simulated_shrunk *shrunk, int64_t present,
                          void (*set)(struct simulated_run_options *options, int64_t value)) {
    int64_t cut = present / 2;
    while (cut > 0 && shrunk->runs < MOST_RUNS) {
        struct simulated_run_options options = shrunk->options;
        set(&options, present - cut);
        if (present - cut >= 1 && still_fails(shrunk, &options)) {
            shrunk->options = options;
            present -= cut;
        } else {
            cut /= 2;
        }
    }
}

static void set_operations(struct simulated_run_options *options, int64_t value) {
    options->operations = value;
}

static void set_callers(struct simulated_run_options *options, int64_t value) {
    options->caller_count = (int)value;
}

static void set_apps(struct simulated_run_options *options, int64_t value) {
    options->app_count = (int)value;
}

void simulated_shrink(const struct simulated_run_options *options, struct simulated_result *failed,
                      struct simulated_shrunk *out) {
    *out = (struct simulated_shrunk){.options = *options, .rule = failed->rule};
    out->faults = (struct simulated_faults){
        .is_planned = true, .strikes = failed->strikes, .count = failed->strike_count};
    failed->strikes = NULL;
    out->options.plan = &out->faults;
    out->options.prints = false;
    out->options.app_count = failed->app_count;
    out->options.caller_count = failed->caller_count;
    size_t before;
    do {
        before = out->faults.count;
        shrink_number(out, out->options.operations, set_operations);
        shrink_faults(out);
        shrink_number(out, out->options.caller_count, set_callers);
        shrink_number(out, out->options.app_count, set_apps);
    } while (out->faults.count < before && out->runs < MOST_RUNS);
}

void simulated_shrunk_cleanup(struct simulated_shrunk *shrunk) {
    free(shrunk->faults.strikes);
}
