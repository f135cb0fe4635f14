#include "support/lease_store_fake.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_SCRIPT = 64, PATIENCE_S = 20 };

/*
 * HELD: waits for the test's answer. ANSWERED: the answer is known. GIVING, GIVEN: whoever asked is told, and has been.
 */
enum stage { HELD, ANSWERED, GIVING, GIVEN };

/* A call that has come; all are kept. */
struct asked {
    enum fake_call_kind kind;
    enum stage stage;
    struct fake_call call;
    lease_store_done done; /* renew, release */
    void *context;
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
    const struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool stopping;
    struct asked *first;
    struct asked *open; /* all before it are GIVEN */
    struct asked **last;
    size_t counts[FAKE_KINDS];
    struct script scripts[FAKE_KINDS];
    struct script refusals[FAKE_KINDS];
    bool hold[FAKE_KINDS];
    struct holder *holders;
};

static void *must(void *memory) {
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* With the lock held. */
static void wait_for_change(struct lease_store_fake *fake, const struct timespec *until, const char *what) {
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

static enum status judge(struct lease_store_fake *fake, enum fake_call_kind kind, const struct fake_call *call) {
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

static void take_effect(struct lease_store_fake *fake, enum fake_call_kind kind, const struct fake_call *call) {
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

static void answer(struct lease_store_fake *fake, struct asked *asked, enum status status) {
    asked->stage = ANSWERED;
    asked->status = status;
    if (status == STATUS_OK) {
        take_effect(fake, asked->kind, &asked->call);
    }
    pthread_cond_broadcast(&fake->changed);
}

/* Records the call. NULL: refused, with `refusal` set. */
static struct asked *record(struct lease_store_fake *fake, enum fake_call_kind kind, const struct fake_call *call,
                            enum status *refusal) {
    struct asked *asked = must(calloc(1, sizeof *asked));
    asked->kind = kind;
    asked->call = *call;
    asked->call.at_ms = clock_now_ms(fake->clock);
    *fake->last = asked;
    fake->last = &asked->next;
    if (fake->open == NULL) {
        fake->open = asked;
    }
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

static enum status ask_and_wait(struct lease_store_fake *fake, enum fake_call_kind kind, const struct fake_call *call,
                                int64_t *out_sent_ms, struct error *err) {
    enum status status;
    pthread_mutex_lock(&fake->lock);
    struct asked *asked = record(fake, kind, call, &status);
    struct timespec until = patience();
    while (asked != NULL && asked->stage == HELD) {
        wait_for_change(fake, &until, "the answer to an acquire");
    }
    if (asked != NULL) {
        asked->stage = GIVEN;
        status = asked->status;
        pthread_cond_broadcast(&fake->changed);
    }
    if (status == STATUS_OK && out_sent_ms != NULL) {
        *out_sent_ms = asked->call.at_ms;
    }
    pthread_mutex_unlock(&fake->lock);
    return status == STATUS_OK ? STATUS_OK : error_set(err, status, "the fake says %s", status_name(status));
}

static enum status acquire(struct lease_store *store, const char *name, const char *lease_id, int duration_s,
                           int64_t deadline_ms, int64_t *out_sent_ms, struct error *err) {
    struct fake_call call = call_of(name, lease_id, deadline_ms);
    call.duration_s = duration_s;
    return ask_and_wait((struct lease_store_fake *)store, FAKE_ACQUIRE, &call, out_sent_ms, err);
}

static enum status break_lease(struct lease_store *store, const char *name, int64_t deadline_ms, struct error *err) {
    struct fake_call call = call_of(name, "", deadline_ms);
    return ask_and_wait((struct lease_store_fake *)store, FAKE_BREAK, &call, NULL, err);
}

static enum status submit(struct lease_store *store, enum fake_call_kind kind, const struct fake_call *call,
                          lease_store_done done, void *context) {
    struct lease_store_fake *fake = (struct lease_store_fake *)store;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&fake->lock);
    struct asked *asked = record(fake, kind, call, &status);
    if (asked != NULL) {
        asked->done = done;
        asked->context = context;
    }
    pthread_mutex_unlock(&fake->lock);
    return status;
}

static enum status renew(struct lease_store *store, const char *name, const char *lease_id, int64_t timeout_ms,
                         lease_store_done done, void *context) {
    struct fake_call call = call_of(name, lease_id, timeout_ms);
    return submit(store, FAKE_RENEW, &call, done, context);
}

static enum status release(struct lease_store *store, const char *name, const char *lease_id, int64_t timeout_ms,
                           lease_store_done done, void *context) {
    struct fake_call call = call_of(name, lease_id, timeout_ms);
    return submit(store, FAKE_RELEASE, &call, done, context);
}

/* --- answers --- */

/* Gives an answer to whoever submitted; with the lock held, but not during the callback. */
static void give(struct lease_store_fake *fake, struct asked *asked) {
    struct error err = {.status = asked->status};
    asked->stage = GIVING;
    pthread_mutex_unlock(&fake->lock);
    if (asked->status != STATUS_OK) {
        error_set(&err, asked->status, "the fake says %s", status_name(asked->status));
    }
    asked->done(asked->context, asked->status, &err);
    pthread_mutex_lock(&fake->lock);
    asked->stage = GIVEN;
    pthread_cond_broadcast(&fake->changed);
}

static struct asked *next_to_give(struct lease_store_fake *fake) {
    while (fake->open != NULL && fake->open->stage == GIVEN) {
        fake->open = fake->open->next;
    }
    struct asked *asked = fake->open;
    while (asked != NULL && !(asked->stage == ANSWERED && asked->done != NULL)) {
        asked = asked->next;
    }
    return asked;
}

static void *give_answers(void *context) {
    struct lease_store_fake *fake = context;
    pthread_mutex_lock(&fake->lock);
    while (!fake->stopping) {
        struct asked *asked = next_to_give(fake);
        if (asked != NULL) {
            give(fake, asked);
        } else {
            pthread_cond_wait(&fake->changed, &fake->lock);
        }
    }
    pthread_mutex_unlock(&fake->lock);
    return NULL;
}

static struct asked *first_held(const struct lease_store_fake *fake, enum fake_call_kind kind) {
    struct asked *asked = fake->first;
    while (asked != NULL && !(asked->kind == kind && asked->stage == HELD)) {
        asked = asked->next;
    }
    return asked;
}

void lease_store_fake_answer(struct lease_store_fake *fake, enum fake_call_kind kind, enum status status) {
    pthread_mutex_lock(&fake->lock);
    struct timespec until = patience();
    struct asked *asked;
    while ((asked = first_held(fake, kind)) == NULL) {
        wait_for_change(fake, &until, "a call to be answered");
    }
    answer(fake, asked, status);
    if (asked->done != NULL) {
        give(fake, asked);
    }
    pthread_mutex_unlock(&fake->lock);
}

/* --- for tests --- */

struct lease_store_fake *lease_store_fake_new(const struct clock *clock) {
    static const struct lease_store_ops ops = {acquire, renew, release, break_lease};
    struct lease_store_fake *fake = must(calloc(1, sizeof *fake));
    fake->base.ops = &ops;
    fake->clock = clock;
    fake->last = &fake->first;
    pthread_mutex_init(&fake->lock, NULL);
    pthread_cond_init(&fake->changed, NULL);
    if (pthread_create(&fake->thread, NULL, give_answers, fake) != 0) {
        abort();
    }
    return fake;
}

void lease_store_fake_free(struct lease_store_fake *fake) {
    pthread_mutex_lock(&fake->lock);
    fake->stopping = true;
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->lock);
    pthread_join(fake->thread, NULL);
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

void lease_store_fake_script(struct lease_store_fake *fake, enum fake_call_kind kind, enum status status) {
    append(fake, &fake->scripts[kind], status);
}

void lease_store_fake_refuse(struct lease_store_fake *fake, enum fake_call_kind kind, enum status status) {
    append(fake, &fake->refusals[kind], status);
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

struct fake_call lease_store_fake_call(struct lease_store_fake *fake, enum fake_call_kind kind, size_t index) {
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

static bool everything_is_given(const struct lease_store_fake *fake) {
    const struct asked *asked = fake->first;
    while (asked != NULL && (asked->stage == GIVEN || asked->stage == HELD)) {
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

void lease_store_fake_set_holder(struct lease_store_fake *fake, const char *name, const char *lease_id) {
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
