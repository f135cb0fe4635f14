#include "http/loop_call.h"

#include "support/fakes/clock_fake.h"
#include "support/processes/check_main.h"

static struct clock_fake the_clock;
static struct event_loop *loop;

static struct call {
    struct loop_call call;
    struct loop_task later;
    bool was_on_loop;
    bool ended;
    const struct correlation *correlation;
} the_call;

static void set_up(void) {
    struct error err;
    clock_fake_init(&the_clock, 1000, 0);
    ck_assert_int_eq(event_loop_new(&loop, &the_clock.base, &err), STATUS_OK);
    ck_assert_int_eq(event_loop_start(loop, &err), STATUS_OK);
    the_call = (struct call){.ended = false};
}

static void tear_down(void) {
    event_loop_stop(loop);
    event_loop_free(loop);
}

static void end(void *context) {
    struct call *own = context;
    own->ended = true;
    loop_call_end(&own->call);
}

static void begin(void *context) {
    struct call *own = context;
    own->was_on_loop = event_loop_is_current(loop);
    own->correlation = correlation_current();
    own->later = (struct loop_task){.run = end, .context = own};
    event_loop_post(loop, &own->later);
}

START_TEST(a_call_begins_on_the_loop_and_returns_when_it_has_ended) {
    loop_call_run(&the_call.call, loop, begin, &the_call);
    ck_assert(the_call.was_on_loop);
    ck_assert(the_call.ended);
}
END_TEST

START_TEST(a_call_that_ends_inside_begin_returns_too) {
    loop_call_run(&the_call.call, loop, end, &the_call);
    ck_assert(the_call.ended);
}
END_TEST

START_TEST(a_call_begins_in_the_name_of_the_invocation_that_waits) {
    struct correlation own = {.invocation_id = "one"};
    const struct correlation *before = correlation_use(&own);
    loop_call_run(&the_call.call, loop, begin, &the_call);
    correlation_use(before);
    ck_assert_ptr_eq(the_call.correlation, &own);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("loop_call");
    TCase *tcase = tcase_create("loop_call");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_call_begins_on_the_loop_and_returns_when_it_has_ended);
    tcase_add_test(tcase, a_call_that_ends_inside_begin_returns_too);
    tcase_add_test(tcase, a_call_begins_in_the_name_of_the_invocation_that_waits);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
