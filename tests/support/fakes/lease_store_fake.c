#include "support/fakes/lease_store_fake.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_SCRIPT = 64, PATIENCE_S = 20 };

/*
 * HELD: waits for the test's answer. ANSWERED: the answer is known, and on its way. GIVEN: whoever
 * asked has been told.
 */
enum stage { HELD, ANSWERED, GIVEN };

/* A call that has come; all are kept. */
struct asked {
    struct lease_store_fake *fake;
    enum fake_call_kind kind;
    enum stage stage;
    struct fake_call call;
    struct lease_store_call *caller; /* of the loop's thread; NULL: abandoned */
    struct loop_task give;
    enum status status;
    struct asked *next;
};

struct script {
    enum status statuses[MAX_SCRIPT];
    size_t count;
    size_t used;
};

struct holder {
    char name[LEASE_NAME_BYTES];
    char lease_id[UUID_TEXT_BYTES];
    struct holder *next;
};

struct lease_store_fake {
    struct lease_store base;
    struct event_loop *loop;
    const struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct asked *first;
    struct asked **last;
    struct asked *given_until; /* it and all before it are GIVEN; NULL: perhaps none */
    size_t counts[FAKE_KINDS];
    struct script scripts[FAKE_KINDS];
    struct script refusals[FAKE_KINDS];
    bool hold[FAKE_KINDS];
    bool leaves_in_doubt[FAKE_KINDS];
    struct holder *holders;
};

static void *must(void *memory) {
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* With the lock held. */
static void wait_for_change(struct lease_store_fake *fake, const struct timespec *until,
                            const char *what) {
    if (pthread_cond_timedwait(&fake->changed, &fake->lock, until) == ETIMEDOUT) {
        fprintf(stderr, "lease_store_fake: %s did not happen within %d s\n", what, PATIENCE_S);
        abort();
    }
}

static struct timespec patience(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return until;
}

/* --- how storage behaves; with the lock held --- */

static struct holder *holder_of(struct lease_store_fake *fake, const char *name) {
    struct holder *holder = fake->holders;
    while (holder != NULL && strcmp(holder->name, name) != 0) {
        holder = holder->next;
    }
    if (holder == NULL) {
        holder = must(calloc(1, sizeof *holder));
        snprintf(holder->name, sizeof holder->name, "%s", name);
        holder->next = fake->holders;
        fake->holders = holder;
    }
    return holder;
}

static enum status judge(struct lease_store_fake *fake, enum fake_call_kind kind,
                         const struct fake_call *call) {
    const struct holder *holder = holder_of(fake, call->name);
    bool leased = holder->lease_id[0] != '\0';
    bool ours = strcmp(holder->lease_id, call->lease_id) == 0;
    if (kind == FAKE_ACQUIRE) {
        return !leased || ours ? STATUS_OK : STATUS_LEASE_CONFLICT;
    }
    if (kind == FAKE_BREAK) {
        return leased ? STATUS_OK : STATUS_LEASE_LOST;
    }
    return leased && ours ? STATUS_OK : STATUS_LEASE_LOST;
}

static void take_effect(struct lease_store_fake *fake, enum fake_call_kind kind,
                        const struct fake_call *call) {
    struct holder *holder = holder_of(fake, call->name);
    if (kind == FAKE_ACQUIRE) {
        memcpy(holder->lease_id, call->lease_id, sizeof holder->lease_id);
    } else if (kind != FAKE_RENEW) {
        holder->lease_id[0] = '\0';
    }
}

static bool take_scripted(struct script *script, enum status *out) {
    if (script->used == script->count) {
        return false;
    }
    *out = script->statuses[script->used++];
    return true;
}

/* Tells whoever asked; on the loop's thread. */
static void give(void *context) {
    struct asked *asked = context;
    struct lease_store_fake *fake = asked->fake;
    struct lease_store_call *caller = asked->caller;
    struct error err = {.status = asked->status};
    if (asked->status != STATUS_OK) {
        error_set(&err, asked->status, "the fake says %s", status_name(asked->status));
        err.may_have_happened = fake->leaves_in_doubt[asked->kind] ||
                                asked->status == STATUS_UNAVAILABLE ||
                                asked->status == STATUS_CANCELLED;
    }
    if (caller != NULL) {
        caller->own = NULL;
        caller->sent_ms = asked->call.at_ms;
        caller->done(caller->context, asked->status, &err);
    }
    pthread_mutex_lock(&fake->lock);
    asked->stage = GIVEN;
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->lock);
}

static void answer(struct lease_store_fake *fake, struct asked *asked, enum status status) {
    asked->stage = ANSWERED;
    asked->status = status;
    bool was_carried_out =
        fake->leaves_in_doubt[asked->kind] && judge(fake, asked->kind, &asked->call) == STATUS_OK;
    if (status == STATUS_OK || was_carried_out) {
        take_effect(fake, asked->kind, &asked->call);
    }
    pthread_cond_broadcast(&fake->changed);
}

/* Records the call. NULL: refused, with `refusal` set, or without memory. */
static struct asked *record(struct lease_store_fake *fake, enum fake_call_kind kind,
                            const struct fake_call *call, enum status *refusal) {
    struct asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL) {
        *refusal = STATUS_NO_MEMORY;
        return NULL;
    }
    asked->fake = fake;
    asked->kind = kind;
    asked->call = *call;
    asked->call.at_ms = clock_now_ms(fake->clock);
    asked->give = (struct loop_task){.run = give, .context = asked};
    *fake->last = asked;
    fake->last = &asked->next;
    fake->counts[kind]++;
    pthread_cond_broadcast(&fake->changed);
    if (take_scripted(&fake->refusals[kind], refusal)) {
        asked->stage = GIVEN;
        return NULL;
    }
    enum status status;
    if (fake->hold[kind]) {
        asked->stage = HELD;
    } else if (take_scripted(&fake->scripts[kind], &status)) {
        answer(fake, asked, status);
    } else {
        answer(fake, asked, judge(fake, kind, call));
    }
    return asked;
}

/* --- the store's operations --- */

static struct fake_call call_of(const char *name, const char *lease_id, int64_t limit_ms) {
    struct fake_call call = {.limit_ms = limit_ms};
    snprintf(call.name, sizeof call.name, "%s", name);
    snprintf(call.lease_id, sizeof call.lease_id, "%s", lease_id);
    return call;
}

static enum status start(struct lease_store *store, struct lease_store_call *caller,
                         enum fake_call_kind kind, const struct fake_call *call) {
    struct lease_store_fake *fake = (struct lease_store_fake *)store;
    enum status status = STATUS_OK;
    if (!event_loop_is_current(fake->loop) || caller->own != NULL) {
        fprintf(
            stderr,
            "lease_store_fake: a call not on the loop's thread, or while another is under way\n");
        abort();
    }
    pthread_mutex_lock(&fake->lock);
    struct asked *asked = record(fake, kind, call, &status);
    if (asked != NULL) {
        asked->caller = caller;
        caller->own = asked;
        if (asked->stage == ANSWERED) {
            event_loop_post(fake->loop, &asked->give);
        }
    }
    pthread_mutex_unlock(&fake->lock);
    return status;
}

static enum status acquire(struct lease_store *store, struct lease_store_call *caller,
                           const char *name, const char *lease_id, int duration_s,
                           int64_t deadline_ms) {
    struct fake_call call = call_of(name, lease_id, deadline_ms);
    call.duration_s = duration_s;
    return start(store, caller, FAKE_ACQUIRE, &call);
}

static enum status renew(struct lease_store *store, struct lease_store_call *caller,
                         const char *name, const char *lease_id, int64_t timeout_ms) {
    struct fake_call call = call_of(name, lease_id, timeout_ms);
    return start(store, caller, FAKE_RENEW, &call);
}

static enum status release(struct lease_store *store, struct lease_store_call *caller,
                           const char *name, const char *lease_id, int64_t timeout_ms) {
    struct fake_call call = call_of(name, lease_id, timeout_ms);
    return start(store, caller, FAKE_RELEASE, &call);
}

static enum status break_lease(struct lease_store *store, struct lease_store_call *caller,
                               const char *name, int64_t deadline_ms) {
    struct fake_call call = call_of(name, "", deadline_ms);
    return start(store, caller, FAKE_BREAK, &call);
}

static void abandon(struct lease_store *store, struct lease_store_call *caller) {
    (void)store;
    struct asked *asked = caller->own;
    if (asked != NULL) {
        asked->caller = NULL;
        caller->own = NULL;
    }
}

/* --- answers --- */

static struct asked *first_held(const struct lease_store_fake *fake, enum fake_call_kind kind) {
    struct asked *asked = fake->first;
    while (asked != NULL && !(asked->kind == kind && asked->stage == HELD)) {
        asked = asked->next;
    }
    return asked;
}

void lease_store_fake_answer(struct lease_store_fake *fake, enum fake_call_kind kind,
                             enum status status) {
    bool is_on_loop = event_loop_is_current(fake->loop);
    pthread_mutex_lock(&fake->lock);
    struct timespec until = patience();
    struct asked *asked;
    while ((asked = first_held(fake, kind)) == NULL) {
        wait_for_change(fake, &until, "a call to be answered");
    }
    answer(fake, asked, status);
    if (!is_on_loop) {
        event_loop_post(fake->loop, &asked->give);
        while (asked->stage != GIVEN) {
            wait_for_change(fake, &until, "an answer");
        }
    }
    pthread_mutex_unlock(&fake->lock);
    if (is_on_loop) {
        give(asked);
    }
}

bool lease_store_fake_let_go(struct lease_store_fake *fake, enum fake_call_kind kind) {
    pthread_mutex_lock(&fake->lock);
    const struct asked *asked = first_held(fake, kind);
    enum status status = asked == NULL ? STATUS_OK : judge(fake, kind, &asked->call);
    pthread_mutex_unlock(&fake->lock);
    if (asked != NULL) {
        lease_store_fake_answer(fake, kind, status);
    }
    return asked != NULL;
}

/* --- for tests --- */

struct lease_store_fake *lease_store_fake_new(struct event_loop *loop, const struct clock *clock) {
    static const struct lease_store_ops ops = {acquire, renew, release, break_lease, abandon};
    struct lease_store_fake *fake = must(calloc(1, sizeof *fake));
    fake->base.ops = &ops;
    fake->loop = loop;
    fake->clock = clock;
    fake->last = &fake->first;
    pthread_mutex_init(&fake->lock, NULL);
    pthread_cond_init(&fake->changed, NULL);
    return fake;
}

void lease_store_fake_free(struct lease_store_fake *fake) {
    while (fake->first != NULL) {
        struct asked *asked = fake->first;
        fake->first = asked->next;
        free(asked);
    }
    while (fake->holders != NULL) {
        struct holder *holder = fake->holders;
        fake->holders = holder->next;
        free(holder);
    }
    pthread_cond_destroy(&fake->changed);
    pthread_mutex_destroy(&fake->lock);
    free(fake);
}

struct lease_store *lease_store_fake_store(struct lease_store_fake *fake) {
    return &fake->base;
}

static void append(struct lease_store_fake *fake, struct script *script, enum status status) {
    pthread_mutex_lock(&fake->lock);
    if (script->count == MAX_SCRIPT) {
        abort();
    }
    script->statuses[script->count++] = status;
    pthread_mutex_unlock(&fake->lock);
}

void lease_store_fake_script(struct lease_store_fake *fake, enum fake_call_kind kind,
                             enum status status) {
    append(fake, &fake->scripts[kind], status);
}

void lease_store_fake_refuse(struct lease_store_fake *fake, enum fake_call_kind kind,
                             enum status status) {
    append(fake, &fake->refusals[kind], status);
}

void lease_store_fake_leave_in_doubt(struct lease_store_fake *fake, enum fake_call_kind kind) {
    pthread_mutex_lock(&fake->lock);
    fake->leaves_in_doubt[kind] = true;
    pthread_mutex_unlock(&fake->lock);
}

void lease_store_fake_end_scripts(struct lease_store_fake *fake) {
    pthread_mutex_lock(&fake->lock);
    for (int kind = 0; kind < FAKE_KINDS; kind++) {
        fake->scripts[kind].used = fake->scripts[kind].count;
        fake->refusals[kind].used = fake->refusals[kind].count;
    }
    pthread_mutex_unlock(&fake->lock);
}

void lease_store_fake_hold(struct lease_store_fake *fake, enum fake_call_kind kind, bool hold) {
    pthread_mutex_lock(&fake->lock);
    fake->hold[kind] = hold;
    pthread_mutex_unlock(&fake->lock);
}

size_t lease_store_fake_count(struct lease_store_fake *fake, enum fake_call_kind kind) {
    pthread_mutex_lock(&fake->lock);
    size_t count = fake->counts[kind];
    pthread_mutex_unlock(&fake->lock);
    return count;
}

void lease_store_fake_wait(struct lease_store_fake *fake, enum fake_call_kind kind, size_t count) {
    pthread_mutex_lock(&fake->lock);
    struct timespec until = patience();
    while (fake->counts[kind] < count) {
        wait_for_change(fake, &until, "a call");
    }
    pthread_mutex_unlock(&fake->lock);
}

struct fake_call lease_store_fake_call(struct lease_store_fake *fake, enum fake_call_kind kind,
                                       size_t index) {
    lease_store_fake_wait(fake, kind, index + 1);
    pthread_mutex_lock(&fake->lock);
    const struct asked *asked = fake->first;
    for (;; asked = asked->next) {
        if (asked->kind == kind && index-- == 0) {
            break;
        }
    }
    struct fake_call call = asked->call;
    pthread_mutex_unlock(&fake->lock);
    return call;
}

static bool everything_is_given(struct lease_store_fake *fake) {
    struct asked *asked = fake->given_until != NULL ? fake->given_until : fake->first;
    bool is_given_so_far = true;
    while (asked != NULL && (asked->stage == GIVEN || asked->stage == HELD)) {
        is_given_so_far = is_given_so_far && asked->stage == GIVEN;
        fake->given_until = is_given_so_far ? asked : fake->given_until;
        asked = asked->next;
    }
    return asked == NULL;
}

void lease_store_fake_drain(struct lease_store_fake *fake) {
    pthread_mutex_lock(&fake->lock);
    struct timespec until = patience();
    while (!everything_is_given(fake)) {
        wait_for_change(fake, &until, "the last answer");
    }
    pthread_mutex_unlock(&fake->lock);
}

void lease_store_fake_set_holder(struct lease_store_fake *fake, const char *name,
                                 const char *lease_id) {
    pthread_mutex_lock(&fake->lock);
    snprintf(holder_of(fake, name)->lease_id, UUID_TEXT_BYTES, "%s", lease_id);
    pthread_mutex_unlock(&fake->lock);
}

bool lease_store_fake_is_leased(struct lease_store_fake *fake, const char *name) {
    pthread_mutex_lock(&fake->lock);
    bool leased = holder_of(fake, name)->lease_id[0] != '\0';
    pthread_mutex_unlock(&fake->lock);
    return leased;
}
