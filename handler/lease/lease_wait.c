#include "lease/lease_wait.h"

#include "http/loop_call.h"
#include "lease/lease_manager_internal.h"

/* What every waiting thread has on its stack. */
struct lease_wait {
    struct loop_call call;
    struct lease_manager *manager;
    enum status status;
    struct error *err; /* may be NULL */
};

static void wait_run(struct lease_wait *wait, void (*begin)(void *context), void *context) {
    loop_call_run(&wait->call, wait->manager->platform->loop, begin, context);
}

static void wait_end(struct lease_wait *wait, enum status status, const struct error *err) {
    wait->status = status;
    if (status != STATUS_OK && wait->err != NULL) {
        *wait->err = *err;
    }
    loop_call_end(&wait->call);
}

/* ---- acquire ---- */

struct acquire_wait {
    struct lease_wait wait;
    struct lease_acquire acquire;
    const struct leasehold_request *request;
    struct lease *lease;
};

static void on_acquired(void *context, enum status status, struct lease *lease,
                        const struct error *err) {
    struct acquire_wait *own = context;
    own->lease = lease;
    wait_end(&own->wait, status, err);
}

static void begin_acquire(void *context) {
    struct acquire_wait *own = context;
    lease_acquire_start(&own->acquire, own->wait.manager, own->request, on_acquired, own);
}

enum status lease_manager_acquire(struct lease_manager *manager,
                                  const struct leasehold_request *request, struct lease **out,
                                  struct error *err) {
    struct acquire_wait own = {.wait = {.manager = manager, .err = err}, .request = request};
    wait_run(&own.wait, begin_acquire, &own);
    if (own.wait.status == STATUS_OK) {
        *out = own.lease;
    }
    return own.wait.status;
}

/* ---- pause ---- */

struct pause_wait {
    struct lease_wait wait;
    struct lease_pause pause;
    struct lease *lease;
    int64_t duration_ms;
};

static void on_paused(void *context, enum status status, const struct error *err) {
    struct pause_wait *own = context;
    wait_end(&own->wait, status, err);
}

static void begin_pause(void *context) {
    struct pause_wait *own = context;
    lease_pause_start(&own->pause, own->wait.manager, own->lease, own->duration_ms, on_paused, own);
}

enum status lease_manager_pause(struct lease_manager *manager, struct lease *lease,
                                int64_t duration_ms, struct error *err) {
    struct pause_wait own = {
        .wait = {.manager = manager, .err = err}, .lease = lease, .duration_ms = duration_ms};
    wait_run(&own.wait, begin_pause, &own);
    return own.wait.status;
}

/* ---- extend ---- */

struct extend_wait {
    struct lease_wait wait;
    struct lease_extend extend;
    struct lease *lease;
    int64_t needed_ms;
    int64_t safe_until_ms;
};

static void on_extended(void *context, enum status status, int64_t safe_until_ms,
                        const struct error *err) {
    struct extend_wait *own = context;
    own->safe_until_ms = safe_until_ms;
    wait_end(&own->wait, status, err);
}

static void begin_extend(void *context) {
    struct extend_wait *own = context;
    lease_extend_start(&own->extend, own->wait.manager, own->lease, own->needed_ms, on_extended,
                       own);
}

enum status lease_manager_extend_for(struct lease_manager *manager, struct lease *lease,
                                     int64_t needed_ms, int64_t *out_safe_until_ms,
                                     struct error *err) {
    struct extend_wait own = {
        .wait = {.manager = manager, .err = err}, .lease = lease, .needed_ms = needed_ms};
    wait_run(&own.wait, begin_extend, &own);
    if (own.wait.status == STATUS_OK) {
        *out_safe_until_ms = own.safe_until_ms;
    }
    return own.wait.status;
}

/* ---- break ---- */

struct break_wait {
    struct lease_wait wait;
    struct lease_break operation;
    const char *name;
};

static void on_broken(void *context, enum status status, const struct error *err) {
    struct break_wait *own = context;
    wait_end(&own->wait, status, err);
}

static void begin_break(void *context) {
    struct break_wait *own = context;
    lease_break_start(&own->operation, own->wait.manager, own->name, on_broken, own);
}

enum status lease_manager_break(struct lease_manager *manager, const char *name,
                                struct error *err) {
    struct break_wait own = {.wait = {.manager = manager, .err = err}, .name = name};
    wait_run(&own.wait, begin_break, &own);
    return own.wait.status;
}

/* ---- close ---- */

struct close_wait {
    struct lease_wait wait;
    int64_t deadline_ms;
    int unreleased;
};

static void on_closed(void *context, int unreleased) {
    struct close_wait *own = context;
    own->unreleased = unreleased;
    wait_end(&own->wait, STATUS_OK, NULL);
}

static void begin_close(void *context) {
    struct close_wait *own = context;
    lease_manager_close_start(own->wait.manager, own->deadline_ms, on_closed, own);
}

int lease_manager_close(struct lease_manager *manager, int64_t deadline_ms) {
    struct close_wait own = {.wait = {.manager = manager}, .deadline_ms = deadline_ms};
    wait_run(&own.wait, begin_close, &own);
    return own.unreleased;
}
