/*
 * The programs in examples/, as a reader would run them, against real storage. They link nothing
 * but libleasehold.a.
 *
 * A leader's lease lasts 15 s and those who stand by ask once a second; see
 * examples/leader_election.c.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/uuid.h"
#include "support/calls/blob_calls.h"
#include "support/processes/azurite_steps.h"
#include "support/processes/check_main.h"
#include "support/processes/process.h"
#include "support/processes/storage_connection.h"

enum {
    WAIT_MS = 60000,
    CANDIDATES = 3,
    LEASE_MS = 15000,
    RETRY_MS = 1000,
    SLACK_MS = 1000,
    HANDOVER_MS = 2000,
    DAY_MS = 24 * 60 * 60 * 1000,
    PROGRAM_BYTES = 4096,
};

static struct process program;
static struct process candidates[CANDIDATES];

static void tear_down(void) {
    process_cleanup(&program);
    for (int i = 0; i < CANDIDATES; i++) {
        process_cleanup(&candidates[i]);
    }
    release_azurite();
}

static void start_example(struct process *process, const char *name, const char *argument,
                          const char *second) {
    const char *folder = getenv("LEASEHOLD_BIN");
    ck_assert_msg(folder != NULL, "LEASEHOLD_BIN is not set: run the tests with `make test`");
    char path[PROGRAM_BYTES], connection[sizeof azurite.connection_string + 64];
    snprintf(path, sizeof path, "%s/../examples/%s", folder, name);
    snprintf(connection, sizeof connection, "AZURE_STORAGE_CONNECTION_STRING=%s",
             azurite.connection_string);
    const char *const argv[] = {path, argument, second, NULL};
    const char *const env[] = {connection, NULL};
    process_start(process, &(struct process_options){.argv = argv, .env = env});
}

/* Fails the test with all that the program has said. */
static _Noreturn void fail_with_output(const struct process *process, const char *what) {
    char *output = process_output_from(process, 0);
    ck_abort_msg("%s; the program said:\n%s", what, output);
}

static void await_output(struct process *process, const char *text) {
    if (!process_wait_for_output(process, 0, text, WAIT_MS)) {
        fail_with_output(process, text);
    }
}

static void assert_ends_well(struct process *process) {
    if (process_wait(process, WAIT_MS) != EXIT_SUCCESS) {
        fail_with_output(process, "it did not exit with 0");
    }
}

/* --- basic_lease --- */

/* What Azure answers to somebody else who wants the lease at this moment. */
static enum status acquire_elsewhere(const char *blob) {
    struct storage_connection connection;
    storage_connection_open(&connection, azurite.connection_string);
    char id[UUID_TEXT_BYTES];
    int64_t sent_ms;
    ck_assert_int_eq(uuid_v4(random_system(), id), STATUS_OK);
    enum status status =
        blob_lease_acquire(&connection.client, "leases", blob, id, 15,
                           storage_connection_deadline(&connection, 5000), &sent_ms, NULL);
    storage_connection_close(&connection);
    return status;
}

START_TEST(a_basic_lease_is_acquired_renewed_and_released) {
    start_example(&program, "basic_lease", "nightly-report", "7");
    await_output(&program, "acquired nightly-report");
    ck_assert_int_eq(acquire_elsewhere("lease-nightly-report"), STATUS_LEASE_CONFLICT);
    await_output(&program, "renewed: number 2");
    await_output(&program, "step 7 of 7");
    assert_ends_well(&program);
    await_output(&program, "releasing; renewals: 2\nreleased\n");
    ck_assert_int_eq(acquire_elsewhere("lease-nightly-report"), STATUS_OK);
}
END_TEST

static const int stop_signals[] = {SIGINT, SIGTERM};

START_TEST(a_basic_lease_is_released_on_a_signal) {
    start_example(&program, "basic_lease", "nightly-report", "600");
    await_output(&program, "step 1 of 600");
    int64_t begun_ms = process_now_ms();
    process_signal(&program, stop_signals[_i]);
    assert_ends_well(&program);
    ck_assert_int_le(process_now_ms() - begun_ms, HANDOVER_MS);
    await_output(&program, "released\n");
    ck_assert_int_eq(acquire_elsewhere("lease-nightly-report"), STATUS_OK);
}
END_TEST

START_TEST(a_basic_lease_says_what_is_wrong_with_its_name) {
    start_example(&program, "basic_lease", "not/../allowed", "1");
    ck_assert_int_eq(process_wait(&program, WAIT_MS), EXIT_FAILURE);
    await_output(&program, "name is not/../allowed");
}
END_TEST

/* --- leader_election --- */

static void start_candidates(void) {
    for (int i = 0; i < CANDIDATES; i++) {
        start_example(&candidates[i], "leader_election", "region-north", NULL);
    }
}

static bool has_said(const struct process *process, const char *text) {
    char *output = process_output_from(process, 0);
    bool said = strstr(output, text) != NULL;
    free(output);
    return said;
}

/* Waits until one leads whom `but_for` (NULL: nobody) is not. */
static struct process *await_leader(const struct process *but_for) {
    int64_t deadline_ms = process_now_ms() + WAIT_MS;
    while (process_now_ms() < deadline_ms) {
        for (int i = 0; i < CANDIDATES; i++) {
            if (&candidates[i] != but_for &&
                process_wait_for_output(&candidates[i], 0, "is leader", 1)) {
                return &candidates[i];
            }
        }
    }
    ck_abort_msg("nobody leads");
}

/* All but the leader have said that they stand by, and none but him that he leads. */
static void assert_only_leader(const struct process *leader) {
    for (int i = 0; i < CANDIDATES; i++) {
        if (&candidates[i] != leader && candidates[i].exit_code == PROCESS_RUNNING) {
            await_output(&candidates[i], "stands by");
            ck_assert(!has_said(&candidates[i], "is leader"));
        }
    }
}

/* The time of day that a line begins with, "14:45:30.123", in milliseconds. */
static int64_t line_ms(const char *line) {
    int hours = 0, minutes = 0, seconds = 0, ms = 0;
    ck_assert_int_eq(sscanf(line, "%d:%d:%d.%d", &hours, &minutes, &seconds, &ms), 4);
    return ((hours * INT64_C(60) + minutes) * 60 + seconds) * 1000 + ms;
}

/* When the program first said `text`. */
static int64_t said_at_ms(const struct process *process, const char *text) {
    char *output = process_output_from(process, 0);
    const char *found = strstr(output, text);
    ck_assert_msg(found != NULL, "%s is not in:\n%s", text, output);
    while (found > output && found[-1] != '\n') {
        found--;
    }
    int64_t ms = line_ms(found);
    free(output);
    return ms;
}

static int64_t last_line_ms(const struct process *process) {
    char *output = process_output_from(process, 0);
    size_t length = strlen(output);
    ck_assert_msg(length > 0 && output[length - 1] == '\n', "no whole line in:\n%s", output);
    output[length - 1] = '\0';
    const char *before = strrchr(output, '\n');
    int64_t ms = line_ms(before != NULL ? before + 1 : output);
    free(output);
    return ms;
}

/* From one time of day to a later one, over midnight too. */
static int64_t between_ms(int64_t from_ms, int64_t to_ms) {
    return (to_ms - from_ms + DAY_MS) % DAY_MS;
}

/*
 * The former leader has said nothing that only a leader says at or after the time that the next
 * began.
 */
static void assert_succession(const struct process *former, const struct process *next) {
    int64_t gap_ms = between_ms(last_line_ms(former), said_at_ms(next, "is leader"));
    ck_assert_msg(gap_ms < DAY_MS / 2, "two led at once, for %lld ms",
                  (long long)(DAY_MS - gap_ms));
}

static void stop_candidates(void) {
    for (int i = 0; i < CANDIDATES; i++) {
        process_signal(&candidates[i], SIGTERM);
    }
    for (int i = 0; i < CANDIDATES; i++) {
        ck_assert_int_ne(process_wait(&candidates[i], WAIT_MS), PROCESS_RUNNING);
    }
}

START_TEST(one_leads_and_another_at_once_when_it_is_told_to_end) {
    start_candidates();
    struct process *leader = await_leader(NULL);
    assert_only_leader(leader);
    int64_t begun_ms = process_now_ms();
    process_signal(leader, SIGTERM);
    struct process *next = await_leader(leader);
    ck_assert_int_le(process_now_ms() - begun_ms, HANDOVER_MS);
    assert_ends_well(leader);
    assert_succession(leader, next);
    await_output(leader, "leads no more");
    assert_only_leader(next);
    process_stop(next, SIGTERM, WAIT_MS);
    stop_candidates();
}
END_TEST

START_TEST(when_the_leader_dies_another_leads_when_its_lease_has_run_out) {
    start_candidates();
    struct process *leader = await_leader(NULL);
    assert_only_leader(leader);
    int64_t begun_ms = process_now_ms();
    process_stop(leader, SIGKILL, WAIT_MS);
    struct process *next = await_leader(leader);
    ck_assert_int_le(process_now_ms() - begun_ms, LEASE_MS + RETRY_MS + SLACK_MS);
    assert_succession(leader, next);
    assert_only_leader(next);
    stop_candidates();
}
END_TEST

START_TEST(a_leader_that_was_stopped_for_longer_than_its_lease_knows_that_it_leads_no_more) {
    start_candidates();
    struct process *leader = await_leader(NULL);
    assert_only_leader(leader);
    process_signal(leader, SIGSTOP);
    struct process *next = await_leader(leader);
    assert_succession(leader, next);
    size_t woken_at = process_output_length(leader);
    process_signal(leader, SIGCONT);
    if (!process_wait_for_output(leader, woken_at, "\n", WAIT_MS)) {
        fail_with_output(leader, "it says nothing when it goes on");
    }
    char *said = process_output_from(leader, woken_at);
    ck_assert_msg(strstr(said, "leads no more\n") != NULL && strstr(said, "leads\n") == NULL, "%s",
                  said);
    free(said);
    stop_candidates();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("examples");
    TCase *basic = tcase_create("basic_lease");
    tcase_set_timeout(basic, 120);
    tcase_add_checked_fixture(basic, start_azurite, tear_down);
    tcase_add_test(basic, a_basic_lease_is_acquired_renewed_and_released);
    tcase_add_loop_test(basic, a_basic_lease_is_released_on_a_signal, 0, 2);
    tcase_add_test(basic, a_basic_lease_says_what_is_wrong_with_its_name);
    suite_add_tcase(suite, basic);
    TCase *election = tcase_create("leader_election");
    tcase_set_timeout(election, 120);
    tcase_add_checked_fixture(election, start_azurite, tear_down);
    tcase_add_test(election, one_leads_and_another_at_once_when_it_is_told_to_end);
    tcase_add_test(election, when_the_leader_dies_another_leads_when_its_lease_has_run_out);
    tcase_add_test(election,
                   a_leader_that_was_stopped_for_longer_than_its_lease_knows_that_it_leads_no_more);
    suite_add_tcase(suite, election);
    return check_main(suite);
}
