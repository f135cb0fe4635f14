#include "support/proxies/fault_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/processes/check_main.h"

static struct fault_rules rules;

static void set_up(void) {
    ck_assert(fault_rules_init(&rules, 42));
}

static void tear_down(void) {
    fault_rules_cleanup(&rules);
}

static int add(struct fault_rule rule) {
    return fault_rules_add(&rules, &rule);
}

/* The id of the rule that applies to such a request; 0: none. */
static int choose(const char *method, const char *target, const char *lease_action) {
    size_t number;
    struct fault_request request = {.arrived_ms = 1};
    snprintf(request.method, sizeof request.method, "%s", method);
    snprintf(request.target, sizeof request.target, "%s", target);
    snprintf(request.lease_action, sizeof request.lease_action, "%s", lease_action);
    const struct fault_entry *entry = fault_rules_choose(&rules, &request, &number);
    return entry != NULL ? entry->id : 0;
}

static int choose_any(void) {
    return choose("GET", "/acme/a?comp=lease", "");
}

START_TEST(a_rule_looks_at_method_path_query_and_lease_action) {
    int post = add((struct fault_rule){.method = "POST"});
    int renew_b = add((struct fault_rule){.path_contains = "leases/b", .lease_action = "renew"});
    int in_path = add((struct fault_rule){.path_contains = "comp"});
    int in_query = add((struct fault_rule){.query_contains = "acme"});
    int acquire =
        add((struct fault_rule){.query_contains = "comp=lease", .lease_action = "acquire"});
    ck_assert_int_eq(choose("GET", "/acme/a?comp=lease", ""), 0);
    ck_assert_int_eq(choose("PUT", "/acme/leases/a?comp=lease", "renew"), 0);
    ck_assert_int_eq(choose("PUT", "/acme/leases/b?comp=lease", "release"), 0);
    ck_assert_int_eq(choose("PUT", "/acme/leases/b?comp=lease", "renew"), renew_b);
    ck_assert_int_eq(choose("PUT", "/acme/leases/b?comp=lease", "acquire"), acquire);
    ck_assert_int_eq(choose("POST", "/acme/leases/b", ""), post);
    ck_assert_int_eq(choose("GET", "/comp", ""), in_path);
    ck_assert_int_eq(choose("GET", "/?acme", ""), in_query);
}
END_TEST

START_TEST(a_rule_skips_applies_its_times_and_leaves_the_rest_to_the_next) {
    int first = add((struct fault_rule){.skip = 1, .times = 2});
    int next = add((struct fault_rule){.skip = 2, .times = 1});
    const int expected[] = {0, first, first, 0, next, 0};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ck_assert_int_eq(choose_any(), expected[i]);
    }
}
END_TEST

START_TEST(a_rule_waits_until_another_was_chosen) {
    int batch = add((struct fault_rule){.path_contains = "$batch", .times = 1});
    int then = add((struct fault_rule){.after = batch, .skip = 1});
    ck_assert_int_eq(choose_any(), 0);
    ck_assert_int_eq(choose("POST", "/acme/$batch", ""), batch);
    ck_assert_int_eq(choose_any(), 0);
    ck_assert_int_eq(choose_any(), then);
}
END_TEST

START_TEST(texts_of_a_rule_are_its_own) {
    char text[] = "GET";
    int rule = add((struct fault_rule){.method = text});
    text[0] = 'P';
    ck_assert_int_eq(choose_any(), rule);
}
END_TEST

START_TEST(what_has_taken_effect_is_counted_by_rule_and_kind) {
    size_t number;
    struct fault_request request = {.method = "GET"};
    int rule = add((struct fault_rule){.kind = FAULT_TRUNCATE});
    struct fault_entry *entry = fault_rules_choose(&rules, &request, &number);
    ck_assert_int_eq(fault_rules_applied(&rules, rule), 0); /* chosen, but not yet done */
    fault_rules_note_applied(&rules, entry);
    fault_rules_clear(&rules);
    ck_assert_int_eq(fault_rules_applied(&rules, rule), 1);
    ck_assert_int_eq(rules.counts[FAULT_TRUNCATE], 1);
    ck_assert_int_eq(fault_rules_applied(&rules, rule + 1), -1);
    ck_assert_int_eq(choose_any(), 0);
}
END_TEST

START_TEST(the_same_seed_throws_the_same_dice_and_another_does_not) {
    enum { THROWS = 400 };
    char pattern[3][THROWS + 1] = {"", "", ""};
    for (int round = 0; round < 3; round++) {
        fault_rules_cleanup(&rules);
        ck_assert(fault_rules_init(&rules, round == 2 ? 43 : 42));
        add((struct fault_rule){.probability = 0.25});
        int hits = 0;
        for (int i = 0; i < THROWS; i++) {
            bool hit = choose_any() != 0;
            pattern[round][i] = hit ? 'x' : '.';
            hits += hit;
        }
        ck_assert_int_gt(hits, THROWS / 4 - 50);
        ck_assert_int_lt(hits, THROWS / 4 + 50);
    }
    ck_assert_str_eq(pattern[0], pattern[1]);
    ck_assert_str_ne(pattern[0], pattern[2]);
}
END_TEST

START_TEST(the_last_requests_of_many_are_kept) {
    static struct fault_request got[FAULT_BOOK_REQUESTS];
    char target[32];
    for (int i = 0; i < FAULT_BOOK_REQUESTS + 2; i++) {
        snprintf(target, sizeof target, "/%d", i);
        choose("GET", target, "");
    }
    const struct fault_rule any = {.method = NULL};
    ck_assert_uint_eq(fault_rules_requests(&rules, &any, got, FAULT_BOOK_REQUESTS),
                      FAULT_BOOK_REQUESTS);
    ck_assert_str_eq(got[0].target, "/2");
    ck_assert_int_eq(strtol(got[FAULT_BOOK_REQUESTS - 1].target + 1, NULL, 10),
                     FAULT_BOOK_REQUESTS + 1);
    fault_rules_note_status(&rules, 1, 500); /* forgotten already: its place is another's */
    fault_rules_note_status(&rules, 2, 201);
    fault_rules_requests(&rules, &any, got, FAULT_BOOK_REQUESTS);
    ck_assert_int_eq(got[0].status, 201);
    ck_assert_int_eq(got[FAULT_BOOK_REQUESTS - 1].status, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("fault_rules");
    TCase *tests = tcase_create("rules");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_rule_looks_at_method_path_query_and_lease_action);
    tcase_add_test(tests, a_rule_skips_applies_its_times_and_leaves_the_rest_to_the_next);
    tcase_add_test(tests, a_rule_waits_until_another_was_chosen);
    tcase_add_test(tests, texts_of_a_rule_are_its_own);
    tcase_add_test(tests, what_has_taken_effect_is_counted_by_rule_and_kind);
    tcase_add_test(tests, the_same_seed_throws_the_same_dice_and_another_does_not);
    tcase_add_test(tests, the_last_requests_of_many_are_kept);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
