#include "support/checks/fidelity_run.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/checks/fidelity_compare.h"

enum { LEASE_MARGIN_MS = 10000, SHOWN_BYTES = 8000, READ_BACK_EVERY = 100 };

/* ---- chance ---- */

/* splitmix64 */
static uint64_t next_random(struct fidelity_run *run) {
    uint64_t bits = run->random += UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

int fidelity_run_draw(struct fidelity_run *run, int below) {
    return (int)(next_random(run) % (uint64_t)below);
}

bool fidelity_run_chance(struct fidelity_run *run, int count) {
    return fidelity_run_draw(run, count) == 0;
}

/* ---- both sides ---- */

/* To stderr, since libcheck takes no long messages. */
static void report_difference(const struct fidelity_run *run, const struct strbuf *texts,
                              const struct raw_response *answers) {
    static const char *const names[] = {
        [FIDELITY_SIMULATED] = "the simulation", [FIDELITY_AZURITE] = "Azurite"};
    fprintf(stderr, "---- the request, as Azurite got it\n%.*s\n", SHOWN_BYTES,
            run->sides->sent.data);
    for (int side = 0; side < FIDELITY_SIDES; side++) {
        fprintf(stderr, "---- %s says\n%.*s\n", names[side], SHOWN_BYTES, texts[side].data);
    }
    for (int side = 0; side < FIDELITY_SIDES; side++) {
        fprintf(stderr, "---- %s, as it came\n%s%.*s\n", names[side], answers[side].head,
                SHOWN_BYTES, answers[side].body);
    }
    ck_abort_msg("SEED=%" PRIu64 ", request %d: the answers differ", run->seed, run->sides->count);
}

void fidelity_run_exchange(struct fidelity_run *run,
                           const struct fidelity_request requests[FIDELITY_SIDES],
                           struct raw_response answers[FIDELITY_SIDES]) {
    struct strbuf texts[FIDELITY_SIDES];
    run->sides->count++;
    for (int side = 0; side < FIDELITY_SIDES; side++) {
        strbuf_init(&texts[side], SIZE_MAX);
        fidelity_sides_send(run->sides, (enum fidelity_side)side, &requests[side], &answers[side]);
        fidelity_compare_describe(&requests[side], &answers[side], &texts[side]);
    }
    if (strcmp(texts[FIDELITY_SIMULATED].data, texts[FIDELITY_AZURITE].data) != 0) {
        report_difference(run, texts, answers);
    }
    strbuf_cleanup(&texts[FIDELITY_SIMULATED]);
    strbuf_cleanup(&texts[FIDELITY_AZURITE]);
}

int fidelity_run_exchange_same(struct fidelity_run *run, struct fidelity_request *request) {
    const struct fidelity_request requests[FIDELITY_SIDES] = {*request, *request};
    struct raw_response answers[FIDELITY_SIDES];
    fidelity_run_exchange(run, requests, answers);
    int status = answers[FIDELITY_SIMULATED].status;
    raw_response_cleanup(&answers[FIDELITY_SIMULATED]);
    raw_response_cleanup(&answers[FIDELITY_AZURITE]);
    fidelity_request_cleanup(request);
    return status;
}

/* ---- steps ---- */

void fidelity_run_init(struct fidelity_run *run, struct fidelity_sides *sides, uint64_t seed) {
    memset(run, 0, sizeof *run);
    run->sides = sides;
    run->seed = run->random = seed;
    storage_unique_name(run->name);
}

int fidelity_run_number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? (int)strtol(text, NULL, 10) : otherwise;
}

static bool ends_soon(const struct lease_state_of *lease, int64_t now_ms) {
    bool has_end = (lease->state == LEASE_LEASED || lease->state == LEASE_BREAKING) &&
                   lease->ends_ms != INT64_MAX;
    return has_end && lease->ends_ms - now_ms < LEASE_MARGIN_MS &&
           now_ms - lease->ends_ms < LEASE_MARGIN_MS;
}

/* How long until that lease, if it is about to end or has just ended, is well behind. */
static int64_t wait_for_container(const struct container *container, int64_t now_ms) {
    struct map_entry **blobs = map_sorted(&container->blobs);
    int64_t wait_ms = 0;
    for (size_t i = 0; i < container->blobs.count; i++) {
        const struct lease_state_of *lease = &((struct blob *)blobs[i])->lease;
        if (ends_soon(lease, now_ms)) {
            wait_ms = clock_max_ms(wait_ms, lease->ends_ms + LEASE_MARGIN_MS - now_ms);
        }
    }
    free(blobs);
    return wait_ms;
}

/* Lets time pass until no lease is about to end, or has just ended. */
static void keep_clear_of_ends(struct fidelity_run *run) {
    const struct map *containers = &run->sides->storage.blobs.containers;
    int64_t wait_ms;
    do {
        struct map_entry **sorted = map_sorted(containers);
        wait_ms = 0;
        for (size_t i = 0; i < containers->count; i++) {
            int64_t longer_ms =
                wait_for_container((struct container *)sorted[i], run->sides->clock.ms);
            wait_ms = clock_max_ms(wait_ms, longer_ms);
        }
        free(sorted);
        fidelity_sides_pass(run->sides, wait_ms);
    } while (wait_ms > 0);
}

/* Time passes, and one request (of a query: each page) goes to both sides. */
static void step(struct fidelity_run *run) {
    fidelity_sides_pass(run->sides, 200 + fidelity_run_draw(run, 2000));
    if (fidelity_run_chance(run, 30)) {
        fidelity_sides_pass(run->sides, fidelity_run_draw(run, 70000));
    }
    keep_clear_of_ends(run);
    if (fidelity_run_chance(run, 2)) {
        fidelity_blobs_step(run);
    } else {
        fidelity_tables_step(run);
    }
}

/* Reads everything that there is. */
static void read_back(struct fidelity_run *run) {
    keep_clear_of_ends(run);
    fidelity_blobs_read_back(run);
    fidelity_tables_read_back(run);
}

void fidelity_run_many(struct fidelity_run *run, int requests) {
    for (int next = READ_BACK_EVERY; run->sides->count < requests;) {
        step(run);
        if (run->sides->count >= next) {
            read_back(run);
            next += READ_BACK_EVERY;
        }
    }
    read_back(run);
}
