#include "storage/storage_clock.h"

#include "base/clock.h"
#include "base/utc.h"

/* Linux slews a clock by 500 ppm at most. So the bounds widen by 1 ms in 2000. */
enum { DRIFT_MS_PER_MS = 2000 };

void storage_clock_init(struct storage_clock *storage_clock, const struct clock *clock) {
    *storage_clock = (struct storage_clock){.clock = clock};
    pthread_mutex_init(&storage_clock->lock, NULL);
}

void storage_clock_cleanup(struct storage_clock *storage_clock) {
    pthread_mutex_destroy(&storage_clock->lock);
}

/* With the lock held: widens the accepted bounds by our clock's drift up to now. */
static void widen(struct storage_clock *storage_clock, int64_t now_ms) {
    int64_t drift_ms = (now_ms - storage_clock->widened_ms) / DRIFT_MS_PER_MS;
    if (drift_ms <= 0) {
        return;
    }
    storage_clock->accepted.min_ms -= drift_ms;
    storage_clock->accepted.max_ms += drift_ms;
    storage_clock->widened_ms += drift_ms * DRIFT_MS_PER_MS;
}

/* Returns the gap between two bounds. It is 0 or less if they overlap. */
static int64_t distance_ms(const struct storage_clock_bounds *a,
                           const struct storage_clock_bounds *b) {
    return clock_max_ms(a->min_ms - b->max_ms, b->min_ms - a->max_ms);
}

static bool agree(const struct storage_clock_bounds *a, const struct storage_clock_bounds *b) {
    return a->is_set && b->is_set && distance_ms(a, b) <= STORAGE_CLOCK_TOLERANCE_MS;
}

/* With the lock held: lets the accepted bounds follow an answer, and drops the jump. */
static void accept_answer(struct storage_clock *storage_clock,
                          const struct storage_clock_bounds *observed, int64_t now_ms) {
    struct storage_clock_bounds *accepted = &storage_clock->accepted;
    storage_clock->jump.is_set = false;
    if (!accepted->is_set || distance_ms(accepted, observed) > 0) {
        *accepted = *observed;
        storage_clock->widened_ms = now_ms;
        return;
    }
    accepted->min_ms = clock_max_ms(accepted->min_ms, observed->min_ms);
    accepted->max_ms = clock_min_ms(accepted->max_ms, observed->max_ms);
}

/* Returns the bounds by the machine's wall clock, to compare the first answer with. */
static struct storage_clock_bounds wall_bounds(const struct storage_clock *storage_clock) {
    int64_t offset_ms = clock_wall_ms(storage_clock->clock) - clock_now_ms(storage_clock->clock);
    return (struct storage_clock_bounds){.is_set = true, .min_ms = offset_ms, .max_ms = offset_ms};
}

/*
 * With the lock held: an answer is accepted if it agrees with the accepted bounds (or, before the
 * first one, with the wall clock), or if it confirms the jump. Otherwise it is the new jump.
 */
static void observe_bounds(struct storage_clock *storage_clock,
                           const struct storage_clock_bounds *observed, int64_t now_ms) {
    widen(storage_clock, now_ms);
    struct storage_clock_bounds wall = wall_bounds(storage_clock);
    const struct storage_clock_bounds *reference =
        storage_clock->accepted.is_set ? &storage_clock->accepted : &wall;
    if (agree(reference, observed) || agree(&storage_clock->jump, observed)) {
        accept_answer(storage_clock, observed, now_ms);
    } else {
        storage_clock->jump = *observed;
    }
}

void storage_clock_observe(struct storage_clock *storage_clock, const char *date, int64_t sent_ms,
                           int64_t received_ms) {
    int64_t date_ms;
    if (date == NULL || !utc_parse_http(date, &date_ms)) {
        return;
    }
    /* Storage's time was in [date, date + 999 ms] at some moment in [sent, received]. */
    struct storage_clock_bounds observed = {
        .is_set = true, .min_ms = date_ms - received_ms, .max_ms = date_ms + 999 - sent_ms};
    pthread_mutex_lock(&storage_clock->lock);
    observe_bounds(storage_clock, &observed, received_ms);
    pthread_mutex_unlock(&storage_clock->lock);
}

/* With the lock held: the time by `bounds`, or the machine's wall time if they are not set. */
static int64_t time_by(const struct storage_clock *storage_clock,
                       const struct storage_clock_bounds *bounds, int64_t now_ms) {
    return bounds->is_set ? now_ms + bounds->min_ms : clock_wall_ms(storage_clock->clock);
}

int64_t storage_clock_ms(struct storage_clock *storage_clock) {
    int64_t now_ms = clock_now_ms(storage_clock->clock);
    pthread_mutex_lock(&storage_clock->lock);
    widen(storage_clock, now_ms);
    int64_t time_ms = time_by(storage_clock, &storage_clock->accepted, now_ms);
    pthread_mutex_unlock(&storage_clock->lock);
    return time_ms;
}

int64_t storage_clock_signing_ms(struct storage_clock *storage_clock) {
    int64_t now_ms = clock_now_ms(storage_clock->clock);
    pthread_mutex_lock(&storage_clock->lock);
    const struct storage_clock_bounds *bounds =
        storage_clock->accepted.is_set ? &storage_clock->accepted : &storage_clock->jump;
    int64_t time_ms = time_by(storage_clock, bounds, now_ms);
    pthread_mutex_unlock(&storage_clock->lock);
    return time_ms;
}

int64_t storage_clock_certain_ms(struct storage_clock *storage_clock) {
    int64_t time_ms = storage_clock_ms(storage_clock), now_ms = clock_now_ms(storage_clock->clock);
    pthread_mutex_lock(&storage_clock->lock);
    const struct storage_clock_bounds *jump = &storage_clock->jump;
    int64_t certain_ms =
        jump->is_set ? clock_min_ms(time_ms, time_by(storage_clock, jump, now_ms)) : time_ms;
    pthread_mutex_unlock(&storage_clock->lock);
    return certain_ms;
}

bool storage_clock_is_in_doubt(struct storage_clock *storage_clock) {
    pthread_mutex_lock(&storage_clock->lock);
    bool is_in_doubt = storage_clock->jump.is_set;
    pthread_mutex_unlock(&storage_clock->lock);
    return is_in_doubt;
}
