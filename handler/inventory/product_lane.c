#include "inventory/product_lane.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/condition.h"
#include "base/log.h"
#include "inventory/lease_log.h"

/* A request that waits for its turn, on its own stack. */
struct waiter {
    pthread_cond_t turn_changed;
    bool has_turn;
    struct lease *lease; /* handed over with the turn; NULL: acquire one */
    struct waiter *next;
};

struct product_lane {
    char product_id[PRODUCT_ID_BYTES];
    struct waiter *first_waiter; /* behind the request whose turn it is */
    struct waiter **last_link;
    int64_t lease_since_ms; /* when the lease that is handed on was acquired */
    bool pauses;            /* the last turn ended by time: others first */
    struct product_lane *next;
};

enum status product_lanes_init(struct product_lanes *lanes, struct lease_manager *leases, const struct clock *clock,
                               int64_t acquire_timeout_ms) {
    *lanes = (struct product_lanes){.leases = leases, .clock = clock, .acquire_timeout_ms = acquire_timeout_ms};
    condition_init(&lanes->closed_changed);
    return pthread_mutex_init(&lanes->lock, NULL) == 0 ? STATUS_OK : STATUS_INTERNAL;
}

void product_lanes_release(struct product_lanes *lanes) {
    assert(lanes->first == NULL);
    pthread_mutex_destroy(&lanes->lock);
    pthread_cond_destroy(&lanes->closed_changed);
}

static struct product_lane *find_lane(struct product_lanes *lanes, const char *product_id) {
    struct product_lane *lane = lanes->first;
    while (lane != NULL && strcmp(lane->product_id, product_id) != 0) {
        lane = lane->next;
    }
    return lane;
}

static struct product_lane *open_lane(struct product_lanes *lanes, const char *product_id) {
    struct product_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) {
        return NULL;
    }
    snprintf(lane->product_id, sizeof lane->product_id, "%s", product_id);
    lane->last_link = &lane->first_waiter;
    lane->next = lanes->first;
    lanes->first = lane;
    return lane;
}

static void close_lane(struct product_lanes *lanes, struct product_lane *lane) {
    struct product_lane **link = &lanes->first;
    while (*link != lane) {
        link = &(*link)->next;
    }
    *link = lane->next;
    free(lane);
}

static void leave_queue(struct product_lane *lane, struct waiter *waiter) {
    struct waiter **link = &lane->first_waiter;
    while (*link != waiter) {
        link = &(*link)->next;
    }
    *link = waiter->next;
    if (lane->last_link == &waiter->next) {
        lane->last_link = link;
    }
}

/* Queues up behind the others, with the lock held; on success it is the caller's turn. */
static enum status wait_for_turn(struct product_lanes *lanes, struct product_lane *lane, int64_t deadline_ms,
                                 struct lease **out_lease) {
    struct waiter waiter = {.has_turn = false};
    enum status status = STATUS_OK;
    condition_init(&waiter.turn_changed);
    /* cppcheck-suppress autoVariables ; it leaves the queue before this function returns */
    *lane->last_link = &waiter;
    /* cppcheck-suppress autoVariables ; as above */
    lane->last_link = &waiter.next;
    lanes->waiting++;
    log_event(LOG_DEBUG, "Waiting for a turn at product %s", lane->product_id);
    while (!waiter.has_turn && !lanes->closed) {
        int64_t left_ms = deadline_ms - clock_now_ms(lanes->clock);
        if (left_ms <= 0) {
            break;
        }
        struct timespec until = condition_deadline(left_ms);
        (void)condition_wait_until(&waiter.turn_changed, &lanes->lock, &until);
    }
    if (waiter.has_turn) {
        *out_lease = waiter.lease;
    } else {
        leave_queue(lane, &waiter);
        status = lanes->closed ? STATUS_CANCELLED : STATUS_LEASE_CONFLICT;
    }
    lanes->waiting--;
    pthread_cond_destroy(&waiter.turn_changed);
    return status;
}

/* The lane's turn passes on, with `lease` (or NULL: the next acquires its own); an empty lane is closed. */
static void pass_turn(struct product_lanes *lanes, struct product_lane *lane, struct lease *lease) {
    struct waiter *next = lane->first_waiter;
    if (next == NULL) {
        close_lane(lanes, lane);
        return;
    }
    leave_queue(lane, next);
    next->has_turn = true;
    next->lease = lease;
    pthread_cond_signal(&next->turn_changed);
}

static enum status acquire_lease(struct product_lanes *lanes, const char *product_id, int duration_s,
                                 int64_t deadline_ms, struct lease **out, struct error *err) {
    char name[LEASE_NAME_BYTES];
    snprintf(name, sizeof name, "inventory-%s", product_id);
    struct lease_request request = {
        .name = name, .duration_s = duration_s, .wait_until_ms = deadline_ms, .listener = lease_log_listener()};
    enum status status = lease_manager_acquire(lanes->leases, &request, out, err);
    if (status == STATUS_OK) {
        log_event(LOG_INFORMATION, "✓ Acquired lease %s for product %s", lease_id(*out), product_id);
    }
    return status;
}

static void give_back(struct product_lanes *lanes, const char *product_id, struct lease *lease) {
    if (lease == NULL) {
        return;
    }
    log_event(LOG_INFORMATION, "Releasing lease %s for product %s", lease_id(lease), product_id);
    lease_manager_release(lanes->leases, lease);
}

/* Leaves the lease to others for a while, if it is their turn. */
static void let_others_in(struct product_lanes *lanes, struct product_lane *lane) {
    struct timespec until = condition_deadline(PRODUCT_LANE_PAUSE_MS);
    bool in_time = lane->pauses;
    lane->pauses = false;
    pthread_mutex_lock(&lanes->lock);
    while (in_time && !lanes->closed) {
        in_time = condition_wait_until(&lanes->closed_changed, &lanes->lock, &until);
    }
    pthread_mutex_unlock(&lanes->lock);
}

/* With the lane's front in hand: makes sure of a lease that is held. */
static enum status ensure_lease(struct product_lanes *lanes, struct product_lane *lane, int duration_s,
                                int64_t deadline_ms, struct lease **lease, struct error *err) {
    if (*lease != NULL && lease_manager_is_held(lanes->leases, *lease)) {
        return STATUS_OK;
    }
    give_back(lanes, lane->product_id, *lease);
    *lease = NULL;
    let_others_in(lanes, lane);
    enum status status = acquire_lease(lanes, lane->product_id, duration_s, deadline_ms, lease, err);
    lane->lease_since_ms = clock_now_ms(lanes->clock);
    return status;
}

/* The lane's front, first come, first served. *out_lease: the lease that came with it, or NULL. */
static enum status take_turn(struct product_lanes *lanes, const char *product_id, int64_t deadline_ms,
                             struct product_lane **out, struct lease **out_lease) {
    enum status status = STATUS_OK;
    pthread_mutex_lock(&lanes->lock);
    struct product_lane *lane = find_lane(lanes, product_id);
    if (lanes->closed) {
        status = STATUS_CANCELLED;
    } else if (lane != NULL) {
        status = wait_for_turn(lanes, lane, deadline_ms, out_lease);
    } else {
        lane = open_lane(lanes, product_id);
        status = lane == NULL ? STATUS_NO_MEMORY : STATUS_OK;
    }
    pthread_mutex_unlock(&lanes->lock);
    *out = lane;
    return status;
}

static enum status take_turn_with_lease(struct product_lanes *lanes, const char *product_id, int lease_duration_s,
                                        struct product_turn *out, struct error *err) {
    int64_t deadline_ms = clock_now_ms(lanes->clock) + lanes->acquire_timeout_ms;
    struct product_lane *lane = NULL;
    struct lease *lease = NULL;
    enum status status = take_turn(lanes, product_id, deadline_ms, &lane, &lease);
    if (status != STATUS_OK) {
        return error_set(err, status, "waiting for a turn at product %s", product_id);
    }
    status = ensure_lease(lanes, lane, lease_duration_s, deadline_ms, &lease, err);
    if (status != STATUS_OK) {
        pthread_mutex_lock(&lanes->lock);
        pass_turn(lanes, lane, NULL);
        pthread_mutex_unlock(&lanes->lock);
        return status;
    }
    *out = (struct product_turn){
        .lane = lane, .lease = lease, .renewals_before = lease_manager_renewal_count(lanes->leases, lease)};
    return STATUS_OK;
}

enum status product_lane_enter(struct product_lanes *lanes, const char *product_id, int lease_duration_s,
                               struct product_turn *out, struct error *err) {
    enum status status = take_turn_with_lease(lanes, product_id, lease_duration_s, out, err);
    if (status == STATUS_LEASE_CONFLICT) {
        log_event(LOG_INFORMATION, "Could not acquire lease for product %s. Another operation in progress.",
                  product_id);
    }
    return status;
}

void product_lane_leave(struct product_lanes *lanes, struct product_turn *turn) {
    struct product_lane *lane = turn->lane;
    struct lease *lease = turn->lease;
    pthread_mutex_lock(&lanes->lock);
    lane->pauses = false;
    bool hand_on =
        lane->first_waiter != NULL && clock_now_ms(lanes->clock) - lane->lease_since_ms < PRODUCT_LANE_TURN_MS;
    if (!hand_on) {
        /* Given back before the turn passes on: the next must not meet our own lease. */
        pthread_mutex_unlock(&lanes->lock);
        give_back(lanes, lane->product_id, lease);
        pthread_mutex_lock(&lanes->lock);
        lease = NULL;
        lane->pauses = lane->first_waiter != NULL;
    }
    pass_turn(lanes, lane, lease);
    pthread_mutex_unlock(&lanes->lock);
}

void product_lanes_close(struct product_lanes *lanes) {
    pthread_mutex_lock(&lanes->lock);
    lanes->closed = true;
    pthread_cond_broadcast(&lanes->closed_changed);
    for (struct product_lane *lane = lanes->first; lane != NULL; lane = lane->next) {
        for (struct waiter *waiter = lane->first_waiter; waiter != NULL; waiter = waiter->next) {
            pthread_cond_signal(&waiter->turn_changed);
        }
    }
    pthread_mutex_unlock(&lanes->lock);
}
