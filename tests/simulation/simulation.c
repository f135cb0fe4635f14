#include "simulation/simulation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- events ---- */

void simulation_schedule(struct simulation *simulation, struct simulated_event *event,
                         int64_t at_us) {
    timer_heap_set(&simulation->events, &event->entry,
                   at_us > simulation->now_us ? at_us : simulation->now_us);
}

void simulation_cancel(struct simulation *simulation, struct simulated_event *event) {
    timer_heap_remove(&simulation->events, &event->entry);
}

bool simulation_step(struct simulation *simulation, int64_t until_us) {
    struct simulated_event *event = (struct simulated_event *)timer_heap_first(&simulation->events);
    if (event == NULL || event->entry.due_ms > until_us) {
        return false;
    }
    simulation->now_us = event->entry.due_ms;
    timer_heap_remove(&simulation->events, &event->entry);
    event->happen(event->context);
    return true;
}

/* ---- the trace ---- */

/* Multiply and rotate, eight bytes at a time: fast, and enough to tell two runs apart. */
static uint64_t mix(uint64_t hash, uint64_t bits) {
    hash = (hash ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 29);
}

void simulation_mix(struct simulation *simulation, const void *bytes, size_t length) {
    const unsigned char *at = bytes;
    uint64_t hash = mix(simulation->hash, (uint64_t)simulation->now_us ^ length), bits = 0;
    for (; length >= sizeof bits; length -= sizeof bits, at += sizeof bits) {
        memcpy(&bits, at, sizeof bits);
        hash = mix(hash, bits);
    }
    if (length > 0) {
        bits = 0;
        memcpy(&bits, at, length);
        hash = mix(hash, bits);
    }
    simulation->hash = hash;
}

void simulation_tell(struct simulation *simulation, const char *who, const char *format, ...) {
    if (!simulation->prints) {
        return;
    }
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    printf("%12.3f ms  %-10s %s\n", (double)simulation->now_us / SIMULATION_US, who, line);
}
