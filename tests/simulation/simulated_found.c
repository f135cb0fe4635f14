#include "simulation/simulated_found.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 256, NAME_BYTES = 32 };

static bool read_fault(const char *line, struct simulated_faults *plan) {
    char name[NAME_BYTES];
    int64_t step = 0;
    int64_t last = plan->count == 0 ? 0 : plan->strikes[plan->count - 1].step;
    if (sscanf(line, "fault %" SCNd64 " %31[A-Z_]", &step, name) != 2 || step <= last) {
        return false;
    }
    for (int fault = 1; fault < SIMULATED_FAULTS; fault++) {
        if (strcmp(simulated_fault_name((enum simulated_fault)fault), name) == 0) {
            simulated_faults_add(plan, step, (enum simulated_fault)fault);
            return true;
        }
    }
    return false;
}

static bool read_scenario(const char *line, struct simulated_run_options *out) {
    char name[LINE_BYTES];
    if (sscanf(line, "scenario %255[^\n]", name) != 1) {
        return false;
    }
    for (int i = 0; i < simulated_scenario_count; i++) {
        if (strcmp(simulated_scenarios[i].name, name) == 0) {
            out->scenario = &simulated_scenarios[i];
        }
    }
    return out->scenario != NULL;
}

static bool read_no_sales(const char *line, struct simulated_run_options *out) {
    bool is_meant = strcmp(line, "no sales\n") == 0;
    out->has_no_sales = out->has_no_sales || is_meant;
    return is_meant;
}

static bool read_line(const char *line, struct simulated_run_options *out,
                      struct simulated_faults *plan) {
    return line[0] == '#' || line[0] == '\n' || sscanf(line, "seed %" SCNu64, &out->seed) == 1 ||
           sscanf(line, "operations %" SCNd64, &out->operations) == 1 ||
           sscanf(line, "instances %d", &out->app_count) == 1 ||
           sscanf(line, "callers %d", &out->caller_count) == 1 || read_no_sales(line, out) ||
           read_scenario(line, out) || read_fault(line, plan);
}

bool simulated_found_read(const char *path, struct simulated_run_options *out,
                          struct simulated_faults *plan) {
    char line[LINE_BYTES];
    FILE *file = fopen(path, "re");
    bool is_read = file != NULL;
    *out = (struct simulated_run_options){.plan = plan};
    *plan = (struct simulated_faults){.is_planned = true};
    while (is_read && fgets(line, sizeof line, file) != NULL) {
        is_read = read_line(line, out, plan);
    }
    if (file != NULL) {
        fclose(file);
    }
    bool has_callers = out->operations > 0 && out->app_count > 0 && out->caller_count > 0;
    is_read = is_read && (has_callers || out->scenario != NULL);
    if (!is_read) {
        simulated_faults_cleanup(plan);
    }
    return is_read;
}

bool simulated_found_has_struck(const struct simulated_run_options *run,
                                const struct simulated_result *result) {
    int64_t struck = 0;
    for (int fault = 1; fault < SIMULATED_FAULTS; fault++) {
        struck += result->struck[fault];
    }
    return struck == (int64_t)run->plan->count;
}

void simulated_found_print(const struct simulated_run_options *run) {
    printf("seed %" PRIu64 "\n", run->seed);
    if (run->scenario != NULL) {
        printf("scenario %s\n", run->scenario->name);
    } else {
        printf("operations %" PRId64 "\ninstances %d\ncallers %d\n%s", run->operations,
               run->app_count, run->caller_count, run->has_no_sales ? "no sales\n" : "");
    }
    for (size_t i = 0; i < run->plan->count; i++) {
        const struct simulated_strike *strike = &run->plan->strikes[i];
        printf("fault %" PRId64 " %s\n", strike->step, simulated_fault_name(strike->fault));
    }
}
