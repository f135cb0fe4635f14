/*
 * simulated_answer.h - what a service answers to one request: its own part of it. What every
 * answer has (Date, ids, ...) is added by simulated_storage.c.
 */
#ifndef SIMULATION_STORAGE_SIMULATED_ANSWER_H
#define SIMULATION_STORAGE_SIMULATED_ANSWER_H

#include "base/strbuf.h"

/* Why a request is refused. `code` is static; NULL: it is not refused. */
struct simulated_refusal {
    int http_status;
    const char *code;
};

#define SIMULATED_ACCEPTED ((struct simulated_refusal){0, NULL})

struct simulated_answer {
    int http_status;
    const char *code;      /* of an error; "" if it is none */
    struct strbuf headers; /* whole lines */
    struct strbuf body;
};

/* As the Blob service refuses: XML, and the code in x-ms-error-code. */
void simulated_answer_refuse_blob(struct simulated_answer *answer,
                                  struct simulated_refusal refusal);

/*
 * As the Table service refuses: JSON. It sends no x-ms-error-code, as the answers show that Azure's
 * SDKs keep for their tests (azure-sdk-for-js, sdk/tables); Azurite does.
 */
void simulated_answer_refuse_table(struct simulated_answer *answer,
                                   struct simulated_refusal refusal);

/*
 * Appends the Table service's error. `index`: of the operation that a transaction failed with,
 * which its message begins with; -1: none.
 */
void simulated_answer_append_error(struct strbuf *out, struct simulated_refusal refusal, int index);

/* Appends "Name: value\r\n". */
void simulated_answer_add_header(struct strbuf *headers, const char *name, const char *value);

/* The reason phrase of a status. */
const char *simulated_answer_reason(int http_status);

/* The header of a body of JSON. */
#define SIMULATED_JSON_TYPE \
    "Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8\r\n"

#endif
