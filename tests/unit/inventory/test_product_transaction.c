/* What the table store makes of answers that were lost, and of what others have done meanwhile. */
#include "inventory/product_transaction.h"

#include <stdio.h>
#include <string.h>

#include "support/fakes/table_script.h"
#include "support/processes/check_main.h"

START_TEST(a_lost_answer_to_a_commit_that_happened_is_a_success) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG, .status = 503});
    start_commit();
    char id[UUID_TEXT_BYTES];
    sent_commit_id(id);
    push_product(8, id);
    http_fake_let_go(fake);
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(a_lost_answer_to_a_commit_that_did_not_happen_is_sent_again_as_it_was) {
    push_lost();
    push_product(7, OTHERS_ID);
    push_committed();
    start_commit();
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 3);
    const char *first = http_fake_request(fake, 0)->body,
               *second = http_fake_request(fake, 2)->body;
    ck_assert_ptr_nonnull(strstr(first, "If-Match: W/\"datetime'7'\""));
    const char *id = strstr(first, "\"commitIds\"");
    char same[64];
    snprintf(same, sizeof same, "%.50s", id);
    ck_assert_msg(strstr(second, same) != NULL, "%s\nis not in\n%s", same, second);
}
END_TEST

/*
 * An attempt that was lost, and a repeat that storage refuses as the table says; before that answer
 * is let go, the test learns the commit's id and may answer the reading behind it.
 */
static const struct {
    int status;
    const char *code;
} refusals[] = {{412, "UpdateConditionNotSatisfied"},
                {409, "EntityAlreadyExists"},
                {404, "ResourceNotFound"},
                {403, "Forbidden"}};

static void lose_and_refuse(int i) {
    push_lost();
    push_product(7, OTHERS_ID); /* not yet: the first may still be under way */
    push_refused(refusals[i].status, refusals[i].code);
}

START_TEST(a_repeat_that_meets_its_own_first_success_is_a_success) {
    add_record();
    lose_and_refuse(_i);
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG, .status = 503});
    start_commit();
    char id[UUID_TEXT_BYTES];
    sent_commit_id(id);
    push_product(8, id);
    http_fake_wait(fake, 4);
    http_fake_let_go(fake);
    finish_commit();
    assert_committed();
}
END_TEST

/* A row that is in the way, or missing, stops the first attempt, too. */
START_TEST(a_repeat_that_is_refused_while_the_first_has_not_happened_is_refused_for_both) {
    static const enum status expected[] = {STATUS_OK, STATUS_ALREADY_EXISTS,
                                           STATUS_PRECONDITION_FAILED};
    add_record();
    lose_and_refuse(_i);
    push_product(7, OTHERS_ID);
    start_commit();
    finish_commit();
    assert_not_committed(expected[_i]);
    ck_assert_uint_eq(http_fake_count(fake), 4);
}
END_TEST

START_TEST(a_repeat_that_is_refused_for_another_reason_does_not_tell_of_the_first) {
    lose_and_refuse(3);
    push_product(7, OTHERS_ID);
    push_committed();
    start_commit();
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 5);
}
END_TEST

START_TEST(a_repeat_that_is_refused_behind_another_commit_is_no_commit) {
    add_record();
    lose_and_refuse(_i);
    push_product(8, "00000000-0000-4000-8000-000000000008," OTHERS_ID);
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_PRECONDITION_FAILED);
}
END_TEST

/*
 * The only attempt that we know of is refused, but its answer may be the second one's of two
 * deliveries, or no answer of storage's at all: it was carried out.
 */
START_TEST(a_first_refusal_of_a_commit_that_happened_is_a_success) {
    add_record();
    push_refusal(refusals[_i].status, refusals[_i].code, HTTP_FAKE_HANG);
    start_commit();
    char id[UUID_TEXT_BYTES];
    sent_commit_id(id);
    push_product(8, id);
    http_fake_let_go(fake);
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

/* A page of a gateway's, in storage's place. */
START_TEST(an_answer_that_is_no_transactions_does_not_hide_that_the_commit_happened) {
    static const int statuses[] = {404, 412, 409, 400, 302, 200};
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG,
                                                    .status = statuses[_i],
                                                    .headers = "Content-Type: text/html\r\n",
                                                    .body = "<html>not storage</html>"});
    start_commit();
    char id[UUID_TEXT_BYTES];
    sent_commit_id(id);
    push_product(8, id);
    http_fake_let_go(fake);
    finish_commit();
    assert_committed();
}
END_TEST

START_TEST(a_first_refusal_is_believed_when_the_row_is_as_it_was) {
    static const enum status expected[] = {STATUS_OK, STATUS_ALREADY_EXISTS,
                                           STATUS_PRECONDITION_FAILED, STATUS_UNAUTHORIZED};
    add_record();
    push_refused(refusals[_i].status, refusals[_i].code);
    push_product(7, OTHERS_ID);
    start_commit();
    finish_commit();
    assert_not_committed(expected[_i]);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

/*
 * The ETag that was sent is the row's: whoever says otherwise may have kept the transaction to
 * deliver it later.
 */
START_TEST(that_the_etag_has_changed_is_not_believed_while_the_row_has_it) {
    push_refused(412, "UpdateConditionNotSatisfied");
    push_product(7, OTHERS_ID);
    push_committed();
    start_commit();
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 3);
    ck_assert_str_eq(http_fake_request(fake, 2)->target, http_fake_request(fake, 0)->target);
}
END_TEST

START_TEST(a_first_refusal_behind_another_commit_is_no_commit) {
    add_record();
    push_refused(refusals[_i].status, refusals[_i].code);
    push_product(8, "00000000-0000-4000-8000-000000000008," OTHERS_ID);
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_PRECONDITION_FAILED);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(a_first_refusal_that_cannot_be_looked_into_is_unknown) {
    add_record();
    push_refused(refusals[_i].status, refusals[_i].code);
    push_answer(400, "{\"odata.error\":{\"code\":\"InvalidInput\"}}");
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_UNAVAILABLE);
}
END_TEST

/* 0: the product's row, 1: the whole table, 2: we may not ask any more. */
START_TEST(what_commit_and_probe_are_both_told_is_believed) {
    static const struct {
        int status;
        const char *code;
        enum status expected;
    } both[] = {{404, "ResourceNotFound", STATUS_PRECONDITION_FAILED},
                {404, "TableNotFound", STATUS_CONTAINER_NOT_FOUND},
                {403, "AuthorizationPermissionMismatch", STATUS_UNAUTHORIZED}};
    char body[256];
    snprintf(body, sizeof body, "{\"odata.error\":{\"code\":\"%s\",\"message\":{\"value\":\"x\"}}}",
             both[_i].code);
    push_refused(both[_i].status, both[_i].code);
    push_answer(both[_i].status, body);
    start_commit();
    finish_commit();
    assert_not_committed(both[_i].expected);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(a_lost_answer_is_unknown_when_the_product_is_gone) {
    push_lost();
    push_answer(404,
                "{\"odata.error\":{\"code\":\"ResourceNotFound\",\"message\":{\"value\":\"x\"}}}");
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(a_row_that_is_there_though_no_record_was_to_be_written_means_that_the_product_moved_on) {
    push_refused(409, "EntityAlreadyExists");
    push_product(7, OTHERS_ID);
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_PRECONDITION_FAILED);
}
END_TEST

/* The row of a product that was deleted and made anew, or that somebody has changed by hand. */
START_TEST(another_etag_at_the_same_or_an_older_version_is_another_product) {
    push_lost();
    push_product_with_etag(_i == 0 ? 7 : 1, 9, OTHERS_ID);
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_PRECONDITION_FAILED);
}
END_TEST

START_TEST(a_lost_answer_behind_another_commit_is_no_commit) {
    push_lost();
    push_product(8, "00000000-0000-4000-8000-000000000008");
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_PRECONDITION_FAILED);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

START_TEST(behind_later_commits_their_list_of_ids_tells_that_it_happened) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG, .status = 503});
    start_commit();
    char id[UUID_TEXT_BYTES], ids[INVENTORY_COMMIT_IDS_BYTES];
    sent_commit_id(id);
    snprintf(ids, sizeof ids,
             "00000000-0000-4000-8000-000000000010,00000000-0000-4000-8000-000000000009,%s", id);
    push_product(10, ids);
    http_fake_let_go(fake);
    finish_commit();
    ck_assert_msg(commit.status == STATUS_OK, "%s", commit.err.message);
    ck_assert_int_eq(state.product.version, 8);
    /* Its numbers are not the store's any more: it may not be committed over what others have. */
    start_commit();
    finish_commit();
    ck_assert_int_eq(commit.status, STATUS_PRECONDITION_FAILED);
    ck_assert_uint_eq(http_fake_count(fake), 2);
}
END_TEST

/* Ids of the stores that have committed last, "newest" to `oldest`. */
static void write_ids(char out[INVENTORY_COMMIT_IDS_BYTES], int newest, int oldest) {
    out[0] = '\0';
    for (int i = newest; i >= oldest; i--) {
        sprintf(out + strlen(out), "%s00000000-0000-4000-8%03d-000000000000",
                i == newest ? "" : ",", i);
    }
}

/*
 * At version 23 the list has room for the commits from version 8, the one that ours would be, on.
 */
START_TEST(behind_fifteen_later_commits_the_list_tells_that_it_never_happened) {
    char ids[INVENTORY_COMMIT_IDS_BYTES];
    write_ids(ids, 8 + INVENTORY_COMMIT_IDS - 1, 8);
    push_lost();
    push_product(8 + INVENTORY_COMMIT_IDS - 1, ids);
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_PRECONDITION_FAILED);
}
END_TEST

/*
 * However many commits have come since: the list still has an earlier id (0: the newest, 1: an
 * older one), or there was room for one more (2).
 */
START_TEST(a_list_that_has_lost_nothing_tells_that_it_never_happened) {
    char ids[INVENTORY_COMMIT_IDS_BYTES];
    write_ids(ids, _i < 2 ? 23 : 22, 8); /* 16 ids, a full list, or 15 */
    if (_i == 1) {
        strcpy(state.product.commit_ids, "00000000-0000-4000-8000-0000000000ff," OTHERS_ID);
    }
    if (_i < 2) {
        memcpy(strrchr(ids, ',') + 1, OTHERS_ID, strlen(OTHERS_ID));
    }
    push_refused(412, "UpdateConditionNotSatisfied");
    push_product(1000, ids);
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_PRECONDITION_FAILED);
}
END_TEST

START_TEST(behind_sixteen_later_commits_of_others_nobody_knows) {
    char ids[INVENTORY_COMMIT_IDS_BYTES];
    write_ids(ids, 8 + INVENTORY_COMMIT_IDS, 9);
    push_lost();
    push_product(8 + INVENTORY_COMMIT_IDS, ids);
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(what_happened_is_still_asked_when_the_commits_time_is_over) {
    commit.deadline_ms = clock_now_ms(clock_system()) + 1000;
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG, .status = 503});
    start_commit();
    char id[UUID_TEXT_BYTES];
    sent_commit_id(id);
    for (int i = 0; i < 3; i++) {
        push_answer(503, "");
    }
    push_product(8, id);
    finish_commit();
    assert_committed();
    ck_assert_uint_eq(http_fake_count(fake), 5);
}
END_TEST

START_TEST(the_new_id_pushes_the_oldest_out_of_the_row) {
    write_ids(state.product.commit_ids, INVENTORY_COMMIT_IDS, 1);
    char before[INVENTORY_COMMIT_IDS_BYTES], expected[2 * INVENTORY_COMMIT_IDS_BYTES],
        id[UUID_TEXT_BYTES];
    strcpy(before, state.product.commit_ids);
    push_committed();
    start_commit();
    finish_commit();
    assert_committed();
    sent_commit_id(id);
    *strrchr(before, ',') = '\0';
    snprintf(expected, sizeof expected, "%s,%s", id, before);
    ck_assert_str_eq(state.product.commit_ids, expected);
    ck_assert_ptr_nonnull(strstr(http_fake_request(fake, 0)->body, expected));
}
END_TEST

/* _i: where in a full list this store's last commit is. */
START_TEST(a_new_id_takes_the_place_of_the_same_stores_last_one) {
    char before[INVENTORY_COMMIT_IDS_BYTES], id[UUID_TEXT_BYTES], first[UUID_TEXT_BYTES];
    push_committed();
    start_commit();
    finish_commit();
    sent_commit_id(first);
    write_ids(before, INVENTORY_COMMIT_IDS, 1);
    memcpy(before + _i * UUID_TEXT_BYTES, first, UUID_TEXT_BYTES - 1);
    strcpy(state.product.commit_ids, before);
    push_done(1);
    start_commit();
    finish_commit();
    ck_assert_int_eq(state.product.version, 9);
    snprintf(id, sizeof id, "%.36s", state.product.commit_ids);
    ck_assert_str_ne(id, first);
    ck_assert_int_eq(strncmp(id, first, COMMIT_SENDER_LENGTH), 0);
    memmove(before + UUID_TEXT_BYTES, before, (size_t)_i * UUID_TEXT_BYTES);
    memcpy(before, id, UUID_TEXT_BYTES - 1);
    before[UUID_TEXT_BYTES - 1] = ',';
    before[INVENTORY_COMMIT_IDS_BYTES - 1] = '\0';
    ck_assert_str_eq(state.product.commit_ids, before);
}
END_TEST

START_TEST(two_stores_begin_their_ids_differently) {
    struct inventory_store_table other;
    inventory_store_table_init(&other, &connection.client, "inventory");
    ck_assert_int_ne(strncmp(other.sender, table.sender, COMMIT_SENDER_LENGTH), 0);
    inventory_store_table_cleanup(&other);
}
END_TEST

START_TEST(a_commit_that_cannot_be_made_in_time_is_unknown_not_failed) {
    commit.deadline_ms = clock_now_ms(clock_system()) + 400;
    for (int i = 0; i < 50; i++) {
        push_lost();
        push_product(7, OTHERS_ID);
    }
    start_commit();
    finish_commit();
    assert_not_committed(STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(stopping_in_mid_commit_is_unknown_not_cancelled) {
    http_fake_push(fake, &(struct http_fake_answer){.behaviour = HTTP_FAKE_HANG});
    start_commit();
    http_fake_wait(fake, 1);
    storage_client_cancel(&connection.client);
    finish_commit();
    assert_not_committed(STATUS_UNAVAILABLE);
}
END_TEST

START_TEST(without_an_etag_nothing_is_sent) {
    state.etag[0] = '\0';
    start_commit();
    finish_commit();
    ck_assert_int_eq(commit.status, STATUS_PRECONDITION_FAILED);
    ck_assert_uint_eq(http_fake_count(fake), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("product_transaction");
    TCase *tcase = tcase_create("against a script");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_lost_answer_to_a_commit_that_happened_is_a_success);
    tcase_add_test(tcase, a_lost_answer_to_a_commit_that_did_not_happen_is_sent_again_as_it_was);
    tcase_add_loop_test(tcase, a_repeat_that_meets_its_own_first_success_is_a_success, 0, 4);
    tcase_add_loop_test(
        tcase, a_repeat_that_is_refused_while_the_first_has_not_happened_is_refused_for_both, 1, 3);
    tcase_add_test(tcase, a_repeat_that_is_refused_for_another_reason_does_not_tell_of_the_first);
    tcase_add_loop_test(tcase, a_repeat_that_is_refused_behind_another_commit_is_no_commit, 0, 4);
    tcase_add_loop_test(tcase, a_first_refusal_of_a_commit_that_happened_is_a_success, 0, 4);
    tcase_add_loop_test(
        tcase, an_answer_that_is_no_transactions_does_not_hide_that_the_commit_happened, 0, 6);
    tcase_add_loop_test(tcase, a_first_refusal_is_believed_when_the_row_is_as_it_was, 1, 4);
    tcase_add_test(tcase, that_the_etag_has_changed_is_not_believed_while_the_row_has_it);
    tcase_add_loop_test(tcase, a_first_refusal_behind_another_commit_is_no_commit, 0, 4);
    tcase_add_loop_test(tcase, a_first_refusal_that_cannot_be_looked_into_is_unknown, 0, 4);
    tcase_add_loop_test(tcase, what_commit_and_probe_are_both_told_is_believed, 0, 3);
    tcase_add_test(tcase, a_lost_answer_is_unknown_when_the_product_is_gone);
    tcase_add_loop_test(tcase, another_etag_at_the_same_or_an_older_version_is_another_product, 0,
                        2);
    tcase_add_test(
        tcase,
        a_row_that_is_there_though_no_record_was_to_be_written_means_that_the_product_moved_on);
    tcase_add_test(tcase, a_lost_answer_behind_another_commit_is_no_commit);
    tcase_add_test(tcase, behind_later_commits_their_list_of_ids_tells_that_it_happened);
    tcase_add_test(tcase, behind_fifteen_later_commits_the_list_tells_that_it_never_happened);
    tcase_add_loop_test(tcase, a_list_that_has_lost_nothing_tells_that_it_never_happened, 0, 3);
    tcase_add_test(tcase, behind_sixteen_later_commits_of_others_nobody_knows);
    tcase_add_test(tcase, what_happened_is_still_asked_when_the_commits_time_is_over);
    tcase_add_test(tcase, the_new_id_pushes_the_oldest_out_of_the_row);
    tcase_add_loop_test(tcase, a_new_id_takes_the_place_of_the_same_stores_last_one, 0,
                        INVENTORY_COMMIT_IDS);
    tcase_add_test(tcase, two_stores_begin_their_ids_differently);
    tcase_add_test(tcase, a_commit_that_cannot_be_made_in_time_is_unknown_not_failed);
    tcase_add_test(tcase, stopping_in_mid_commit_is_unknown_not_cancelled);
    tcase_add_test(tcase, without_an_etag_nothing_is_sent);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
