#include "storage/storage_clock.h"

#include "base/utc.h"

/* Our clock may run up to 500 ppm off (the most by which Linux slews it): bounds widen by 1 ms in 2000. */
enum { DRIFT_MS_PER_MS = 2000 };

void storage_clock_init(struct storage_clock *storage_clock, const struct clock *clock) {
    *storage_clock = (struct storage_clock){.clock = clock};
    pthread_mutex_init(&storage_clock->lock, NULL);
}

void storage_clock_cleanup(struct storage_clock *storage_clock) {
    pthread_mutex_destroy(&storage_clock->lock);
}

static void widen(struct storage_clock *storage_clock, int64_t now_ms) {
    int64_t drift_ms = (now_ms - storage_clock->widened_ms) / DRIFT_MS_PER_MS;
    if (drift_ms <= 0) {
        return;
    }
    storage_clock->bounds.min_ms -= drift_ms;
    storage_clock->bounds.max_ms += drift_ms;
    storage_clock->widened_ms += drift_ms * DRIFT_MS_PER_MS;
}

/* How far bounds are apart; 0 or less: they have a point in common. */
static int64_t distance_ms(const struct storage_clock_bounds *a,
                           const struct storage_clock_bounds *b) {
    return clock_max_ms(a->min_ms - b->max_ms, b->min_ms - a->max_ms);
}

static bool agree(const struct storage_clock_bounds *a, const struct storage_clock_bounds *b) {
    return a->known && b->known && distance_ms(a, b) <= STORAGE_CLOCK_TOLERANCE_MS;
}

/* With the lock held: believes an answer, and forgets a jump that waits. */
static void believe(struct storage_clock *storage_clock, const struct storage_clock_bounds *heard,
                    int64_t now_ms) {
    struct storage_clock_bounds *bounds = &storage_clock->bounds;
    storage_clock->jump.known = false;
    if (!bounds->known || distance_ms(bounds, heard) > 0) {
        *bounds = *heard;
        storage_clock->widened_ms = now_ms;
        return;
    }
    bounds->min_ms = clock_max_ms(bounds->min_ms, heard->min_ms);
    bounds->max_ms = clock_min_ms(bounds->max_ms, heard->max_ms);
}

/* What the machine's wall clock says, while there is nothing better to compare an answer with. */
static struct storage_clock_bounds wall_bounds(const struct storage_clock *storage_clock) {
    int64_t offset_ms = clock_wall_ms(storage_clock->clock) - clock_now_ms(storage_clock->clock);
    return (struct storage_clock_bounds){.known = true, .min_ms = offset_ms, .max_ms = offset_ms};
}

/* With the lock held. */
static void take_in(struct storage_clock *storage_clock, const struct storage_clock_bounds *heard,
                    int64_t now_ms) {
    widen(storage_clock, now_ms);
    struct storage_clock_bounds wall = wall_bounds(storage_clock);
    const struct storage_clock_bounds *known =
        storage_clock->bounds.known ? &storage_clock->bounds : &wall;
    if (agree(known, heard) || agree(&storage_clock->jump, heard)) {
        believe(storage_clock, heard, now_ms);
    } else {
        storage_clock->jump = *heard;
    }
}

void storage_clock_observe(struct storage_clock *storage_clock, const char *date, int64_t sent_ms,
                           int64_t received_ms) {
    int64_t date_ms;
    if (!date || !utc_parse_http(date, &date_ms)) {
        return;
    }
    /* The service's time was in [date, date + 999] at some moment in [sent, received]. */
    struct storage_clock_bounds heard = {
        .known = true, .min_ms = date_ms - received_ms, .max_ms = date_ms + 999 - sent_ms};
    pthread_mutex_lock(&storage_clock->lock);
    take_in(storage_clock, &heard, received_ms);
    pthread_mutex_unlock(&storage_clock->lock);
}

/* With the lock held. */
static int64_t time_by(const struct storage_clock *storage_clock,
                       const struct storage_clock_bounds *bounds, int64_t now_ms) {
    return bounds->known ? now_ms + bounds->min_ms : clock_wall_ms(storage_clock->clock);
}

int64_t storage_clock_ms(struct storage_clock *storage_clock) {
    int64_t now_ms = clock_now_ms(storage_clock->clock);
    pthread_mutex_lock(&storage_clock->lock);
    widen(storage_clock, now_ms);
    int64_t time_ms = time_by(storage_clock, &storage_clock->bounds, now_ms);
    pthread_mutex_unlock(&storage_clock->lock);
    return time_ms;
}

int64_t storage_clock_signing_ms(struct storage_clock *storage_clock) {
    int64_t now_ms = clock_now_ms(storage_clock->clock);
    pthread_mutex_lock(&storage_clock->lock);
    bool believed = storage_clock->bounds.known;
    int64_t time_ms =
        time_by(storage_clock, believed ? &storage_clock->bounds : &storage_clock->jump, now_ms);
    pthread_mutex_unlock(&storage_clock->lock);
    return time_ms;
}

int64_t storage_clock_certain_ms(struct storage_clock *storage_clock) {
    int64_t time_ms = storage_clock_ms(storage_clock), now_ms = clock_now_ms(storage_clock->clock);
    pthread_mutex_lock(&storage_clock->lock);
    const struct storage_clock_bounds *jump = &storage_clock->jump;
    int64_t certain_ms =
        jump->known ? clock_min_ms(time_ms, time_by(storage_clock, jump, now_ms)) : time_ms;
    pthread_mutex_unlock(&storage_clock->lock);
    return certain_ms;
}

bool storage_clock_is_in_doubt(struct storage_clock *storage_clock) {
    pthread_mutex_lock(&storage_clock->lock);
    bool in_doubt = storage_clock->jump.known;
    pthread_mutex_unlock(&storage_clock->lock);
    return in_doubt;
}
