/*
 * product_lane.c - see product_lane.h.
 *
 * Locks    `lanes->lock` guards all lanes and entries, but for what serve is given: a lane's lease, `known` and taken
 *          entries belong to its leader, and `is_led` sees to it that there is one at most.
 */
#include "inventory/product_lane.h"

#include <assert.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/condition.h"
#include "base/log.h"
#include "inventory/lease_log.h"

enum { OTHERS_REMEMBERED_MS = 10000 };

struct product_lane {
    char product_id[PRODUCT_ID_BYTES]; /* first: what the tree compares */
    TAILQ_ENTRY(product_lane) idle_link;
    int user_count; /* requests in it */
    bool is_led;
    struct lane_entries queue;

    /* The leader's. */
    struct lease *lease;   /* NULL: none in hand */
    int64_t run_since_ms;  /* since when this handler has had the lease, but for moments in which nobody asked for it */
    int64_t given_back_ms; /* when it was given back last */
    struct product_state known;
    struct product_mark checked;
    bool is_fresh;
    bool lease_is_new; /* no turn has been served under it yet */
    bool
        expects_others; /* the first turn under the lease before met others: a commit on what it left would be refused again */
    int runs_unpaused;       /* runs that ended by time since others last had a pause to come in */
    int64_t others_until_ms; /* others are reckoned with until then */
};

enum status product_lanes_init(struct product_lanes *lanes, struct lease_manager *leases, const struct clock *clock,
                               int64_t acquire_timeout_ms, product_lane_serve serve, void *context) {
    *lanes = (struct product_lanes){
        .leases = leases, .clock = clock, .acquire_timeout_ms = acquire_timeout_ms, .serve = serve, .context = context};
    TAILQ_INIT(&lanes->idle);
    condition_init(&lanes->closed_changed);
    return pthread_mutex_init(&lanes->lock, NULL) == 0 ? STATUS_OK : STATUS_INTERNAL;
}

/* ---- lanes ---- */

static int by_product(const void *left, const void *right) {
    return strcmp(left, right);
}

static void forget_idle(struct product_lanes *lanes) {
    struct product_lane *lane = TAILQ_FIRST(&lanes->idle);
    TAILQ_REMOVE(&lanes->idle, lane, idle_link);
    lanes->idle_count--;
    tdelete(lane->product_id, &lanes->lanes, by_product);
    product_state_cleanup(&lane->known);
    free(lane);
}

void product_lanes_release(struct product_lanes *lanes) {
    while (!TAILQ_EMPTY(&lanes->idle)) {
        forget_idle(lanes);
    }
    assert(lanes->lanes == NULL);
    pthread_mutex_destroy(&lanes->lock);
    pthread_cond_destroy(&lanes->closed_changed);
}

static struct product_lane *new_lane(struct product_lanes *lanes, const char *product_id) {
    struct product_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return NULL;
    }
    snprintf(lane->product_id, sizeof lane->product_id, "%s", product_id);
    TAILQ_INIT(&lane->queue);
    product_state_init(&lane->known);
    if (tsearch(lane->product_id, &lanes->lanes, by_product) == NULL) {
        free(lane);
        return NULL;
    }
    return lane;
}

/* With the lock held, as all below. NULL: no memory. */
static struct product_lane *open_lane(struct product_lanes *lanes, const char *product_id) {
    char *const *found = tfind(product_id, &lanes->lanes, by_product);
    struct product_lane *lane = found == NULL ? new_lane(lanes, product_id) : (struct product_lane *)*found;
    if (lane == NULL) {
        return NULL;
    }
    if (found != NULL && lane->user_count == 0) {
        TAILQ_REMOVE(&lanes->idle, lane, idle_link);
        lanes->idle_count--;
    }
    lane->user_count++;
    return lane;
}

static void leave_lane(struct product_lanes *lanes, struct product_lane *lane) {
    if (--lane->user_count > 0) {
        return;
    }
    TAILQ_INSERT_TAIL(&lanes->idle, lane, idle_link);
    if (++lanes->idle_count > PRODUCT_LANE_MAX_IDLE) {
        forget_idle(lanes);
    }
}

/* ---- entries ---- */

static void end_entry(struct lane_entry *entry, enum status status, const struct error *failure) {
    entry->stage = LANE_ENDED;
    entry->status = status;
    if (failure != NULL) {
        entry->failure = *failure;
    }
    pthread_cond_signal(&entry->changed);
}

static void leave_queue(struct product_lanes *lanes, struct product_lane *lane, struct lane_entry *entry,
                        enum status status, const struct error *failure) {
    TAILQ_REMOVE(&lane->queue, entry, link);
    lanes->queued_count--;
    end_entry(entry, status, failure);
}

/* Waits until it is served, or its turn to lead. A batch that has been begun is waited for however long it takes. */
static void wait_in_lane(struct product_lanes *lanes, struct product_lane *lane, struct lane_entry *entry,
                         int64_t deadline_ms) {
    while (entry->stage == LANE_WAITING || entry->stage == LANE_TAKEN) {
        int64_t left_ms = deadline_ms - clock_now_ms(lanes->clock);
        if (entry->stage == LANE_TAKEN) {
            pthread_cond_wait(&entry->changed, &lanes->lock);
        } else if (lanes->closed || left_ms <= 0) {
            leave_queue(lanes, lane, entry, lanes->closed ? STATUS_CANCELLED : STATUS_LEASE_CONFLICT, NULL);
        } else {
            struct timespec until = condition_deadline(left_ms);
            (void)condition_wait_until(&entry->changed, &lanes->lock, &until);
        }
    }
}

/* ---- the lease, without the lock ---- */

/*
 * The waits between two tries grow, so who has waited for long would find a free lease no sooner than who had it just before. So
 * after a turn of somebody else's they begin anew again and again, and the odds are five to one that it comes before who paused.
 */
static enum status acquire_lease(struct product_lanes *lanes, struct product_lane *lane, int duration_s,
                                 int64_t deadline_ms, struct error *err) {
    char name[sizeof PRODUCT_LEASE_PREFIX + PRODUCT_ID_BYTES];
    snprintf(name, sizeof name, PRODUCT_LEASE_PREFIX "%s", lane->product_id);
    int64_t eager_from_ms = clock_now_ms(lanes->clock) + PRODUCT_LANE_TURN_MS + PRODUCT_LANE_PAUSE_MS;
    struct lease_request request = {.name = name,
                                    .duration_s = duration_s,
                                    .wait_until_ms = deadline_ms,
                                    .eager_from_ms = eager_from_ms,
                                    .listener = lease_log_listener()};
    enum status status = lease_manager_acquire(lanes->leases, &request, &lane->lease, err);
    if (status == STATUS_OK) {
        lane->is_fresh = false;
        lane->lease_is_new = true;
        log_event(LOG_INFORMATION, "✓ Acquired lease %s for product %s", lease_id(lane->lease), lane->product_id);
    }
    return status;
}

static void give_back(struct product_lanes *lanes, struct product_lane *lane) {
    if (lane->lease != NULL) {
        log_event(LOG_INFORMATION, "Releasing lease %s for product %s", lease_id(lane->lease), lane->product_id);
        lease_manager_release(lanes->leases, lane->lease);
        lane->lease = NULL;
        lane->given_back_ms = clock_now_ms(lanes->clock);
    }
}

/* A run has ended by time: do others get a pause to come in? */
static bool owes_pause(const struct product_lanes *lanes, struct product_lane *lane) {
    lane->runs_unpaused++;
    if (clock_now_ms(lanes->clock) >= lane->others_until_ms && lane->runs_unpaused < PRODUCT_LANE_PROBE_TURNS) {
        return false;
    }
    lane->runs_unpaused = 0;
    return true;
}

/* Leaves the lease to others for a while. */
static void let_others_in(struct product_lanes *lanes) {
    struct timespec until = condition_deadline(PRODUCT_LANE_PAUSE_MS);
    bool in_time = true;
    pthread_mutex_lock(&lanes->lock);
    while (in_time && !lanes->closed) {
        in_time = condition_wait_until(&lanes->closed_changed, &lanes->lock, &until);
    }
    pthread_mutex_unlock(&lanes->lock);
}

static bool is_run_over(const struct product_lanes *lanes, const struct product_lane *lane) {
    return clock_now_ms(lanes->clock) - lane->run_since_ms >= PRODUCT_LANE_TURN_MS;
}

static enum status ensure_lease(struct product_lanes *lanes, struct product_lane *lane, int duration_s,
                                int64_t deadline_ms, struct error *err) {
    if (lane->lease != NULL && lease_manager_is_held(lanes->leases, lane->lease)) {
        return STATUS_OK;
    }
    give_back(lanes, lane);
    /* Shorter than a pause, the lease has hardly been free for others: the run goes on. */
    int64_t now_ms = clock_now_ms(lanes->clock);
    bool goes_on = now_ms - lane->given_back_ms < PRODUCT_LANE_PAUSE_MS;
    bool is_over = goes_on && is_run_over(lanes, lane);
    if (is_over && owes_pause(lanes, lane)) {
        let_others_in(lanes);
    }
    enum status status = acquire_lease(lanes, lane, duration_s, deadline_ms, err);
    if (!goes_on || is_over || clock_now_ms(lanes->clock) - now_ms >= PRODUCT_LANE_PAUSE_MS) {
        lane->run_since_ms = clock_now_ms(lanes->clock);
    }
    return status;
}

/* ---- leading ---- */

/* A turn is over: the first in the queue leads, with the lease unless its time is up. */
static void pass_on(struct product_lanes *lanes, struct product_lane *lane) {
    bool more = !TAILQ_EMPTY(&lane->queue);
    if (lane->lease != NULL && (!more || is_run_over(lanes, lane))) {
        /* Before anybody else leads: who comes next must not meet our own lease. */
        pthread_mutex_unlock(&lanes->lock);
        give_back(lanes, lane);
        pthread_mutex_lock(&lanes->lock);
    }
    struct lane_entry *next = TAILQ_FIRST(&lane->queue);
    lane->is_led = next != NULL;
    if (next != NULL) {
        next->stage = LANE_LEADING;
        pthread_cond_signal(&next->changed);
    }
}

static void take_batch(struct product_lanes *lanes, struct product_lane *lane, struct lane_entries *batch) {
    TAILQ_INIT(batch);
    struct lane_entry *entry = TAILQ_FIRST(&lane->queue);
    do {
        TAILQ_REMOVE(&lane->queue, entry, link);
        TAILQ_INSERT_TAIL(batch, entry, link);
        entry->stage = LANE_TAKEN;
        lanes->queued_count--;
        entry = TAILQ_FIRST(&lane->queue);
    } while (entry != NULL);
}

static void return_entry(struct product_lanes *lanes, struct lane_entry *entry, struct lane_entries *queue) {
    TAILQ_INSERT_TAIL(queue, entry, link);
    entry->stage = LANE_WAITING;
    lanes->queued_count++;
    pthread_cond_signal(&entry->changed);
}

/* Ends those who were served; the others stand at the front again, or behind all who have come meanwhile. */
static void return_batch(struct product_lanes *lanes, struct product_lane *lane, struct lane_entries *batch) {
    struct lane_entries front = TAILQ_HEAD_INITIALIZER(front);
    struct lane_entry *entry;
    while ((entry = TAILQ_FIRST(batch)) != NULL) {
        TAILQ_REMOVE(batch, entry, link);
        if (entry->served) {
            end_entry(entry, entry->status, NULL);
        } else {
            return_entry(lanes, entry, entry->steps_back ? &lane->queue : &front);
        }
    }
    TAILQ_CONCAT(&front, &lane->queue, link);
    TAILQ_CONCAT(&lane->queue, &front, link);
}

/* Serves one batch with the lease in hand; without the lock. */
static void serve_turn(struct product_lanes *lanes, struct product_lane *lane, struct product_turn *turn) {
    turn->product_id = lane->product_id;
    turn->lease = lane->lease;
    turn->renewals_before = lease_manager_renewal_count(lanes->leases, lane->lease);
    turn->known = &lane->known;
    turn->checked = &lane->checked;
    turn->is_fresh = lane->is_fresh;
    turn->expects_others = lane->expects_others;
    turn->met_others = false;
    lanes->serve(lanes->context, turn);
    lane->is_fresh = turn->is_fresh;
    if (turn->met_others || lane->lease_is_new) {
        lane->expects_others = turn->met_others;
    }
    lane->lease_is_new = false;
    if (turn->met_others) {
        lane->others_until_ms = clock_now_ms(lanes->clock) + OTHERS_REMEMBERED_MS;
    }
}

/* The lease was not had: the leader's own end, or, where storage is to blame, everybody's. */
static void fail_to_lead(struct product_lanes *lanes, struct product_lane *lane, struct lane_entry *leader,
                         enum status status, const struct error *failure) {
    if (status == STATUS_LEASE_CONFLICT || status == STATUS_CANCELLED) {
        leave_queue(lanes, lane, leader, status, failure);
        return;
    }
    while (!TAILQ_EMPTY(&lane->queue)) {
        leave_queue(lanes, lane, TAILQ_FIRST(&lane->queue), status, failure);
    }
}

/* With the lock held at first and at last. Ends with `leader` ended or, when it was not served yet, leading or waiting again. */
static void lead(struct product_lanes *lanes, struct product_lane *lane, struct lane_entry *leader, int duration_s,
                 int64_t deadline_ms) {
    struct product_turn turn;
    struct error failure = {.status = STATUS_OK};
    pthread_mutex_unlock(&lanes->lock);
    enum status status = ensure_lease(lanes, lane, duration_s, deadline_ms, &failure);
    pthread_mutex_lock(&lanes->lock);
    if (status == STATUS_OK) {
        take_batch(lanes, lane, &turn.entries);
        pthread_mutex_unlock(&lanes->lock);
        serve_turn(lanes, lane, &turn);
        pthread_mutex_lock(&lanes->lock);
        return_batch(lanes, lane, &turn.entries);
    } else {
        fail_to_lead(lanes, lane, leader, status, &failure);
    }
    pass_on(lanes, lane);
}

enum status product_lane_run(struct product_lanes *lanes, const char *product_id, int lease_duration_s,
                             struct lane_entry *entry, struct error *err) {
    int64_t deadline_ms = clock_now_ms(lanes->clock) + lanes->acquire_timeout_ms;
    pthread_mutex_lock(&lanes->lock);
    struct product_lane *lane = lanes->closed ? NULL : open_lane(lanes, product_id);
    if (lane == NULL) {
        enum status status = lanes->closed ? STATUS_CANCELLED : STATUS_NO_MEMORY;
        pthread_mutex_unlock(&lanes->lock);
        return error_set(err, status, "queueing up at product %s", product_id);
    }
    condition_init(&entry->changed);
    entry->stage = lane->is_led ? LANE_WAITING : LANE_LEADING;
    TAILQ_INSERT_TAIL(&lane->queue, entry, link);
    lanes->queued_count++;
    if (lane->is_led) {
        log_event(LOG_DEBUG, "Waiting for a turn at product %s", product_id);
    }
    lane->is_led = true;
    for (; entry->stage != LANE_ENDED; wait_in_lane(lanes, lane, entry, deadline_ms)) {
        if (entry->stage == LANE_LEADING) {
            lead(lanes, lane, entry, lease_duration_s, deadline_ms);
        }
    }
    leave_lane(lanes, lane);
    pthread_mutex_unlock(&lanes->lock);
    pthread_cond_destroy(&entry->changed);
    if (entry->status == STATUS_LEASE_CONFLICT) {
        log_event(LOG_INFORMATION, "Could not acquire lease for product %s. Another operation in progress.",
                  product_id);
    }
    if (entry->status != STATUS_OK && err != NULL) {
        error_set(err, entry->status, "waiting for a turn at product %s", product_id);
        if (entry->failure.status != STATUS_OK) {
            *err = entry->failure;
        }
    }
    return entry->status;
}

static void wake_queue(const void *node, VISIT visit, void *closure) {
    (void)closure;
    if (visit != postorder && visit != leaf) {
        return; /* inner nodes are visited three times */
    }
    const struct product_lane *lane = *(const struct product_lane *const *)node;
    struct lane_entry *entry;
    TAILQ_FOREACH(entry, &lane->queue, link) {
        pthread_cond_signal(&entry->changed);
    }
}

void product_lanes_close(struct product_lanes *lanes) {
    pthread_mutex_lock(&lanes->lock);
    lanes->closed = true;
    twalk_r(lanes->lanes, wake_queue, NULL);
    pthread_cond_broadcast(&lanes->closed_changed);
    pthread_mutex_unlock(&lanes->lock);
}
