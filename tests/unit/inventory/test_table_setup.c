/*
 * Making the table ready, adding a product, listing the products: against a table in memory, in
 * virtual time. With every failure at every request, stopped and closed at every step.
 */
#include "inventory/table_setup.h"

#include <stdint.h>
#include <stdio.h>

#include "support/checks/status_letters.h"
#include "support/fakes/json_memory.h"
#include "support/fakes/memory_limit.h"
#include "support/fakes/virtual_faults.h"
#include "support/fakes/virtual_storage.h"
#include "support/processes/check_main.h"

enum { MANY = 20, AT_ONCE = 8, BODY_BYTES = 8192, LONGEST_MS = 60000, REQUESTS_OF_A_SEED = 4 };
#define OTHERS_ID "00000000-0000-4000-8000-000000000007"

static struct seed_product seeds[MANY];

/* ---- the table ---- */

/* One product's partition, and what was done to it. */
struct partition {
    bool has_row;
    const char *other_row; /* NULL: none */
    char commit_ids[64];
    int version;
    int looks, inserts;
};

static struct {
    bool is_there;
    int created;
    struct partition partitions[MANY];
    int most_at_once;
} world;

static const char *bad_product; /* requests for this one alone; NULL: for all */
static int vanishes_at;         /* the table disappears before this request */
static int others_at;           /* somebody else adds the first product before this request */
static int others_version;      /* so often has it been committed since; -1: it cannot be read */

/* The number of the product that a request names, or -1. */
static int product_of(const char *text) {
    for (int i = 0; i < MANY; i++) {
        if (strstr(text, seeds[i].id) != NULL) {
            return i;
        }
    }
    return -1;
}

static void write_row(const struct partition *partition, int product, char *out, size_t out_bytes) {
    snprintf(out, out_bytes,
             "{\"odata.etag\":\"W/"
             "\\\"1\\\"\",\"PartitionKey\":\"%s\",\"RowKey\":\"product\",\"total\":\"10\","
             "\"available\":\"10\",\"version\":\"%d\",\"commitIds\":\"%s\",\"indexedDue\":\"0\","
             "\"indexedKeep\":\"0\"}",
             seeds[product].id, partition->version, partition->commit_ids);
}

static void answer_look(struct partition *partition, int product, struct virtual_answer *out) {
    partition->looks++;
    if (!partition->has_row) {
        refuse(out, 404, "ResourceNotFound");
        return;
    }
    out->http_status = 200;
    write_row(partition, product, out->body, sizeof out->body);
}

static void answer_query(const struct partition *partition, struct virtual_answer *out) {
    out->http_status = 200;
    const char *row_key = partition->has_row ? "product" : partition->other_row;
    if (row_key == NULL) {
        snprintf(out->body, sizeof out->body, "{\"value\":[]}");
    } else {
        snprintf(out->body, sizeof out->body,
                 "{\"value\":[{\"PartitionKey\":\"P\",\"RowKey\":\"%s\"}]}", row_key);
    }
}

static void answer_insert(struct partition *partition, const char *body,
                          struct virtual_answer *out) {
    static const char key[] = "\"commitIds\":\"";
    if (partition->has_row) {
        refuse(out, 409, "EntityAlreadyExists");
        return;
    }
    const char *ids = strstr(body, key);
    ck_assert_ptr_nonnull(ids);
    ck_assert_ptr_nonnull(strstr(body, "\"total\":\"10\""));
    ck_assert_ptr_nonnull(strstr(body, "\"available\":\"10\""));
    ck_assert_ptr_nonnull(strstr(body, "\"version\":\"1\""));
    snprintf(partition->commit_ids, sizeof partition->commit_ids, "%.36s", ids + strlen(key));
    partition->has_row = true;
    partition->version = 1;
    partition->inserts++;
    out->http_status = 204;
}

static void answer_create(struct virtual_answer *out) {
    if (world.is_there) {
        refuse(out, 409, "TableAlreadyExists");
        return;
    }
    world.is_there = true;
    world.created++;
    out->http_status = 204;
}

static const char *listed; /* the answer to a query for all products; NULL: nobody may ask */

static void answer_well(const struct http_call *call, struct virtual_answer *out) {
    char body[BODY_BYTES];
    snprintf(body, sizeof body, "%.*s", (int)call->body_length,
             call->body == NULL ? "" : (const char *)call->body);
    bool is_post = strcmp(call->method, "POST") == 0;
    int product = product_of(is_post ? body : call->url);
    if (strstr(call->url, "/Tables") != NULL) {
        answer_create(out);
    } else if (!world.is_there) {
        refuse(out, 404, "TableNotFound");
    } else if (product < 0) {
        ck_assert_ptr_nonnull(listed);
        out->http_status = 200;
        snprintf(out->body, sizeof out->body, "%s", listed);
    } else if (is_post) {
        answer_insert(&world.partitions[product], body, out);
    } else if (strstr(call->url, "()?") != NULL) {
        ck_assert_ptr_nonnull(
            strstr(call->url, "/inventory()?%24filter=PartitionKey%20eq%20%27PROD-"));
        answer_query(&world.partitions[product], out);
    } else {
        answer_look(&world.partitions[product], product, out);
    }
}

static bool is_about(const struct http_call *call, const char *product) {
    return strstr(call->url, product) != NULL ||
           (call->body_length > 0 && strstr(call->body, product) != NULL);
}

static void answer_call(int index, const struct http_call *call, struct virtual_answer *out) {
    int under_way = (int)virtual_loop.timers.count +
                    1; /* each seed has one timer, but for the one that sends now */
    world.most_at_once = under_way > world.most_at_once ? under_way : world.most_at_once;
    if (index >= vanishes_at && world.is_there) {
        world.is_there = false;
        memset(world.partitions, 0, sizeof world.partitions);
    }
    if (index == others_at) {
        world.partitions[0] =
            (struct partition){.has_row = true, .commit_ids = OTHERS_ID, .version = others_version};
    }
    bool is_bad = index >= first_bad && index <= last_bad &&
                  (bad_product == NULL || is_about(call, bad_product));
    if (is_bad) {
        if (fault == UNHEARD) {
            answer_well(call, out);
        }
        answer_badly(out);
    } else {
        answer_well(call, out);
    }
}

/* ---- running ---- */

static struct inventory_store_table store;
static int ended;
static bool is_starting;
static enum status ended_with;
static char message[512];

static void note_end(void *context, enum status status, const struct error *err) {
    ck_assert(!is_starting);
    ck_assert_ptr_eq(context, &store);
    ended++;
    ended_with = status;
    snprintf(message, sizeof message, "%s", err->message);
    ck_assert_int_eq(status == STATUS_OK, message[0] == '\0');
}

/* From now on the requests `from` to `to`, counted from the first, fail so. */
static void plan(enum fault what, int from, int to) {
    fault = what;
    first_bad = from;
    last_bad = to;
}

static void set_up(void) {
    for (int i = 0; i < MANY; i++) {
        snprintf(seeds[i].id, sizeof seeds[i].id, "PROD-%02d", i);
        seeds[i].total = 10;
    }
    memset(&world, 0, sizeof world);
    plan(LOST, INT32_MAX, INT32_MAX);
    bad_product = NULL;
    others_at = INT32_MAX;
    others_version = 1;
    listed = NULL;
    vanishes_at = INT32_MAX;
    virtual_begin();
    inventory_store_table_init(&store, &virtual_client, "inventory");
}

static void tear_down(void) {
    inventory_store_table_cleanup(&store);
    virtual_end();
}

static void start_prepare(int count) {
    ended = 0;
    is_starting = true;
    store.base.ops->prepare(&store.base, seeds, (size_t)count, note_end, &store);
    is_starting = false;
}

static enum status finish(void) {
    while (virtual_step()) {
    }
    ck_assert_int_eq(ended, 1);
    return ended_with;
}

static enum status prepare(int count) {
    start_prepare(count);
    return finish();
}

static enum status add(void) {
    ended = 0;
    is_starting = true;
    table_setup_add(&store, &seeds[0], note_end, &store);
    is_starting = false;
    return finish();
}

/* The table is there, without rows. */
static void make_table(void) {
    world.is_there = true;
}

/* Each seed is there, and was inserted once. */
static void assert_seeded(int count) {
    for (int i = 0; i < count; i++) {
        ck_assert(world.partitions[i].has_row);
        ck_assert_int_eq(world.partitions[i].inserts, 1);
    }
    ck_assert_int_le(world.created, 1);
}

/* ---- what it costs ---- */

START_TEST(a_seed_costs_a_look_a_query_and_an_insert) {
    make_table();
    ck_assert_int_eq(prepare(1), STATUS_OK);
    ck_assert_int_eq(virtual_calls, 3);
    ck_assert_int_eq(prepare(1), STATUS_OK); /* it is there: a look */
    ck_assert_int_eq(virtual_calls, 4);
    assert_seeded(1);
}
END_TEST

START_TEST(a_table_that_was_never_there_is_created_once) {
    ck_assert_int_eq(prepare(MANY), STATUS_OK);
    ck_assert_int_eq(virtual_calls, 1 + 3 * MANY);
    ck_assert_int_eq(world.created, 1);
    assert_seeded(MANY);
}
END_TEST

START_TEST(without_seeds_the_table_is_created_without_a_look) {
    ck_assert_int_eq(prepare(0), STATUS_OK);
    ck_assert_int_eq(virtual_calls, 1);
    ck_assert_int_eq(world.created, 1);
    ck_assert_int_eq(prepare(0), STATUS_OK); /* it was seen */
    ck_assert_int_eq(virtual_calls, 1);
}
END_TEST

START_TEST(a_table_that_somebody_else_creates_meanwhile_is_as_good) {
    int seed_count = _i;
    plan(NO_TABLE, 0, seed_count == 0 ? -1 : 0);
    make_table();
    ck_assert_int_eq(prepare(seed_count), STATUS_OK);
    ck_assert_int_eq(world.created, 0);
    assert_seeded(seed_count);
}
END_TEST

START_TEST(a_handful_of_seeds_is_created_at_once) {
    make_table();
    ck_assert_int_eq(prepare(MANY), STATUS_OK);
    ck_assert_int_eq(world.most_at_once, AT_ONCE);
    assert_seeded(MANY);
}
END_TEST

START_TEST(seeds_that_are_there_are_left_alone) {
    make_table();
    for (int i = 0; i < MANY; i++) {
        world.partitions[i] = (struct partition){.has_row = true, .version = 7};
    }
    ck_assert_int_eq(prepare(MANY), STATUS_OK);
    ck_assert_int_eq(virtual_calls, MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(world.partitions[i].version, 7);
        ck_assert_int_eq(world.partitions[i].inserts, 0);
    }
}
END_TEST

/* Before the query, or before the insert. */
START_TEST(a_seed_that_somebody_else_creates_meanwhile_is_as_good) {
    make_table();
    others_at = 1 + _i;
    ck_assert_int_eq(prepare(1), STATUS_OK);
    ck_assert_int_eq(virtual_calls, 2 + _i);
    ck_assert_int_eq(prepare(1), STATUS_OK);
    ck_assert_str_eq(world.partitions[0].commit_ids, OTHERS_ID);
}
END_TEST

/* ---- rows of an earlier life ---- */

static const char *const leftovers[] = {"r-0194a0b1-2345-8678-9abc-def012345678", "i-abc", "zzz"};

START_TEST(a_seed_is_not_created_beside_old_rows_and_the_others_are) {
    static const int places[] = {0, 5, MANY - 1};
    int place = places[_i];
    make_table();
    world.partitions[place].other_row = leftovers[_i];
    ck_assert_int_eq(prepare(MANY), STATUS_OK);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(world.partitions[i].inserts, i != place);
    }
}
END_TEST

START_TEST(a_product_is_not_added_beside_any_row_that_is_left_of_it) {
    make_table();
    world.partitions[0].other_row = leftovers[_i];
    ck_assert_int_eq(add(), STATUS_PRECONDITION_FAILED);
    ck_assert_int_eq(virtual_calls, 2);
    ck_assert_ptr_nonnull(strstr(message, leftovers[_i]));
    ck_assert_ptr_nonnull(strstr(message, "Restore that row"));
    ck_assert_int_eq(world.partitions[0].inserts, 0);
}
END_TEST

/* ---- failures ---- */

/*
 * How it ends with each fault, in their order, at each request: once, and from then on for ever.
 * Requests: the look, the table's creation, the query, the insert.
 */
static const struct {
    const char *once, *for_ever;
} ends_of_seed[REQUESTS_OF_A_SEED] = {
    {"..NC.FT.PU.A.",
     "UUNCUFRTPUUAU"}, /* no row: there is a table, and then it is gone; no table: it is created */
    {"..NC.FRTP..T.", "UUNCUFRTPUUAU"}, /* the table that is there is not */
    {"..NC.FRTPU.A.", "UUNCUFRTPUUAU"},
    {"..NC.FRTP....", "UUNCUFRTPUU.U"}, /* a row that is there is as good */
};

/* What failed once does not fail again, and nothing happens twice. */
static void assert_seeded_in_the_end(int count) {
    plan(LOST, INT32_MAX, INT32_MAX);
    if (store.has_seen_table && !world.is_there) { /* an answer has said that it was there */
        ck_assert_int_eq(prepare(count), STATUS_CONTAINER_NOT_FOUND);
        ck_assert_int_eq(world.created, 0);
        return;
    }
    ck_assert_msg(prepare(count) == STATUS_OK, "%s", message);
    assert_seeded(count);
}

static void assert_ends(int from, int to, const char *expected) {
    char ends[FAULTS + 1] = "";
    for (int what = 0; what < FAULTS; what++) {
        set_up();
        plan((enum fault)what, from, to);
        ends[what] = status_letter(prepare(1));
        ck_assert_int_gt(virtual_calls, from);
        ck_assert_int_le(virtual_loop.now_ms, VIRTUAL_START_MS + LONGEST_MS);
        ck_assert(ended_with == STATUS_OK || strstr(message, "preparing table inventory") != NULL);
        ck_assert(ended_with != STATUS_OK || world.partitions[0].has_row ||
                  (what == THERE && from == 3));
        assert_seeded_in_the_end(1);
        tear_down();
    }
    ck_assert_msg(strcmp(ends, expected) == 0, "from request %d to %d: %s", from, to, ends);
}

START_TEST(a_preparation_tells_what_has_failed_at_each_of_its_requests) {
    assert_ends(_i, _i, ends_of_seed[_i].once);
    assert_ends(_i, INT32_MAX, ends_of_seed[_i].for_ever);
}
END_TEST

/* One seed fails, somewhere among many: those before and beside it are not looked at again. */
START_TEST(a_seed_that_was_created_is_not_created_again_by_the_next_try) {
    static const int places[] = {0, 1, 5, AT_ONCE, MANY - 1};
    int place = places[_i / 2];
    set_up();
    make_table();
    store.has_seen_table = _i % 2 == 1; /* the first seed is created alone, or not */
    plan(FORBIDDEN, 0, INT32_MAX);
    bad_product = seeds[place].id;
    ck_assert_int_eq(prepare(MANY), STATUS_UNAUTHORIZED);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_le(world.partitions[i].looks, i < place + AT_ONCE);
        ck_assert_int_eq(world.partitions[i].inserts,
                         world.partitions[i].looks); /* what was begun is finished */
    }
    bad_product = NULL;
    plan(LOST, INT32_MAX, INT32_MAX);
    ck_assert_int_eq(prepare(MANY), STATUS_OK);
    assert_seeded(MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(world.partitions[i].looks, 1);
    }
    ck_assert_int_eq(prepare(MANY), STATUS_OK); /* and the next looks at all of them */
    ck_assert_int_eq(world.partitions[MANY - 1].looks, 2);
    tear_down();
}
END_TEST

/* The second fails at once; the first ends later, and makes room for one more. */
START_TEST(after_a_failure_no_further_seed_is_begun) {
    make_table();
    store.has_seen_table = true;
    plan(FORBIDDEN, 0, INT32_MAX);
    bad_product = seeds[1].id;
    ck_assert_int_eq(prepare(MANY), STATUS_UNAUTHORIZED);
    ck_assert_int_eq(world.partitions[0].inserts, 1);
    ck_assert_int_eq(world.partitions[AT_ONCE].looks, 0);
}
END_TEST

/* One that hangs holds up those far behind it, but not the others. */
START_TEST(a_seed_that_hangs_does_not_hold_up_those_beside_it) {
    make_table();
    store.has_seen_table = true;
    plan(HANGS, 0, INT32_MAX);
    bad_product = seeds[0].id;
    ck_assert_int_eq(prepare(MANY), STATUS_UNAVAILABLE);
    for (int i = 1; i < MANY; i++) {
        ck_assert_int_eq(world.partitions[i].inserts, i < AT_ONCE);
    }
    plan(LOST, INT32_MAX, INT32_MAX);
    ck_assert_int_eq(prepare(MANY), STATUS_OK);
    assert_seeded(MANY);
}
END_TEST

/*
 * It disappears between any two requests: it is not created anew, and what was seeded is not seeded
 * again.
 */
START_TEST(a_table_that_disappears_while_it_is_prepared_is_not_created) {
    bool was_there = _i == 1;
    for (int at = was_there ? 1 : 2; at < 3 * MANY; at++) {
        set_up();
        world.is_there = was_there;
        vanishes_at = at;
        ck_assert_int_eq(prepare(MANY), STATUS_CONTAINER_NOT_FOUND);
        vanishes_at = INT32_MAX;
        ck_assert_int_eq(prepare(MANY), STATUS_CONTAINER_NOT_FOUND);
        ck_assert_int_eq(prepare(0), STATUS_OK);
        ck_assert_int_eq(world.created, !was_there);
        tear_down();
    }
}
END_TEST

/* ---- stopping ---- */

enum { FEW = 3 };

static void begin_few(enum fault what, int from, int to) {
    set_up();
    plan(what, from, to);
    start_prepare(FEW);
}

/* Lets it take so many steps. Returns whether it has not ended by then. */
static bool is_under_way(int steps) {
    while (steps-- > 0 && ended == 0) {
        ck_assert(virtual_step());
    }
    return ended == 0;
}

/* Without faults. With them, what has failed first is told. */
static void assert_cancelled(void) {
    ck_assert(ended_with == STATUS_CANCELLED || first_bad < INT32_MAX);
}

static void stop_program(bool is_under_way_still) {
    int64_t stopped_ms = virtual_loop.now_ms;
    storage_client_cancel(&virtual_client);
    (void)finish();
    if (is_under_way_still) {
        ck_assert_int_eq(virtual_loop.now_ms, stopped_ms);
        assert_cancelled();
    }
    ck_assert_int_eq(prepare(FEW), STATUS_CANCELLED); /* and so does every later one */
    tear_down();
}

static void close_client(bool is_under_way_still) {
    storage_client_cleanup(&virtual_client);
    ck_assert_int_eq(ended, 1);
    if (is_under_way_still) {
        assert_cancelled();
    }
    virtual_drop_calls();
    inventory_store_table_cleanup(&store);
}

static void end_everywhere(enum fault what, int from, int to,
                           void (*end)(bool is_under_way_still)) {
    bool more = true;
    for (int steps = 0; more; steps++) {
        begin_few(what, from, to);
        more = is_under_way(steps);
        end(more);
    }
}

static void end_in_all_ways(void (*end)(bool is_under_way_still)) {
    end_everywhere(LOST, INT32_MAX, INT32_MAX, end);
    for (int what = 0; what < FAULTS; what++) {
        for (int from = 0; from < 1 + 3 * FEW; from++) {
            end_everywhere((enum fault)what, from, from, end);
            end_everywhere((enum fault)what, from, INT32_MAX, end);
        }
    }
}

START_TEST(a_preparation_ends_when_the_program_stops_wherever_it_stands) {
    end_in_all_ways(stop_program);
}
END_TEST

START_TEST(a_preparation_ends_with_its_client_wherever_it_stands) {
    end_in_all_ways(close_client);
}
END_TEST

/* ---- no memory ---- */

enum { ALL_FAIL, ONE_FAILS, JSON_FAILS, SHORTAGES };

/* Whichever allocation fails: it ends once, and the next try succeeds. */
START_TEST(a_preparation_without_memory_fails_and_the_next_succeeds) {
    bool is_short = true;
    for (int allowed = 0; is_short; allowed++) {
        set_up();
        if (_i == JSON_FAILS) {
            json_memory_limit(allowed);
        } else {
            memory_limit_begin(allowed + 1, _i == ONE_FAILS ? 1 : INT32_MAX);
        }
        enum status status = prepare(FEW);
        is_short = _i == JSON_FAILS ? json_memory_unlimit() : memory_limit_end() > 0;
        ck_assert(status != STATUS_OK || !is_short || _i == ONE_FAILS); /* a text to be logged */
        if (status == STATUS_OK) {
            assert_seeded(FEW);
        }
        ck_assert(allowed > 0 || status == STATUS_NO_MEMORY || _i == JSON_FAILS);
        ck_assert_int_eq(prepare(FEW), STATUS_OK);
        assert_seeded(FEW);
        tear_down();
    }
}
END_TEST

/* ---- for operators: adding ---- */

START_TEST(a_product_is_added_after_a_look_at_what_is_there) {
    make_table();
    ck_assert_int_eq(add(), STATUS_OK);
    ck_assert_int_eq(virtual_calls, 3);
    assert_seeded(1);
}
END_TEST

START_TEST(the_first_product_is_added_with_its_table) {
    ck_assert_int_eq(add(), STATUS_OK);
    ck_assert_int_eq(virtual_calls, 4);
    assert_seeded(1);
}
END_TEST

/* Readable or not. */
START_TEST(a_product_that_is_there_is_not_added) {
    make_table();
    world.partitions[0] = (struct partition){.has_row = true, .version = _i == 0 ? 7 : -1};
    ck_assert_int_eq(add(), STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(virtual_calls, 1);
}
END_TEST

START_TEST(a_product_that_is_added_before_the_query_is_there_already) {
    make_table();
    others_at = 1;
    ck_assert_int_eq(add(), STATUS_ALREADY_EXISTS);
    ck_assert_int_eq(virtual_calls, 2);
}
END_TEST

START_TEST(an_addition_whose_answer_was_lost_is_known_by_its_commit) {
    make_table();
    plan(UNHEARD, 2, 2);
    ck_assert_msg(add() == STATUS_OK, "%s", message);
    ck_assert_int_eq(virtual_calls, 5);
    assert_seeded(1);
}
END_TEST

START_TEST(an_addition_whose_answer_cannot_be_read_is_unknown) {
    static const enum status ways[] = {STATUS_NO_MEMORY, STATUS_TOO_LARGE};
    make_table();
    plan(UNHEARD, 2, 2);
    unheard_as = ways[_i];
    enum status status = add();
    unheard_as = STATUS_UNAVAILABLE;
    ck_assert_int_eq(status, STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(message, "it may have been created"));
    assert_seeded(1);
}
END_TEST

START_TEST(a_product_that_somebody_else_adds_meanwhile_is_not_ours) {
    static const struct {
        int version;
        enum status expected;
    } cases[] = {{INVENTORY_COMMIT_IDS, STATUS_ALREADY_EXISTS},
                 {INVENTORY_COMMIT_IDS + 1, STATUS_UNAVAILABLE}, /* its first commit is forgotten */
                 {-1, STATUS_UNAVAILABLE}};                      /* it cannot be read */
    make_table();
    others_at = 2;
    others_version = cases[_i].version;
    ck_assert_int_eq(add(), cases[_i].expected);
    ck_assert_int_eq(virtual_calls, 4);
    ck_assert_int_eq(strstr(message, "unknown who added it") != NULL,
                     cases[_i].expected == STATUS_UNAVAILABLE);
}
END_TEST

/* Whatever becomes of the question whose the row is: it may be our own. */
START_TEST(who_added_a_product_is_unknown_if_its_row_cannot_be_read) {
    for (int what = 0; what < FAULTS; what++) {
        set_up();
        make_table();
        others_at = 2;
        plan((enum fault)what, 3, INT32_MAX);
        ck_assert_msg(add() == STATUS_UNAVAILABLE, "fault %d: %s", what, message);
        tear_down();
    }
}
END_TEST

/* ---- for operators: listing ---- */

#define ROW(id)                                                                                   \
    "{\"odata.etag\":\"W/\\\"1\\\"\",\"PartitionKey\":\"" id                                      \
    "\",\"RowKey\":\"product\",\"total\":\"10\","                                                 \
    "\"available\":\"9\",\"version\":\"3\",\"commitIds\":\"" OTHERS_ID "\",\"indexedDue\":\"0\"," \
    "\"indexedKeep\":\"0\"}"

static char visited[64];
static enum status visit_status;

static enum status visit(void *context, const struct product *product, struct error *err) {
    ck_assert_ptr_eq(context, &store);
    ck_assert_int_eq(product->available, 9);
    strcat(visited, product->id);
    return visit_status == STATUS_OK ? STATUS_OK
                                     : error_set(err, visit_status, "the visitor has enough");
}

static enum status list(const char *answer) {
    ended = 0;
    listed = answer;
    visited[0] = '\0';
    is_starting = true;
    table_setup_list(&store, visit, note_end, &store);
    is_starting = false;
    return finish();
}

START_TEST(a_list_visits_the_products_that_can_be_read) {
    make_table();
    visit_status = STATUS_OK;
    ck_assert_int_eq(list("{\"value\":[" ROW(
                         "A") ",{\"PartitionKey\":\"B\",\"RowKey\":\"product\"}," ROW("C") "]}"),
                     STATUS_OK);
    ck_assert_str_eq(visited, "AC");
    ck_assert_int_eq(virtual_calls, 1);
}
END_TEST

START_TEST(a_list_ends_with_its_visitor) {
    make_table();
    visit_status = STATUS_NO_MEMORY;
    ck_assert_int_eq(list("{\"value\":[" ROW("A") "," ROW("C") "]}"), STATUS_NO_MEMORY);
    ck_assert_str_eq(visited, "A");
}
END_TEST

START_TEST(a_list_tells_what_has_failed) {
    visit_status = STATUS_OK;
    ck_assert_int_eq(list("{\"value\":[]}"), STATUS_CONTAINER_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(message, "listing table inventory"));
    make_table();
    ck_assert_int_eq(list("{\"value\":"), STATUS_UNAVAILABLE);
    memory_limit_begin(1, INT32_MAX);
    ck_assert_int_eq(list("{\"value\":[]}"), STATUS_NO_MEMORY);
    ck_assert_int_gt(memory_limit_end(), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("table_setup");
    TCase *tcase = tcase_create("one world");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_seed_costs_a_look_a_query_and_an_insert);
    tcase_add_test(tcase, a_table_that_was_never_there_is_created_once);
    tcase_add_test(tcase, without_seeds_the_table_is_created_without_a_look);
    tcase_add_loop_test(tcase, a_table_that_somebody_else_creates_meanwhile_is_as_good, 0, 3);
    tcase_add_test(tcase, a_handful_of_seeds_is_created_at_once);
    tcase_add_test(tcase, seeds_that_are_there_are_left_alone);
    tcase_add_loop_test(tcase, a_seed_that_somebody_else_creates_meanwhile_is_as_good, 0, 2);
    tcase_add_loop_test(tcase, a_seed_is_not_created_beside_old_rows_and_the_others_are, 0, 3);
    tcase_add_loop_test(tcase, a_product_is_not_added_beside_any_row_that_is_left_of_it, 0, 3);
    tcase_add_test(tcase, after_a_failure_no_further_seed_is_begun);
    tcase_add_test(tcase, a_seed_that_hangs_does_not_hold_up_those_beside_it);
    tcase_add_test(tcase, a_product_is_added_after_a_look_at_what_is_there);
    tcase_add_test(tcase, the_first_product_is_added_with_its_table);
    tcase_add_loop_test(tcase, a_product_that_is_there_is_not_added, 0, 2);
    tcase_add_test(tcase, a_product_that_is_added_before_the_query_is_there_already);
    tcase_add_test(tcase, an_addition_whose_answer_was_lost_is_known_by_its_commit);
    tcase_add_loop_test(tcase, an_addition_whose_answer_cannot_be_read_is_unknown, 0, 2);
    tcase_add_loop_test(tcase, a_product_that_somebody_else_adds_meanwhile_is_not_ours, 0, 3);
    tcase_add_test(tcase, a_list_visits_the_products_that_can_be_read);
    tcase_add_test(tcase, a_list_ends_with_its_visitor);
    tcase_add_test(tcase, a_list_tells_what_has_failed);
    suite_add_tcase(suite, tcase);
    TCase *many = tcase_create("one world after the other");
    tcase_set_timeout(many, 100);
    tcase_add_loop_test(many, a_preparation_tells_what_has_failed_at_each_of_its_requests, 0,
                        REQUESTS_OF_A_SEED);
    tcase_add_loop_test(many, a_seed_that_was_created_is_not_created_again_by_the_next_try, 0, 10);
    tcase_add_loop_test(many, a_table_that_disappears_while_it_is_prepared_is_not_created, 0, 2);
    tcase_add_test(many, a_preparation_ends_when_the_program_stops_wherever_it_stands);
    tcase_add_test(many, a_preparation_ends_with_its_client_wherever_it_stands);
    tcase_add_loop_test(many, a_preparation_without_memory_fails_and_the_next_succeeds, 0,
                        SHORTAGES);
    tcase_add_test(many, who_added_a_product_is_unknown_if_its_row_cannot_be_read);
    suite_add_tcase(suite, many);
    return check_main(suite);
}
