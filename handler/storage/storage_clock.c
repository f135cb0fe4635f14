#include "storage/storage_clock.h"

#include "base/utc.h"

/* Our clock may run up to 500 ppm off (the most by which Linux slews it): bounds widen by 1 ms in 2000. */
enum { DRIFT_MS_PER_MS = 2000 };

void storage_clock_init(struct storage_clock *storage_clock, const struct clock *clock) {
    *storage_clock = (struct storage_clock){.clock = clock};
    pthread_mutex_init(&storage_clock->lock, NULL);
}

void storage_clock_release(struct storage_clock *storage_clock) {
    pthread_mutex_destroy(&storage_clock->lock);
}

static void widen(struct storage_clock *storage_clock, int64_t now_ms) {
    int64_t drift_ms = (now_ms - storage_clock->widened_ms) / DRIFT_MS_PER_MS;
    if (drift_ms <= 0) {
        return;
    }
    storage_clock->offset_min_ms -= drift_ms;
    storage_clock->offset_max_ms += drift_ms;
    storage_clock->widened_ms += drift_ms * DRIFT_MS_PER_MS;
}

static void intersect(struct storage_clock *storage_clock, int64_t min_ms, int64_t max_ms, int64_t now_ms) {
    widen(storage_clock, now_ms);
    if (!storage_clock->heard || min_ms > storage_clock->offset_max_ms || max_ms < storage_clock->offset_min_ms) {
        storage_clock->heard = true;
        storage_clock->offset_min_ms = min_ms;
        storage_clock->offset_max_ms = max_ms;
        storage_clock->widened_ms = now_ms;
        return;
    }
    if (min_ms > storage_clock->offset_min_ms) {
        storage_clock->offset_min_ms = min_ms;
    }
    if (max_ms < storage_clock->offset_max_ms) {
        storage_clock->offset_max_ms = max_ms;
    }
}

void storage_clock_hear(struct storage_clock *storage_clock, const char *date, int64_t sent_ms, int64_t received_ms) {
    int64_t date_ms;
    if (!date || !utc_parse_http(date, &date_ms)) {
        return;
    }
    /* The service's time was in [date, date + 999] at some moment in [sent, received]. */
    pthread_mutex_lock(&storage_clock->lock);
    intersect(storage_clock, date_ms - received_ms, date_ms + 999 - sent_ms, received_ms);
    pthread_mutex_unlock(&storage_clock->lock);
}

int64_t storage_clock_ms(struct storage_clock *storage_clock) {
    int64_t now_ms = clock_now_ms(storage_clock->clock);
    pthread_mutex_lock(&storage_clock->lock);
    bool heard = storage_clock->heard;
    if (heard) {
        widen(storage_clock, now_ms);
    }
    int64_t offset_ms = storage_clock->offset_min_ms;
    pthread_mutex_unlock(&storage_clock->lock);
    return heard ? now_ms + offset_ms : clock_wall_ms(storage_clock->clock);
}
