#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulation/simulated_beliefs.h"
#include "simulation/simulated_world.h"

/* ---- what storage asks for ---- */

/* What stands in a line behind its name, up to the line's end; "" if there is no such line. */
static struct text find_value(const char *text, const char *name) {
    const char *line = text == NULL ? NULL : strstr(text, name);
    return line == NULL ? (struct text){"", 0}
                        : (struct text){line + strlen(name), strcspn(line + strlen(name), "\r")};
}

/*
 * What tells a lease request or a commit from others: the lease's id; the request's id and the
 * product's version. Others go by nothing of their own: an invocation may have the same query sent
 * by two operations. They get the name "".
 */
static void name_request(char out[SIMULATED_REQUEST_BYTES], struct text action,
                         struct text lease_id, struct text request_id, const char *body) {
    struct text version = find_value(body, "\r\nIf-Match: ");
    out[0] = '\0';
    if (lease_id.length > 0) {
        snprintf(out, SIMULATED_REQUEST_BYTES, "%.*s %.*s", (int)action.length, action.data,
                 (int)lease_id.length, lease_id.data);
    } else if (version.length > 1) { /* any version, "*", is none */
        snprintf(out, SIMULATED_REQUEST_BYTES, "commit %.*s %.*s", (int)request_id.length,
                 request_id.data, (int)version.length, version.data);
    }
}

static struct text first_of(struct text a, struct text b) {
    return a.length > 0 ? a : b;
}

static void name_sent(char out[SIMULATED_REQUEST_BYTES], const char *request) {
    struct text proposed_id = find_value(request, "\r\nx-ms-proposed-lease-id: ");
    name_request(out, find_value(request, "\r\nx-ms-lease-action: "),
                 first_of(find_value(request, "\r\nx-ms-lease-id: "), proposed_id),
                 find_value(request, "\r\nx-ms-client-request-id: "), strstr(request, "\r\n\r\n"));
}

/* Storage has answered again: what it asked for before is over. */
static void end_pauses(struct simulated_pause pauses[SIMULATED_KEPT_PAUSES], const char *request) {
    for (int i = 0; i < SIMULATED_KEPT_PAUSES; i++) {
        if (strcmp(pauses[i].request, request) == 0) {
            pauses[i].request[0] = '\0';
        }
    }
}

void simulated_retry_after_note(struct simulated_world *world, const struct simulated_app *app,
                                const char *request, const struct http_reply *reply) {
    const char *value = http_headers_get(&reply->headers, "Retry-After");
    if (value == NULL && world->simulation.now_us > world->pauses_until_us) {
        return;
    }
    char name[SIMULATED_REQUEST_BYTES];
    name_sent(name, request);
    end_pauses(world->pauses[app->number - 1], name);
    if (value == NULL || name[0] == '\0') {
        return;
    }
    int64_t for_ms = atoll(value) * 1000;
    struct simulated_pause *pause =
        &world->pauses[app->number - 1][world->next_pause++ % SIMULATED_KEPT_PAUSES];
    memcpy(pause->request, name, sizeof pause->request);
    pause->is_renewal = strstr(request, "\r\nx-ms-lease-action: renew\r\n") != NULL;
    pause->process = app->started;
    pause->until_ms = clock_now_ms(&app->process.clock) + for_ms;
    int64_t until_us =
        world->simulation.now_us + 2 * for_ms * SIMULATION_US; /* its clock may drift */
    world->pauses_until_us = until_us > world->pauses_until_us ? until_us : world->pauses_until_us;
}

/* ---- what the app does ---- */

/*
 * Where a renewal's Retry-After lies past the lease's end, the last attempt is made shortly before
 * that.
 */
struct last_attempt {
    const char *lease_id;
    int64_t safe_until_ms; /* 0: the lease is not held */
};

static void find_end(void *context, const struct simulated_belief *belief) {
    struct last_attempt *last = context;
    if (strcmp(belief->lease_id, last->lease_id) == 0) {
        last->safe_until_ms = belief->until_ms;
    }
}

static bool is_last_attempt(const struct simulated_app *app, const struct simulated_pause *pause,
                            const char *lease_id, int64_t now_ms) {
    struct last_attempt last = {.lease_id = lease_id};
    simulated_beliefs_each(app->leases, find_end, &last);
    return pause->is_renewal && pause->until_ms >= last.safe_until_ms &&
           now_ms >= last.safe_until_ms - simulated_beliefs_last_attempt_ms();
}

static struct text header(const struct http_call *call, const char *name) {
    const char *value = http_headers_get(call->headers, name);
    return value == NULL ? (struct text){"", 0} : (struct text){value, strlen(value)};
}

void simulated_retry_after_check_call(struct simulated_world *world,
                                      const struct simulated_app *app,
                                      const struct http_call *call) {
    static const char rule[] = "storage's Retry-After is waited for";
    if (world->simulation.now_us > world->pauses_until_us) {
        return;
    }
    char request[SIMULATED_REQUEST_BYTES];
    struct text lease_id =
        first_of(header(call, "x-ms-lease-id"), header(call, "x-ms-proposed-lease-id"));
    int64_t now_ms = clock_now_ms(&app->process.clock);
    name_request(request, header(call, "x-ms-lease-action"), lease_id,
                 header(call, "x-ms-client-request-id"), call->body);
    for (int i = 0; i < SIMULATED_KEPT_PAUSES && request[0] != '\0'; i++) {
        const struct simulated_pause *pause = &world->pauses[app->number - 1][i];
        bool is_meant = pause->process == app->started && strcmp(pause->request, request) == 0;
        if (is_meant && now_ms < pause->until_ms &&
            !is_last_attempt(app, pause, lease_id.data, now_ms)) {
            simulated_world_break(world, rule, request);
        }
    }
}

/* ---- what the app tells its callers ---- */

void simulated_retry_after_check_answer(void *context, const struct http_response *response) {
    static const char rule[] =
        "Retry-After is 1 where the lease was not had, 1 to what storage asks for with 503";
    struct simulated_world *world = context;
    const char *value = http_headers_get(&response->headers, "Retry-After");
    const char *body = response->status == 409 ? response->body.data : "";
    bool is_conflict = strstr(body, "\"error\"") == NULL && strstr(body, "Please retry.") != NULL;
    int most_s = response->status == 503 ? SIMULATED_MOST_RETRY_AFTER_S : is_conflict ? 1 : 0;
    char *end = NULL;
    long seconds = value == NULL ? 0 : strtol(value, &end, 10);
    bool is_number = value == NULL || (end != value && *end == '\0');
    if (!is_number || seconds > most_s || (seconds < 1 && most_s > 0)) {
        char found[64];
        snprintf(found, sizeof found, "%d with %.32s", response->status,
                 value == NULL ? "none" : value);
        simulated_world_break(world, rule, found);
    }
}
