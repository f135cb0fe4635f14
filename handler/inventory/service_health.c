#include "inventory/service_health.h"

#include "base/correlation.h"
#include "base/log.h"

/* The probe of the table looks for a record that cannot exist: no product has this id. */
#define HEALTH_PRODUCT_ID "!health"
#define HEALTH_KEY_HASH "health"

void service_health_init(struct service_health *health, const struct platform *platform,
                         struct inventory_store *store, struct store_preparation *preparation,
                         struct lease_manager *leases) {
    *health = (struct service_health){
        .platform = platform, .store = store, .preparation = preparation, .leases = leases};
    TAILQ_INIT(&health->waiters);
}

/* Answers all who wait. They are on a list of their own, because `done` may ask again. */
static void health_answer(struct service_health *health, bool is_healthy) {
    struct health_waiters waiters = TAILQ_HEAD_INITIALIZER(waiters);
    struct health_waiter *waiter;
    health->has_outcome = true;
    health->is_healthy = is_healthy;
    TAILQ_CONCAT(&waiters, &health->waiters, link);
    while ((waiter = TAILQ_FIRST(&waiters)) != NULL) {
        TAILQ_REMOVE(&waiters, waiter, link);
        waiter->done(waiter->context, is_healthy);
    }
}

static void health_end_probe(struct service_health *health, const char *what, bool is_reached,
                             const struct error *err) {
    if (!is_reached) {
        health->has_failed = true;
        log_event(LOG_WARNING, "The health check cannot reach %s: %s", what, err->message);
    }
    if (--health->probes_under_way == 0) {
        event_loop_stop_timer(health->platform->loop, &health->timer);
        health_answer(health, !health->has_failed);
    }
}

static void health_on_late(void *context) {
    log_event(LOG_WARNING, "The health check has had no answer from storage in time");
    health_answer(context, false);
}

static void health_on_leases(void *context, enum status status, const struct error *err) {
    health_end_probe(context, "the container of the leases", status == STATUS_OK, err);
}

static void health_on_record(void *context, enum status status, const struct error *err) {
    struct service_health *health = context;
    struct error failure = *err;
    status = store_preparation_note_status(health->preparation, status, &failure);
    health_end_probe(health, "the table", status == STATUS_OK || status == STATUS_NOT_FOUND,
                     &failure);
}

static void health_on_prepared(void *context, enum status status, const struct error *err) {
    struct service_health *health = context;
    if (status != STATUS_OK) {
        health_end_probe(health, "the table", false, err);
        return;
    }
    health->store->ops->find_record(health->store, HEALTH_PRODUCT_ID, HEALTH_KEY_HASH,
                                    &health->record, health_on_record, health);
}

/* The probes may outlive the waiter that starts them, so they do not carry its correlation. */
static void health_start_probes(struct service_health *health) {
    const struct correlation *before = correlation_use(NULL);
    health->asked_ms = clock_now_ms(health->platform->clock);
    health->has_outcome = health->has_failed = false;
    health->probes_under_way = 2;
    health->timer = (struct loop_timer){.fired = health_on_late, .context = health};
    event_loop_set_timer(health->platform->loop, &health->timer,
                         health->asked_ms + SERVICE_HEALTH_WAIT_MS);
    lease_probe_start(&health->probe, health->leases, SERVICE_HEALTH_WAIT_MS, health_on_leases,
                      health);
    health->waiter = (struct preparation_waiter){.done = health_on_prepared, .context = health};
    store_preparation_await(health->preparation, &health->waiter);
    correlation_use(before);
}

/*
 * Probes that take longer than SERVICE_HEALTH_WAIT_MS are not repeated while they are under way.
 * Until they have ended, storage counts as unhealthy.
 */
void service_health_check(struct service_health *health, struct health_waiter *waiter) {
    int64_t now_ms = clock_now_ms(health->platform->clock);
    bool is_under_way = health->probes_under_way > 0;
    if (health->has_outcome &&
        (is_under_way || now_ms - health->asked_ms < SERVICE_HEALTH_KEEP_MS)) {
        waiter->done(waiter->context, health->is_healthy);
        return;
    }
    TAILQ_INSERT_TAIL(&health->waiters, waiter, link);
    if (!is_under_way) {
        health_start_probes(health);
    }
}
