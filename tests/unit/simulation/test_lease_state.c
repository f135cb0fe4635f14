#include "simulation/storage/lease_state.h"

#include <stdio.h>
#include <string.h>

#include "support/processes/check_main.h"

#define NOW_MS INT64_C(1000000)
#define ID_A "aaaaaaaa-0000-4000-8000-000000000001"
#define ID_A_UPPER "AAAAAAAA-0000-4000-8000-000000000001"
#define ID_B "bbbbbbbb-0000-4000-8000-000000000002"
#define ID_C "cccccccc-0000-4000-8000-000000000003"

enum { DURATION_S = 30, LEFT_MS = 20000 };

static struct lease_state_of lease;

/* A lease A of 30 s in a state, 20 s of which are left where any are. */
static void put_into(enum lease_state state) {
    static const int64_t ends_ms[] = {[LEASE_LEASED] = LEFT_MS,
                                      [LEASE_EXPIRED] = -1,
                                      [LEASE_BREAKING] = LEFT_MS,
                                      [LEASE_BROKEN] = -1};
    static const enum lease_state entered[] = {LEASE_AVAILABLE, LEASE_LEASED, LEASE_LEASED,
                                               LEASE_BREAKING, LEASE_BREAKING};
    lease = (struct lease_state_of){.state = entered[state], .duration_s = DURATION_S};
    if (state != LEASE_AVAILABLE) {
        memcpy(lease.id, ID_A, sizeof ID_A);
        lease.ends_ms = NOW_MS + ends_ms[state];
    }
    ck_assert_int_eq(lease_state_at(&lease, NOW_MS), state);
}

static struct simulated_refusal act(struct lease_state_call call) {
    call.id = call.id != NULL ? call.id : "";
    call.proposed = call.proposed != NULL ? call.proposed : "";
    return lease_state_act(&lease, &call, NOW_MS);
}

/* ---- "Lease Blob": outcomes of lease operations on blobs by lease state ---- */

#define LEASED(id) "leased " id
#define BREAKING "breaking " ID_A
#define BROKEN "broken " ID_A
#define AVAILABLE "available "
#define PRESENT "409 LeaseAlreadyPresent"
#define IS_BREAKING "409 LeaseIsBreakingAndCannotBeAcquired"
#define UNCHANGEABLE "409 LeaseIsBreakingAndCannotBeChanged"
#define MISMATCH "409 LeaseIdMismatchWithLeaseOperation"
#define ABSENT "409 LeaseNotPresentWithLeaseOperation"
#define UNRENEWABLE "409 LeaseIsBrokenAndCannotBeRenewed"

static const struct {
    struct lease_state_call call;
    const char *outcomes
        [LEASE_STATES]; /* available, leased, expired, breaking, broken; the last four under A */
} outcomes[] = {
    {{LEASE_ACQUIRE, ID_A, NULL, 60, 0},
     {LEASED(ID_A), LEASED(ID_A), LEASED(ID_A), IS_BREAKING, LEASED(ID_A)}},
    {{LEASE_ACQUIRE, ID_B, NULL, 60, 0},
     {LEASED(ID_B), PRESENT, LEASED(ID_B), PRESENT, LEASED(ID_B)}},
    {{LEASE_BREAK, NULL, NULL, 0, 0}, {ABSENT, BROKEN, BROKEN, BROKEN, BROKEN}},
    {{LEASE_BREAK, NULL, NULL, 0, 10}, {ABSENT, BREAKING, BROKEN, BREAKING, BROKEN}},
    {{LEASE_BREAK, NULL, NULL, 0, LEASE_STATE_NO_PERIOD},
     {ABSENT, BREAKING, BROKEN, BREAKING, BROKEN}},
    {{LEASE_CHANGE, ID_A, ID_B, 0, 0}, {ABSENT, LEASED(ID_B), ABSENT, UNCHANGEABLE, ABSENT}},
    {{LEASE_CHANGE, ID_B, ID_A, 0, 0}, {ABSENT, LEASED(ID_A), ABSENT, MISMATCH, ABSENT}},
    {{LEASE_CHANGE, ID_B, ID_C, 0, 0}, {ABSENT, MISMATCH, ABSENT, MISMATCH, ABSENT}},
    {{LEASE_RENEW, ID_A, NULL, 0, 0},
     {MISMATCH, LEASED(ID_A), LEASED(ID_A), UNRENEWABLE, UNRENEWABLE}},
    {{LEASE_RENEW, ID_B, NULL, 0, 0}, {MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH}},
    {{LEASE_RELEASE, ID_A, NULL, 0, 0}, {MISMATCH, AVAILABLE, AVAILABLE, AVAILABLE, AVAILABLE}},
    {{LEASE_RELEASE, ID_B, NULL, 0, 0}, {MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH}},
};

START_TEST(each_action_does_in_each_state_what_azure_documents) {
    for (int state = 0; state < LEASE_STATES; state++) {
        char came[128];
        put_into((enum lease_state)state);
        struct lease_state_of before = lease;
        struct simulated_refusal refusal = act(outcomes[_i].call);
        if (refusal.code != NULL) {
            snprintf(came, sizeof came, "%d %s", refusal.http_status, refusal.code);
            ck_assert_mem_eq(&lease, &before, sizeof lease); /* nothing has changed */
        } else {
            snprintf(came, sizeof came, "%s %s", lease_state_name(lease.state), lease.id);
        }
        ck_assert_msg(strcmp(came, outcomes[_i].outcomes[state]) == 0,
                      "action %d while %s: %s, not %s", outcomes[_i].call.action,
                      lease_state_name((enum lease_state)state), came,
                      outcomes[_i].outcomes[state]);
    }
}
END_TEST

/* ---- "Lease Blob": outcomes of use attempts on blobs by lease state ---- */

#define MISSING "LeaseIdMissing"
#define LOST "LeaseNotPresentWithBlobOperation"
#define OTHERS "LeaseIdMismatchWithBlobOperation"

static const struct {
    bool is_write;
    const char *id;
    const char *codes[LEASE_STATES]; /* all of them 412 */
} uses[] = {
    {true, "", {NULL, MISSING, NULL, MISSING, NULL}},
    {true, ID_A, {LOST, NULL, LOST, NULL, LOST}},
    {true, ID_B, {LOST, OTHERS, LOST, OTHERS, LOST}},
    {false, "", {NULL, NULL, NULL, NULL, NULL}},
    {false, ID_A, {LOST, NULL, LOST, NULL, LOST}},
    {false, ID_B, {LOST, OTHERS, LOST, OTHERS, LOST}},
};

START_TEST(a_blob_is_used_in_each_state_as_azure_documents) {
    for (int state = 0; state < LEASE_STATES; state++) {
        put_into((enum lease_state)state);
        struct simulated_refusal refusal =
            uses[_i].is_write ? lease_state_check_write(&lease, uses[_i].id, NOW_MS)
                              : lease_state_check_read(&lease, uses[_i].id, NOW_MS);
        ck_assert_pstr_eq(refusal.code, uses[_i].codes[state]);
        ck_assert_int_eq(refusal.http_status, refusal.code == NULL ? 0 : 412);
    }
}
END_TEST

START_TEST(a_write_makes_what_has_ended_available) {
    static const enum lease_state after[] = {LEASE_AVAILABLE, LEASE_LEASED, LEASE_AVAILABLE,
                                             LEASE_BREAKING, LEASE_AVAILABLE};
    for (int state = 0; state < LEASE_STATES; state++) {
        put_into((enum lease_state)state);
        lease_state_note_write(&lease, NOW_MS);
        ck_assert_int_eq(lease.state, after[state]);
        ck_assert_int_eq(lease.id[0] == '\0', after[state] == LEASE_AVAILABLE);
    }
}
END_TEST

/* ---- times ---- */

START_TEST(a_lease_ends_with_its_duration_and_not_before) {
    act((struct lease_state_call){LEASE_ACQUIRE, ID_A, NULL, 15, 0});
    ck_assert_int_eq(lease_state_at(&lease, NOW_MS + 14999), LEASE_LEASED);
    ck_assert_int_eq(lease_state_at(&lease, NOW_MS + 15000), LEASE_EXPIRED);
}
END_TEST

START_TEST(an_infinite_lease_never_ends) {
    act((struct lease_state_call){LEASE_ACQUIRE, ID_A, NULL, LEASE_STATE_INFINITE_S, 0});
    ck_assert_int_eq(lease_state_at(&lease, NOW_MS * 1000000), LEASE_LEASED);
}
END_TEST

START_TEST(a_renewal_takes_the_duration_of_the_acquire_anew) {
    put_into(LEASE_EXPIRED);
    act((struct lease_state_call){LEASE_RENEW, ID_A, NULL, 0, 0});
    ck_assert_int_eq(lease.ends_ms, NOW_MS + 1000 * DURATION_S);
}
END_TEST

START_TEST(ids_compare_in_any_case) {
    put_into(LEASE_LEASED);
    ck_assert_ptr_null(act((struct lease_state_call){LEASE_RENEW, ID_A_UPPER, NULL, 0, 0}).code);
}
END_TEST

START_TEST(a_break_period_is_cut_by_what_the_lease_has_left) {
    static const struct {
        int period_s, left_s;
    } cases[] = {{LEASE_STATE_NO_PERIOD, 20}, {60, 20}, {20, 20}, {7, 7}, {0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_into(LEASE_LEASED);
        act((struct lease_state_call){.action = LEASE_BREAK, .period_s = cases[i].period_s});
        ck_assert_int_eq(lease_state_break_s(&lease, NOW_MS), cases[i].left_s);
    }
}
END_TEST

START_TEST(a_break_may_be_shortened_but_not_lengthened) {
    put_into(LEASE_BREAKING);
    act((struct lease_state_call){.action = LEASE_BREAK, .period_s = 60});
    ck_assert_int_eq(lease_state_break_s(&lease, NOW_MS), 20);
    act((struct lease_state_call){.action = LEASE_BREAK, .period_s = 5});
    ck_assert_int_eq(lease_state_break_s(&lease, NOW_MS), 5);
    ck_assert_int_eq(lease_state_at(&lease, NOW_MS + 5000), LEASE_BROKEN);
}
END_TEST

START_TEST(an_infinite_lease_breaks_at_once_unless_a_period_is_given) {
    put_into(LEASE_LEASED);
    lease.duration_s = LEASE_STATE_INFINITE_S;
    lease.ends_ms = INT64_MAX;
    struct lease_state_of before = lease;
    act((struct lease_state_call){.action = LEASE_BREAK, .period_s = LEASE_STATE_NO_PERIOD});
    ck_assert_int_eq(lease.state, LEASE_BROKEN);
    lease = before;
    act((struct lease_state_call){.action = LEASE_BREAK, .period_s = 60});
    ck_assert_int_eq(lease_state_break_s(&lease, NOW_MS), 60);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lease_state");
    TCase *tests = tcase_create("states");
    tcase_add_loop_test(tests, each_action_does_in_each_state_what_azure_documents, 0,
                        (int)(sizeof outcomes / sizeof outcomes[0]));
    tcase_add_loop_test(tests, a_blob_is_used_in_each_state_as_azure_documents, 0,
                        (int)(sizeof uses / sizeof uses[0]));
    tcase_add_test(tests, a_write_makes_what_has_ended_available);
    tcase_add_test(tests, a_lease_ends_with_its_duration_and_not_before);
    tcase_add_test(tests, an_infinite_lease_never_ends);
    tcase_add_test(tests, a_renewal_takes_the_duration_of_the_acquire_anew);
    tcase_add_test(tests, ids_compare_in_any_case);
    tcase_add_test(tests, a_break_period_is_cut_by_what_the_lease_has_left);
    tcase_add_test(tests, a_break_may_be_shortened_but_not_lengthened);
    tcase_add_test(tests, an_infinite_lease_breaks_at_once_unless_a_period_is_given);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
