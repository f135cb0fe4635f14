/*
 * virtual_faults.h - what can go wrong with one request to the table of virtual_storage.h.
 *
 * Each file that includes it has its own `fault`, `first_bad` and `last_bad`: which requests fail,
 * and how.
 */
#ifndef SUPPORT_VIRTUAL_FAULTS_H
#define SUPPORT_VIRTUAL_FAULTS_H

#include <stdio.h>

#include "support/fakes/virtual_storage.h"

enum fault {
    LOST,
    HANGS,
    UNSENT,
    CLOSED,
    BUSY,
    FORBIDDEN,
    NO_ROW,
    NO_TABLE,
    CHANGED,
    GARBAGE,
    FOREIGN,
    THERE,
    /* It has its effect, but its answer is lost. Only for a test that has a table. */
    UNHEARD,
    FAULTS
};

static enum fault fault;
static int first_bad, last_bad;
static enum status unheard_as = STATUS_UNAVAILABLE; /* how the network tells of UNHEARD */

static inline void refuse(struct virtual_answer *out, int http_status, const char *code) {
    out->http_status = http_status;
    snprintf(out->body, sizeof out->body, "{\"odata.error\":{\"code\":\"%s\"}}", code);
}

static inline void answer_badly(struct virtual_answer *out) {
    static const struct {
        int http_status;
        const char *code;
    } refusals[FAULTS] = {[BUSY] = {503, "ServerBusy"},
                          [FORBIDDEN] = {403, "AuthorizationFailure"},
                          [NO_ROW] = {404, "ResourceNotFound"},
                          [NO_TABLE] = {404, "TableNotFound"},
                          [CHANGED] = {412, "UpdateConditionNotSatisfied"},
                          [THERE] = {409, "EntityAlreadyExists"}};
    out->http_status = 200;
    snprintf(out->body, sizeof out->body, "{\"garbage\"");
    if (refusals[fault].http_status != 0) {
        refuse(out, refusals[fault].http_status, refusals[fault].code);
    }
    out->is_foreign = fault == FOREIGN;
    out->hangs = fault == HANGS;
    out->lost = fault == LOST      ? STATUS_UNAVAILABLE
                : fault == UNHEARD ? unheard_as
                : fault == CLOSED  ? STATUS_CANCELLED
                                   : STATUS_OK;
    out->refused = fault == UNSENT ? STATUS_NO_MEMORY : STATUS_OK;
}

#endif
