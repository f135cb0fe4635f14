#include "support/fakes/clock_fake.h"

/* Through a copy of the address: the clock's interface is const, the atomics are not. */
static struct clock_fake *fake_of(const struct clock *clock) {
    return (struct clock_fake *)(uintptr_t)clock;
}

static int64_t now_ms(const struct clock *clock) {
    return atomic_load(&fake_of(clock)->now_ms);
}

static int64_t wall_ms(const struct clock *clock) {
    return atomic_load(&fake_of(clock)->wall_ms);
}

void clock_fake_init(struct clock_fake *fake, int64_t now, int64_t wall) {
    fake->base = (struct clock){.now_ms = now_ms, .wall_ms = wall_ms};
    atomic_init(&fake->now_ms, now);
    atomic_init(&fake->wall_ms, wall);
    fake->loop = NULL;
}

/* The loop looks at the clock after its tasks. */
static void on_look(void *context) {
    struct clock_fake *fake = context;
    atomic_store(&fake->is_posted, false);
}

void clock_fake_wake(struct clock_fake *fake, struct event_loop *loop) {
    fake->loop = loop;
    fake->look = (struct loop_task){.run = on_look, .context = fake};
    atomic_init(&fake->is_posted, false);
}

void clock_fake_advance(struct clock_fake *fake, int64_t ms) {
    atomic_fetch_add(&fake->wall_ms, ms);
    atomic_fetch_add(&fake->now_ms, ms);
    if (fake->loop != NULL && !atomic_exchange(&fake->is_posted, true)) {
        event_loop_post(fake->loop, &fake->look);
    }
}

void clock_fake_jump_wall(struct clock_fake *fake, int64_t ms) {
    atomic_fetch_add(&fake->wall_ms, ms);
}
