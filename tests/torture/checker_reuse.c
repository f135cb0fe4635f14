/*
 * checker_reuse.c - different requests under one key: one of them at most is carried out, and the
 * others are told.
 */
#include <inttypes.h>
#include <string.h>

#include "torture/checker_model.h"

static bool is_same_key(const struct history_record *a, const struct history_record *b) {
    return a->key[0] != '\0' && strcmp(a->key, b->key) == 0;
}

/* What one attempt under a key tells of another request under the same: `other`. */
static void check_reused_attempt(const struct checker_model *model,
                                 const struct history_record *attempt,
                                 const struct checker_change *other) {
    const struct history_record *evidence[2] = {other->record, attempt};
    bool decided = attempt->outcome == HISTORY_DONE || attempt->outcome == HISTORY_REFUSED;
    if (other->outcome == HISTORY_DONE && decided &&
        (attempt->outcome == HISTORY_DONE || attempt->sent_ms > other->window.to_ms)) {
        checker_violate(model->report, CHECKER_REUSED, evidence, 2,
                        "key %s was used for a request that was done at version %" PRId64
                        ", and another request under it was %s",
                        attempt->key, other->record->version,
                        history_outcome_name(attempt->outcome));
    }
}

/*
 * Whether a request under this key, but of another kind or for something else, was done or may have
 * been.
 */
static bool may_be_used(const struct checker_model *model, size_t change,
                        const struct history_record *attempt) {
    size_t first = change;
    while (first > 0 && is_same_key(model->changes[first - 1].record, attempt)) {
        first--;
    }
    for (size_t i = first;
         i < model->change_count && is_same_key(model->changes[i].record, attempt); i++) {
        bool may_be_done = model->changes[i].outcome == HISTORY_DONE ||
                           model->changes[i].outcome == HISTORY_UNKNOWN;
        if (i != change && may_be_done &&
            model->changes[i].window.from_ms <= attempt->answered_ms) {
            return true;
        }
    }
    return false;
}

/* Requests under one key lie side by side in `changes`, and in `attempts`. */
void checker_reuse_check(const struct checker_model *model,
                         const struct history_record *const *attempts, size_t count) {
    for (size_t i = 0, change = 0; i < count; i++) {
        while (checker_model_compare_requests(model->changes[change].record, attempts[i]) != 0) {
            change++;
        }
        if (attempts[i]->outcome == HISTORY_REUSED && !may_be_used(model, change, attempts[i])) {
            checker_violate(model->report, CHECKER_REUSED, &attempts[i], 1,
                            "key %s was used for no other request", attempts[i]->key);
        }
        for (size_t j = change + 1;
             j < model->change_count && is_same_key(model->changes[j].record, attempts[i]); j++) {
            check_reused_attempt(model, attempts[i], &model->changes[j]);
        }
        for (size_t j = change; j > 0 && is_same_key(model->changes[j - 1].record, attempts[i]);
             j--) {
            check_reused_attempt(model, attempts[i], &model->changes[j - 1]);
        }
    }
}
