/* test_reservation_list_out_of_memory.c - what a list of reservations can do without memory. */
#include "inventory/reservation_list.h"
#include "support/fakes/memory_limit.h"
#include "support/processes/check_main.h"

static struct reservation_list list;

static struct reservation *add(int64_t expires_ms) {
    struct reservation like = {.quantity = 5, .expires_ms = expires_ms};
    ck_assert_int_eq(uuid_v8_from_time(random_system(), expires_ms, like.id), STATUS_OK);
    return reservation_list_add(&list, &like, "C");
}

/*
 * All slots are in use. So the one that the reservation leaves is the only room. It finds none in
 * the tree of those that were extended, either.
 */
START_TEST(a_reservation_is_moved_without_more_room) {
    reservation_list_init(&list);
    struct reservation *first = add(1000);
    while (list.count < list.slot_capacity) {
        ck_assert_ptr_nonnull(add(1001 + (int64_t)list.count));
    }
    memory_limit_begin(1, 1000);
    ck_assert_ptr_null(add(5000));
    reservation_list_set_expiry(&list, first, 9000);
    ck_assert_int_gt(memory_limit_end(), 1);
    ck_assert_ptr_eq(list.rows[list.count - 1], first);
    ck_assert_uint_le((size_t)(list.rows - list.slots) + list.count, list.slot_capacity);
    ck_assert_uint_eq(list.unindexed_count, 1);
    ck_assert_ptr_eq(reservation_list_find(&list, first->id), first);
    reservation_list_remove(&list, first);
    ck_assert_uint_eq(list.unindexed_count, 0);
    reservation_list_cleanup(&list);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("reservation_list_out_of_memory");
    TCase *tests = tcase_create("list");
    tcase_add_test(tests, a_reservation_is_moved_without_more_room);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
