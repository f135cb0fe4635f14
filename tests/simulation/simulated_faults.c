#include "simulation/simulated_faults.h"

#include <stdlib.h>

const char *simulated_fault_name(enum simulated_fault fault) {
    static const char *const names[] = {
#define SIMULATED_FAULT_NAME(name, text) #name,
        SIMULATED_FAULT_TABLE(SIMULATED_FAULT_NAME)
#undef SIMULATED_FAULT_NAME
    };
    return names[fault];
}

const char *simulated_fault_text(enum simulated_fault fault) {
    static const char *const texts[] = {
#define SIMULATED_FAULT_TEXT(name, text) text,
        SIMULATED_FAULT_TABLE(SIMULATED_FAULT_TEXT)
#undef SIMULATED_FAULT_TEXT
    };
    return texts[fault];
}

void simulated_faults_draw(struct simulated_faults *faults, uint64_t seed) {
    *faults = (struct simulated_faults){.random = simulated_random_new(seed, 'f')};
    struct simulated_random *random = &faults->random;
    int64_t style = simulated_random_below(random, 10);
    int64_t only = 1 + simulated_random_below(random, SIMULATED_FAULTS - 1);
    double highest = (double)simulated_random_spread(random, 1, 100) / 1000;
    bool loses_table = simulated_random_chance(random, 0.05);
    for (int fault = 1; fault < SIMULATED_FAULTS && style > 0; fault++) {
        bool is_on = style < 4   ? fault == only
                     : style < 7 ? simulated_random_chance(random, 0.3)
                                 : true;
        is_on = is_on && (fault != SIMULATED_DELETE_TABLE || loses_table);
        faults->rates[fault] =
            is_on ? highest * (double)simulated_random_spread(random, 1, 100) / 100 : 0;
        faults->rate_of_all += faults->rates[fault];
    }
    for (int fault = 1; fault < SIMULATED_FAULTS && faults->rate_of_all > 0.5; fault++) {
        faults->rates[fault] *= 0.5 / faults->rate_of_all;
    }
    faults->rate_of_all = faults->rate_of_all > 0.5 ? 0.5 : faults->rate_of_all;
}

void simulated_faults_cleanup(struct simulated_faults *faults) {
    free(faults->strikes);
    *faults = (struct simulated_faults){.count = 0};
}

static enum simulated_fault draw(struct simulated_faults *faults) {
    if (!simulated_random_chance(&faults->random, faults->rate_of_all)) {
        return SIMULATED_NONE;
    }
    double at =
        faults->rate_of_all * (double)simulated_random_below(&faults->random, 1000000) / 1000000;
    int fault = 1;
    while (fault < SIMULATED_FAULTS - 1 && at >= faults->rates[fault]) {
        at -= faults->rates[fault++];
    }
    return (enum simulated_fault)fault;
}

void simulated_faults_add(struct simulated_faults *faults, int64_t step,
                          enum simulated_fault fault) {
    if (faults->count == faults->capacity) {
        faults->capacity = faults->capacity == 0 ? 64 : 2 * faults->capacity;
        faults->strikes = reallocarray(faults->strikes, faults->capacity, sizeof *faults->strikes);
        if (faults->strikes == NULL) {
            abort();
        }
    }
    faults->strikes[faults->count++] = (struct simulated_strike){step, fault};
}

static enum simulated_fault look_up(struct simulated_faults *faults, int64_t step) {
    while (faults->next < faults->count && faults->strikes[faults->next].step < step) {
        faults->next++;
    }
    bool is_struck = faults->next < faults->count && faults->strikes[faults->next].step == step;
    return is_struck ? faults->strikes[faults->next].fault : SIMULATED_NONE;
}

enum simulated_fault simulated_faults_at(struct simulated_faults *faults, int64_t step) {
    if (faults->is_over) {
        return SIMULATED_NONE;
    }
    enum simulated_fault fault = faults->is_planned ? look_up(faults, step) : draw(faults);
    if (!faults->is_planned && fault != SIMULATED_NONE) {
        simulated_faults_add(faults, step, fault);
    }
    faults->struck[fault]++;
    return fault;
}
