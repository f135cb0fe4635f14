#include "simulation/simulated_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utc.h"

enum {
    MAX_ANSWER_BYTES = 64 * 1024 * 1024,
    LEAST_DELAY_US = 300,
    MOST_DELAY_US = 12000,
    LEAST_LATE_US = 500 * 1000,
    MOST_LATE_US = 180 * 1000 * 1000,
    LEAST_OUTAGE_US = 5 * 1000 * 1000,
    MOST_OUTAGE_US = 90 * 1000 * 1000,
};

/*
 * A request on its way, from its sending to its answer's arrival; and longer, if nobody waits for
 * it any more.
 */
struct simulated_call {
    LIST_ENTRY(simulated_call) link;
    struct simulated_network *network;
    struct simulated_client *client;
    struct http_exchange *exchange; /* NULL: nobody waits for it */
    bool is_for_identity;
    enum simulated_service service;
    int64_t step;
    int64_t sent_ms; /* on the sender's clock */
    size_t max_response_bytes;
    enum simulated_fault fault;
    struct simulated_random random; /* of this call alone */
    struct strbuf request, answer;
    struct simulated_event travel;  /* of the request, then of its answer */
    struct simulated_event timeout; /* the sender's */
    bool is_copy;                   /* delivered again: its answer goes nowhere */
};

/* ---- what is sent ---- */

/* "http://HOST:PORT/..." in two parts. */
static void append_target(struct strbuf *out, const char *url) {
    const char *host = strstr(url, "://") + 3, *path = strchr(host, '/');
    strbuf_append_string(out, path);
    strbuf_append_string(out, " HTTP/1.1\r\nHost: ");
    strbuf_append(out, host, (size_t)(path - host));
    strbuf_append_string(out, "\r\n");
}

static void append_header(struct strbuf *out, const char *name, const char *value) {
    strbuf_append_string(out, name);
    strbuf_append_string(out, ": ");
    strbuf_append_string(out, value);
    strbuf_append_string(out, "\r\n");
}

static void write_request(struct strbuf *out, const struct http_call *call) {
    strbuf_append_string(out, call->method);
    strbuf_append_char(out, ' ');
    append_target(out, call->url);
    for (size_t i = 0; call->headers != NULL && i < call->headers->count; i++) {
        append_header(out, call->headers->items[i].name, call->headers->items[i].value);
    }
    strbuf_append_string(out, "Content-Length: ");
    strbuf_append_int64(out, (int64_t)call->body_length);
    strbuf_append_string(out, "\r\n\r\n");
    strbuf_append(out, call->body, call->body_length);
}

static bool is_for_tables(const struct simulated_network *network, const char *url) {
    const char *endpoint = network->storage->account->table_endpoint;
    return strncmp(url, endpoint, strlen(endpoint)) == 0;
}

/* ---- what comes back ---- */

/* Reads an answer whose body has a Content-Length, or none. Returns false if it is cut short. */
static bool read_answer(struct text bytes, struct http_reply *reply) {
    struct text line = text_cut_line(&bytes);
    long body_bytes = 0;
    if (line.length < 12) {
        return false;
    }
    reply->status = atoi(line.data + 9);
    while ((line = text_cut_line(&bytes)).length > 0) {
        struct text name = text_cut(&line, ':');
        struct text value = text_trim(line);
        http_headers_add_bytes(&reply->headers, name.data, name.length, value.data, value.length);
        if (text_is_nocase(name, "Content-Length")) {
            body_bytes = atol(value.data);
        }
    }
    if (bytes.length < (size_t)body_bytes) {
        return false;
    }
    strbuf_append(&reply->body, bytes.data, (size_t)body_bytes);
    return true;
}

/* ---- a call's life ---- */

static void free_call(struct simulated_call *call) {
    struct simulation *simulation = call->network->simulation;
    simulation_cancel(simulation, &call->travel);
    simulation_cancel(simulation, &call->timeout);
    LIST_REMOVE(call, link);
    strbuf_cleanup(&call->request);
    strbuf_cleanup(&call->answer);
    free(call);
}

/* Nobody waits for it any more; what has been sent goes on. */
static void forget_sender(struct simulated_call *call) {
    if (call->exchange != NULL) {
        call->exchange->call = NULL;
        call->exchange = NULL;
    }
    simulation_cancel(call->network->simulation, &call->timeout);
}

static int64_t delay_us(struct simulated_call *call) {
    return simulated_random_spread(&call->random, LEAST_DELAY_US, MOST_DELAY_US);
}

static int64_t long_delay_us(struct simulated_call *call) {
    return simulated_random_spread(&call->random, LEAST_LATE_US, MOST_LATE_US);
}

static void travel(struct simulated_call *call, void (*arrive)(void *context), int64_t at_us) {
    call->travel.happen = arrive;
    simulation_schedule(call->network->simulation, &call->travel, at_us);
}

static void answer_sender(struct simulated_call *call, enum status status, struct http_reply *reply,
                          const struct error *err) {
    struct http_exchange *exchange = call->exchange;
    struct simulated_process *process = call->client->process;
    forget_sender(call);
    simulated_process_enter(process);
    exchange->done(exchange->context, status, reply, err);
    simulated_process_leave(process);
}

static void time_out(void *context) {
    struct simulated_call *call = context;
    struct simulation *simulation = call->network->simulation;
    int64_t awake_us = simulated_process_awake_us(call->client->process, simulation->now_us);
    if (awake_us > simulation->now_us) { /* an answer that came meanwhile is seen first */
        simulation_schedule(simulation, &call->timeout, awake_us + 1);
        return;
    }
    struct error err;
    error_set(&err, STATUS_UNAVAILABLE, "no answer in time");
    simulation_tell(simulation, call->client->process->name, "#%lld has no answer in time",
                    (long long)call->step);
    bool is_on_its_way = call->travel.entry.is_set;
    answer_sender(call, STATUS_UNAVAILABLE, NULL, &err);
    if (!is_on_its_way) {
        free_call(call);
    }
}

static void arrive_back(void *context) {
    struct simulated_call *call = context;
    struct simulated_network *network = call->network;
    struct simulation *simulation = network->simulation;
    if (call->exchange == NULL) {
        free_call(call);
        return;
    }
    int64_t awake_us = simulated_process_awake_us(call->client->process, simulation->now_us);
    if (awake_us > simulation->now_us) {
        travel(call, arrive_back, awake_us);
        return;
    }
    struct http_reply reply;
    struct error err = {.status = STATUS_OK};
    simulated_memory_use(&call->client->process->memory); /* the receiver may keep it */
    http_reply_init(&reply);
    reply.body.max_bytes = call->max_response_bytes;
    reply.sent_ms = call->sent_ms;
    reply.received_ms = clock_now_ms(&call->client->process->clock);
    enum status status = STATUS_OK;
    if (!read_answer((struct text){call->answer.data, call->answer.length}, &reply)) {
        status = error_set(&err, STATUS_UNAVAILABLE, "the answer was cut short");
    }
    simulation_tell(simulation, call->client->process->name, "#%lld is answered %d",
                    (long long)call->step, status == STATUS_OK ? reply.status : 0);
    if (status == STATUS_OK && !call->is_for_identity) {
        network->on_answered(network->context, call->client, call->request.data, &reply);
    }
    answer_sender(call, status, status == STATUS_OK ? &reply : NULL, &err);
    simulated_memory_use(&call->client->process->memory);
    http_reply_cleanup(&reply);
    simulated_memory_use(NULL);
    free_call(call);
}

/* ---- answers that storage did not give, or not so ---- */

static void write_answer(struct simulated_call *call, int status, const char *headers,
                         const char *body) {
    strbuf_clear(&call->answer);
    strbuf_appendf(&call->answer, "HTTP/1.1 %d Any\r\nContent-Length: %zu\r\n%s\r\n%s", status,
                   strlen(body), headers, body);
}

static void answer_by_gateway(struct simulated_call *call) {
    static const int statuses[] = {200, 302, 404, 407, 412, 502};
    int status =
        statuses[simulated_random_below(&call->random, sizeof statuses / sizeof statuses[0])];
    write_answer(call, status, "Content-Type: text/html\r\nDate: Fri, 01 Jan 2021 00:00:00 GMT\r\n",
                 "<html><body>Not storage</body></html>");
}

/* An error of storage's own. It asks to be left alone for `retry_after_s`; 0: it does not. */
static void answer_error(struct simulated_call *call, int status, const char *code,
                         int64_t retry_after_s) {
    char headers[256], body[256], retry_after[64] = "";
    if (retry_after_s > 0) {
        snprintf(retry_after, sizeof retry_after, "Retry-After: %lld\r\n",
                 (long long)retry_after_s);
    }
    snprintf(headers, sizeof headers,
             "x-ms-request-id: 11111111-0000-4000-8000-%012lld\r\nx-ms-error-code: %s\r\n%s",
             (long long)call->step, code, retry_after);
    snprintf(body, sizeof body,
             "{\"odata.error\":{\"code\":\"%s\",\"message\":{\"value\":\"simulated\"}}}", code);
    write_answer(call, status, headers, body);
}

static void answer_busy(struct simulated_call *call, int64_t retry_after_s) {
    bool is_429 = simulated_random_chance(&call->random, 0.3);
    answer_error(call, is_429 ? 429 : 503, is_429 ? "TooManyRequests" : "ServerBusy",
                 retry_after_s);
}

static void throttle(struct simulated_call *call) {
    answer_busy(call, simulated_random_below(&call->random, 2));
}

static void throttle_for_long(struct simulated_call *call) {
    answer_busy(call, simulated_random_spread(&call->random, 2, SIMULATED_MOST_RETRY_AFTER_S));
}

static void deny(struct simulated_call *call) {
    bool is_401 = simulated_random_chance(&call->random, 0.5);
    answer_error(call, is_401 ? 401 : 403,
                 is_401 ? "InvalidAuthenticationInfo" : "AuthorizationFailure", 0);
}

/* The header's line, or NULL. */
static char *find_line(struct simulated_call *call, const char *name) {
    char *end = strstr(call->answer.data, "\r\n\r\n"), *line = strcasestr(call->answer.data, name);
    return line != NULL && end != NULL && line < end ? line : NULL;
}

/* Wrong by a minute to a year, either way. */
static void spoil_date(struct simulated_call *call) {
    char *line = find_line(call, "\r\nDate: ");
    if (line != NULL) {
        int64_t wrong_by_ms =
            simulated_random_spread(&call->random, 60 * 1000, INT64_C(365) * 24 * 3600 * 1000);
        bool is_ahead = simulated_random_chance(&call->random, 0.5);
        char date[UTC_TEXT_BYTES];
        utc_format_http(clock_wall_ms(call->network->storage->clock) +
                            (is_ahead ? wrong_by_ms : -wrong_by_ms),
                        date);
        memcpy(line + strlen("\r\nDate: "), date, strlen(date));
    }
}

static void drop_date(struct simulated_call *call) {
    char *line = find_line(call, "\r\nDate: ");
    if (line != NULL) {
        memcpy(line + 2, "Xate", 4);
    }
}

static void cut_answer(struct simulated_call *call) {
    call->answer.length =
        (size_t)simulated_random_below(&call->random, (int64_t)call->answer.length);
    call->answer.data[call->answer.length] = '\0';
}

static void garble(struct simulated_call *call) {
    char *end = strstr(call->answer.data, "\r\n\r\n");
    for (char *at = end == NULL ? call->answer.data : end + 4; *at != '\0'; at++) {
        *at = (char)('A' + simulated_random_below(&call->random, 26));
    }
}

/* ---- at storage ---- */

static void carry_out(struct simulated_call *call) {
    struct simulated_network *network = call->network;
    if (call->is_for_identity) {
        simulated_identity_answer(network->identity, &call->answer);
        return;
    }
    simulated_storage_answer(network->storage, call->service, call->request.data,
                             call->request.length, &call->answer);
    network->carried_out++;
    simulation_mix(network->simulation, call->request.data, call->request.length);
    simulation_mix(network->simulation, call->answer.data, call->answer.length);
    simulation_tell(network->simulation, "storage", "carries out #%lld: %d %s",
                    (long long)call->step, network->storage->outcome.http_status,
                    network->storage->outcome.code);
    network->on_carried_out(network->context, call->service);
}

static void answer_late(struct simulated_call *call) {
    answer_error(call, 500, "OperationTimedOut", 0);
}

static void answer_failure(struct simulated_call *call) {
    answer_error(call, 500, "InternalError", 0);
}

typedef void (*call_effect)(struct simulated_call *call);

/* Who answers in storage's place; storage does not act then. */
static const call_effect in_place_of_storage[SIMULATED_FAULTS] = {
    [SIMULATED_GATEWAY] = answer_by_gateway,
    [SIMULATED_THROTTLE] = throttle,
    [SIMULATED_THROTTLE_LONG] = throttle_for_long,
    [SIMULATED_TIME_OUT] = answer_late,
    [SIMULATED_DENY] = deny,
};

/* What becomes of the answer when storage has acted. */
static const call_effect behind_storage[SIMULATED_FAULTS] = {
    [SIMULATED_GATEWAY_AFTER] = answer_by_gateway, [SIMULATED_FAIL_AFTER] = answer_failure,
    [SIMULATED_CUT_ANSWER] = cut_answer,           [SIMULATED_GARBLE_ANSWER] = garble,
    [SIMULATED_WRONG_DATE] = spoil_date,           [SIMULATED_NO_DATE] = drop_date,
};

static bool is_renewal(const struct simulated_call *call) {
    return strstr(call->request.data, "\r\nx-ms-lease-action: renew\r\n") != NULL;
}

/* Storage is in trouble that lasts. Returns false if this call does not meet it. */
static bool answer_in_trouble(struct simulated_call *call) {
    const struct simulated_network *network = call->network;
    int64_t now_us = network->simulation->now_us;
    bool is_spared = call->client->is_spared || call->is_for_identity;
    bool is_denied = !is_spared && now_us < network->denied_until_us;
    bool is_refused =
        !is_spared && !is_denied && now_us < network->renewals_refused_until_us && is_renewal(call);
    if (is_denied) {
        deny(call);
    } else if (is_refused) {
        throttle(call);
    }
    return is_denied || is_refused;
}

static void answer_call(struct simulated_call *call) {
    if (answer_in_trouble(call)) {
        return;
    }
    if (in_place_of_storage[call->fault] != NULL) {
        in_place_of_storage[call->fault](call);
        return;
    }
    carry_out(call);
    if (behind_storage[call->fault] != NULL) {
        behind_storage[call->fault](call);
    }
}

static void strike(struct simulated_call *call) {
    call->network->on_strike(call->network->context, call->client, call->fault);
}

static void arrive(void *context);

/* The same request once more; its answer goes nowhere. */
static void deliver_again(struct simulated_call *call, int64_t at_us) {
    struct simulated_call *copy = calloc(1, sizeof *copy);
    *copy = (struct simulated_call){.network = call->network,
                                    .client = call->client,
                                    .is_for_identity = call->is_for_identity,
                                    .service = call->service,
                                    .step = call->step,
                                    .is_copy = true};
    copy->travel.context = copy;
    strbuf_init(&copy->request, MAX_ANSWER_BYTES);
    strbuf_init(&copy->answer, MAX_ANSWER_BYTES);
    strbuf_append(&copy->request, call->request.data, call->request.length);
    LIST_INSERT_HEAD(&call->network->calls, copy, link);
    travel(copy, arrive, at_us);
}

static void arrive(void *context) {
    struct simulated_call *call = context;
    struct simulation *simulation = call->network->simulation;
    answer_call(call);
    if (call->fault ==
        SIMULATED_ANSWER_SECOND) { /* it arrives once more, and nothing else strikes it */
        call->fault = SIMULATED_NONE;
        strbuf_clear(&call->answer);
        travel(call, arrive, simulation->now_us + delay_us(call));
        return;
    }
    if (call->fault == SIMULATED_CRASH_AFTER || call->fault == SIMULATED_BREAK_LEASES) {
        strike(call);
    }
    if (call->is_copy || (call->fault == SIMULATED_LOSE_ANSWER && call->exchange == NULL)) {
        free_call(call);
    } else if (call->fault == SIMULATED_DELIVER_TWICE || call->fault == SIMULATED_DELIVER_LATE) {
        bool is_late = call->fault == SIMULATED_DELIVER_LATE;
        deliver_again(call, simulation->now_us + (is_late ? long_delay_us(call) : delay_us(call)));
        travel(call, arrive_back, simulation->now_us + delay_us(call));
    } else if (call->fault != SIMULATED_LOSE_ANSWER) {
        bool is_late = call->fault == SIMULATED_DELAY_ANSWER;
        travel(call, arrive_back,
               simulation->now_us + (is_late ? long_delay_us(call) : delay_us(call)));
    }
}

/* ---- the client ---- */

static struct simulated_call *new_call(struct simulated_client *client,
                                       const struct http_call *what) {
    struct simulated_network *network = client->network;
    struct simulated_call *call = calloc(1, sizeof *call);
    call->network = network;
    call->client = client;
    call->is_for_identity =
        strncmp(what->url, SIMULATED_IDENTITY_HOST, strlen(SIMULATED_IDENTITY_HOST)) == 0;
    call->service =
        is_for_tables(network, what->url) ? SIMULATED_TABLE_SERVICE : SIMULATED_BLOB_SERVICE;
    call->step = ++network->step;
    call->random = simulated_random_new(network->seed, (uint64_t)call->step);
    call->sent_ms = clock_now_ms(&client->process->clock);
    call->max_response_bytes = what->max_response_bytes;
    call->travel = (struct simulated_event){.happen = arrive, .context = call};
    call->timeout = (struct simulated_event){.happen = time_out, .context = call};
    strbuf_init(&call->request, MAX_ANSWER_BYTES);
    strbuf_init(&call->answer, MAX_ANSWER_BYTES);
    write_request(&call->request, what);
    LIST_INSERT_HEAD(&network->calls, call, link);
    return call;
}

static void tell_sending(const struct simulated_call *call, const struct http_call *what) {
    const char *path = strchr(strstr(what->url, "://") + 3, '/');
    const char *action = http_headers_get(what->headers, "x-ms-lease-action");
    simulation_tell(call->network->simulation, call->client->process->name,
                    "sends #%lld: %s %s%s%s%s%s", (long long)call->step, what->method, path,
                    action == NULL ? "" : " ", action == NULL ? "" : action,
                    call->fault == SIMULATED_NONE ? "" : "; FAULT: ",
                    call->fault == SIMULATED_NONE ? "" : simulated_fault_text(call->fault));
}

static int64_t outage_ends_us(struct simulated_call *call) {
    return call->network->simulation->now_us +
           simulated_random_spread(&call->random, LEAST_OUTAGE_US, MOST_OUTAGE_US);
}

/* Faults of storage that last: this call is the first to meet them. */
static void begin_trouble(struct simulated_call *call) {
    struct simulated_network *network = call->network;
    if (call->fault == SIMULATED_OUTAGE) {
        network->unreachable_until_us[call->service] = outage_ends_us(call);
    } else if (call->fault == SIMULATED_DENY_ALL) {
        network->denied_until_us = outage_ends_us(call);
    } else if (call->fault == SIMULATED_REFUSE_RENEWALS) {
        network->renewals_refused_until_us = outage_ends_us(call);
    }
}

static bool is_reachable(const struct simulated_call *call) {
    const struct simulated_network *network = call->network;
    int64_t service_until_us =
        call->is_for_identity ? 0 : network->unreachable_until_us[call->service];
    return call->client->is_spared ||
           (network->simulation->now_us >= call->client->cut_off_until_us &&
            network->simulation->now_us >= service_until_us);
}

static void send_request(struct simulated_call *call) {
    struct simulation *simulation = call->network->simulation;
    begin_trouble(call);
    if (call->fault != SIMULATED_LOSE_REQUEST && call->fault != SIMULATED_CRASH_BEFORE &&
        is_reachable(call)) {
        bool is_late = call->fault == SIMULATED_DELAY_REQUEST;
        travel(call, arrive, simulation->now_us + (is_late ? long_delay_us(call) : delay_us(call)));
    }
}

static bool strikes_sender(enum simulated_fault fault) {
    return fault == SIMULATED_CRASH_BEFORE || fault == SIMULATED_CRASH_SENT ||
           fault == SIMULATED_SUSPEND || fault == SIMULATED_JUMP_CLOCK ||
           fault == SIMULATED_CUT_OFF || fault == SIMULATED_STOP ||
           fault == SIMULATED_DELETE_LEASES || fault == SIMULATED_REVOKE_TOKENS ||
           fault >= SIMULATED_DELETE_PRODUCT;
}

static enum status start(struct http_client *base, const struct http_call *what,
                         struct http_exchange *exchange) {
    struct simulated_client *client = (struct simulated_client *)base;
    struct simulated_network *network = client->network;
    struct simulated_memory *before = simulated_memory_use(NULL);
    struct simulated_call *call = new_call(client, what);
    call->exchange = exchange;
    exchange->call = call;
    if (!client->is_spared) {
        call->fault = simulated_faults_at(network->faults, call->step);
    }
    tell_sending(call, what);
    network->on_sending(network->context, client, what);
    simulation_schedule(network->simulation, &call->timeout,
                        network->simulation->now_us + what->timeout_ms * SIMULATION_US);
    send_request(call);
    if (strikes_sender(call->fault)) {
        strike(call);
    }
    simulated_memory_use(before);
    return STATUS_OK;
}

static void abandon(struct http_client *base, struct http_exchange *exchange) {
    struct simulated_call *call = exchange->call;
    (void)base;
    if (call == NULL) {
        return;
    }
    forget_sender(call);
    if (!call->travel.entry.is_set) {
        struct simulated_memory *before = simulated_memory_use(NULL);
        free_call(call);
        simulated_memory_use(before);
    }
}

void simulated_client_init(struct simulated_client *client, struct simulated_network *network,
                           struct simulated_process *process) {
    static const struct http_client_ops ops = {start, abandon};
    *client =
        (struct simulated_client){.base = {.ops = &ops}, .network = network, .process = process};
}

void simulated_client_forget(struct simulated_client *client) {
    struct simulated_call *call, *next;
    for (call = LIST_FIRST(&client->network->calls); call != NULL; call = next) {
        next = LIST_NEXT(call, link);
        if (call->client == client && !call->is_copy) {
            call->exchange = NULL; /* its memory is gone */
            forget_sender(call);
            if (!call->travel.entry.is_set) {
                free_call(call);
            }
        }
    }
}

/* ---- the network ---- */

void simulated_network_init(struct simulated_network *network, struct simulation *simulation,
                            struct simulated_storage *storage, struct simulated_identity *identity,
                            struct simulated_faults *faults, uint64_t seed) {
    *network = (struct simulated_network){.simulation = simulation,
                                          .storage = storage,
                                          .identity = identity,
                                          .faults = faults,
                                          .seed = seed};
    LIST_INIT(&network->calls);
}

void simulated_network_cleanup(struct simulated_network *network) {
    struct simulated_call *call, *next;
    for (call = LIST_FIRST(&network->calls); call != NULL; call = next) {
        next = LIST_NEXT(call, link);
        call->exchange = NULL;
        free_call(call);
    }
}
