#include "torture/torture_clients.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/calls/http_send.h"
#include "torture/history_request.h"

enum {
    CALL_TIMEOUT_MS = 30000,
    PAUSE_MS = 40, /* after an unknown outcome */
    KEPT = 24,     /* reservations, and requests with a key, that a client remembers */
    MAX_ANSWER_BYTES = 4 * 1024 * 1024,
    LOOK_TIMEOUT_MS = 10000,
    MOST_LIFETIME_S = 8, /* twice that of TORTURE_LIFETIME_MS */
    OPERATOR_PAUSE_MS = 1000,
    OPERATOR_TIMEOUT_MS = 60000,
    OPERATOR_REFUSED = 2, /* leasectl's exit codes */
    OPERATOR_FAILED = 1,
};

struct torture_clients {
    struct torture_world *world;
    struct history *history;
    struct http_transport *transport;
    atomic_bool stopping;
    struct client *items;
    int count;
    pthread_t operator_thread;
};

/* What a client has reserved, and may release, confirm, extend or ask for again. */
struct kept {
    struct history_record asked; /* as it was asked; its product "": nothing is kept here */
    char reservation_id[UUID_TEXT_BYTES];
};

struct client {
    struct torture_clients *all;
    pthread_t thread;
    int number; /* 1, 2, ... */
    struct torture_random random;
    int customer_number;
    int key_number;
    struct kept kept[KEPT];
    int kept_next;
    struct history_record
        keyed[KEPT]; /* as they were asked; their product "": nothing is kept here */
    int keyed_next;
    int64_t versions[TORTURE_MAX_PRODUCTS]; /* as they were last answered; 0: never */
};

/* ---- one call ---- */

/* An older handler does not have all that is asked for. */
static bool needs_new_handler(const struct history_record *asked) {
    return asked->kind == HISTORY_CONFIRM || asked->kind == HISTORY_EXTEND ||
           asked->kind == HISTORY_FIND || asked->kind == HISTORY_ADJUST || asked->lifetime_s > 0 ||
           asked->expected_version != 0;
}

/*
 * The port of the instance that is asked, or of the next one if it runs the old handler, as one at
 * most does. The port is read first: an instance that is started anew has another one.
 */
static int find_port(const struct torture_clients *clients, struct history_record *asked) {
    const struct torture_instance *instances = clients->world->instances;
    int port = atomic_load(&instances[asked->instance - 1].port);
    if (needs_new_handler(asked) && atomic_load(&instances[asked->instance - 1].is_old)) {
        asked->instance = asked->instance % TORTURE_INSTANCES + 1;
        port = atomic_load(&instances[asked->instance - 1].port);
    }
    return port;
}

/* Asks, and writes down what comes of it. */
static const struct history_record *ask(struct torture_clients *clients,
                                        const struct history_record *wanted) {
    char url[256];
    struct history_record asked = *wanted;
    struct history_request request;
    struct http_reply reply;
    int port = find_port(clients, &asked);
    history_request_init(&request, &asked);
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, request.path);
    http_reply_init(&reply);
    struct http_call call = {.method = request.method,
                             .url = url,
                             .headers = &request.headers,
                             .body = request.body,
                             .body_length = strlen(request.body),
                             .timeout_ms = CALL_TIMEOUT_MS,
                             .max_response_bytes = MAX_ANSWER_BYTES};
    struct history_record *record = history_begin(clients->history, &asked);
    enum status status = http_send(clients->transport, &call, &reply, NULL);
    history_end(clients->history, record, status == STATUS_OK ? &reply : NULL);
    http_reply_cleanup(&reply);
    history_request_cleanup(&request);
    return record;
}

/* ---- what a client does ---- */

static int choose_instance(struct client *client) {
    int instance = torture_random_below(&client->random, TORTURE_INSTANCES);
    for (int i = 0; i < TORTURE_INSTANCES && !torture_random_chance(&client->random, 0.005); i++) {
        if (atomic_load(&client->all->world->instances[instance].usable)) {
            break;
        }
        instance = (instance + 1) % TORTURE_INSTANCES;
    }
    return instance + 1;
}

static struct history_record begin(struct client *client, enum history_kind kind, int product) {
    struct history_record asked = {
        .kind = kind, .client = client->number, .instance = choose_instance(client)};
    if (kind != HISTORY_RECONCILE) {
        strcpy(asked.product, torture_world_product(product));
    }
    return asked;
}

static int find_product(const char *id) {
    int product = 0;
    while (strcmp(torture_world_product(product), id) != 0) {
        product++;
    }
    return product;
}

static const struct history_record *act(struct client *client, const struct history_record *asked) {
    const struct history_record *record = ask(client->all, asked);
    if (record->outcome == HISTORY_UNKNOWN) {
        client->customer_number++;
        poll(NULL, 0, PAUSE_MS);
    }
    if (record->version > 0) {
        client->versions[find_product(record->product)] = record->version;
    }
    return record;
}

/* A confirm needs no key. */
static bool is_repeatable(const struct history_record *asked) {
    return asked->key[0] != '\0' || asked->kind == HISTORY_CONFIRM;
}

static void keep_keyed(struct client *client, const struct history_record *record) {
    if (is_repeatable(record) && record->outcome == HISTORY_DONE) {
        client->keyed[client->keyed_next] = *record;
        client->keyed_next = (client->keyed_next + 1) % KEPT;
    }
}

static void keep(struct client *client, const struct history_record *record) {
    struct kept *kept = &client->kept[client->kept_next];
    client->kept_next = (client->kept_next + 1) % KEPT;
    kept->asked = *record;
    kept->asked.outcome = HISTORY_UNKNOWN;
    strcpy(kept->reservation_id, record->reservation_id);
}

/* One of those kept, or NULL. Half the time the last: on a slow machine others have expired. */
static struct kept *choose_kept(struct client *client) {
    int any = torture_random_below(&client->random, KEPT), last = client->kept_next + KEPT - 1;
    bool is_any = torture_random_chance(&client->random, 0.5);
    struct kept *kept = &client->kept[(is_any ? any : last) % KEPT];
    return kept->asked.product[0] == '\0' ? NULL : kept;
}

/* What was asked before, to be asked anew: without its answer. */
static struct history_record ask_again(struct client *client, const struct history_record *record) {
    struct history_record asked = history_asked_again(record);
    asked.instance = choose_instance(client);
    return asked;
}

/* Names a version: the present one if nobody else is quicker, the one before it, or any. */
static void add_version(struct client *client, struct history_record *asked) {
    int64_t version = client->versions[find_product(asked->product)];
    int dice = torture_random_below(&client->random, 10);
    asked->expected_version = dice == 0 || version == 0  ? HISTORY_ANY_VERSION
                              : dice == 1 && version > 1 ? version - 1
                                                         : version;
}

/*
 * Some of those that change something have a key, and some name a version. After an unknown outcome
 * those with a key are sent again.
 */
static const struct history_record *act_with_key(struct client *client,
                                                 struct history_record *asked) {
    if (asked->kind == HISTORY_ADJUST || torture_random_chance(&client->random, 0.4)) {
        snprintf(asked->key, sizeof asked->key, "k%d-%d", client->number, ++client->key_number);
    }
    if (torture_random_chance(&client->random, 0.1)) {
        add_version(client, asked);
    }
    const struct history_record *record = act(client, asked);
    for (int i = 0; i < 4 && is_repeatable(asked) && record->outcome == HISTORY_UNKNOWN; i++) {
        struct history_record again = ask_again(client, asked);
        record = act(client, &again);
    }
    keep_keyed(client, record);
    return record;
}

static void reserve(struct client *client, int product) {
    struct torture_random *random = &client->random;
    struct history_record asked = begin(client, HISTORY_RESERVE, product);
    asked.quantity = 1 + torture_random_below(random, torture_random_chance(random, 0.05)
                                                          ? torture_world_room(product) + 1
                                                          : 4);
    snprintf(asked.customer, sizeof asked.customer, "c%d-%d", client->number,
             client->customer_number);
    if (torture_random_chance(random, 0.15)) {
        asked.lifetime_s = 1 + torture_random_below(random, MOST_LIFETIME_S);
    }
    const struct history_record *record = act_with_key(client, &asked);
    if (record->outcome == HISTORY_DONE) {
        keep(client, record);
    }
    if (torture_random_chance(random, 0.1)) {
        client->customer_number++;
    }
}

/* Sends a key again: for the same, or for something else. */
static void repeat(struct client *client) {
    const struct history_record *keyed =
        &client->keyed[torture_random_below(&client->random, KEPT)];
    if (keyed->product[0] == '\0') {
        return;
    }
    struct history_record again = ask_again(client, keyed);
    bool is_of_stock = keyed->kind == HISTORY_RESERVE || keyed->kind == HISTORY_RELEASE;
    if (is_of_stock && torture_random_chance(&client->random, 0.1)) {
        again.kind = keyed->kind == HISTORY_RESERVE ? HISTORY_RELEASE : HISTORY_RESERVE;
        again.wanted_reservation[0] = '\0';
        again.lifetime_s = 0;
    } else if (torture_random_chance(&client->random, 0.1)) {
        history_ask_for_more(&again);
    }
    act(client, &again);
}

static void release(struct client *client) {
    struct torture_random *random = &client->random;
    struct kept *kept = choose_kept(client);
    if (kept == NULL) {
        return;
    }
    struct history_record asked = ask_again(client, &kept->asked);
    asked.kind = HISTORY_RELEASE;
    asked.key[0] = '\0';
    asked.lifetime_s = asked.expected_version = 0;
    asked.quantity = 1 + torture_random_below(random, (int)kept->asked.quantity + 1);
    if (torture_random_chance(random, 0.5)) {
        strcpy(asked.wanted_reservation, kept->reservation_id);
    }
    act_with_key(client, &asked);
    if (torture_random_chance(random, 0.2)) {
        struct history_record again = ask_again(client, &asked);
        act(client, &again);
    }
    if (torture_random_chance(random, 0.5)) {
        kept->asked.product[0] = '\0';
    }
}

static struct history_record ask_about(struct client *client, const struct kept *kept,
                                       enum history_kind kind) {
    struct history_record asked = ask_again(client, &kept->asked);
    asked.kind = kind;
    asked.key[0] = '\0';
    asked.quantity = asked.lifetime_s = asked.expected_version = 0;
    strcpy(asked.wanted_reservation, kept->reservation_id);
    if (kept->asked.quantity % 2 == 0 || kind == HISTORY_FIND) { /* each time, or never */
        asked.customer[0] = '\0';
    }
    return asked;
}

/* All of a reservation, a part, or more than it has. */
static void confirm(struct client *client, struct kept *kept) {
    struct torture_random *random = &client->random;
    struct history_record asked = ask_about(client, kept, HISTORY_CONFIRM);
    if (torture_random_chance(random, 0.6)) {
        asked.quantity = 1 + torture_random_below(random, (int)kept->asked.quantity + 1);
    }
    act_with_key(client, &asked);
    if (torture_random_chance(random, 0.4)) {
        struct history_record again = ask_again(client, &asked);
        act(client, &again);
    }
    if (torture_random_chance(random, 0.5)) {
        kept->asked.product[0] = '\0';
    }
}

static void extend(struct client *client, const struct kept *kept) {
    struct history_record asked = ask_about(client, kept, HISTORY_EXTEND);
    if (torture_random_chance(&client->random, 0.6)) {
        asked.lifetime_s = 1 + torture_random_below(&client->random, MOST_LIFETIME_S);
    }
    act_with_key(client, &asked);
}

/* Stock comes in, or is lost. */
static void adjust(struct client *client, int product) {
    struct history_record asked = begin(client, HISTORY_ADJUST, product);
    asked.quantity = torture_random_below(&client->random, 10) - 3;
    asked.quantity += asked.quantity == 0;
    act_with_key(client, &asked);
}

static void sell(struct client *client, int dice) {
    struct kept *kept = choose_kept(client);
    if (kept == NULL) {
        return;
    }
    if (dice < 13) {
        confirm(client, kept);
    } else if (dice < 20) {
        extend(client, kept);
    } else {
        struct history_record asked = ask_about(client, kept, HISTORY_FIND);
        act(client, &asked);
    }
}

static void step(struct client *client) {
    int product_count = client->all->world->options->product_count;
    int product = torture_random_below(&client->random, product_count);
    if (product == TORTURE_CROWDED && !torture_random_chance(&client->random, 0.2)) {
        product = (product + 1) % product_count; /* a look at the crowded one is a thousand rows */
    }
    int dice = torture_random_below(&client->random, 100);
    if (dice < 36) {
        reserve(client, product);
    } else if (dice < 50) {
        release(client);
    } else if (dice < 74) {
        sell(client, dice - 50);
    } else if (dice < 77) {
        adjust(client, product);
    } else if (dice < 82) {
        repeat(client);
    } else if (dice < 99) {
        struct history_record asked = begin(client, HISTORY_GET, product);
        act(client, &asked);
    } else if (torture_random_chance(&client->random, 0.3)) {
        struct history_record asked = begin(client, HISTORY_RECONCILE, 0);
        act(client, &asked);
    }
}

static void *run(void *context) {
    struct client *client = context;
    while (!atomic_load(&client->all->stopping)) {
        step(client);
    }
    return NULL;
}

/* ---- the operator ---- */

/* Runs leasectl to its end; answers its exit code, and all that it printed: the caller's (free). */
static int run_leasectl(const struct torture_clients *clients, const struct history_record *asked,
                        char **out_printed) {
    char program[512], connection[AZURITE_CONNECTION_STRING_BYTES + 64], total[32];
    snprintf(program, sizeof program, "%s/leasectl", getenv("LEASEHOLD_BIN"));
    snprintf(connection, sizeof connection, "DistributedLeasing__ConnectionString=%s",
             clients->world->azurite.connection_string);
    snprintf(total, sizeof total, "%lld", (long long)asked->quantity);
    const char *const argv[] = {program, "--json", "products", "set", asked->product, total, NULL};
    const char *const env[] = {connection, NULL};
    struct process process;
    process_start(&process, &(struct process_options){
                                .argv = argv, .env = env, .cwd = clients->world->folder.path});
    int exit_code = process_wait(&process, OPERATOR_TIMEOUT_MS);
    *out_printed = process_output_from(&process, 0);
    process_cleanup(&process);
    return exit_code;
}

/*
 * A lease that was lost has committed nothing; any other failure is one that an operator without
 * faults does not meet.
 */
static void set_total(struct torture_clients *clients, struct torture_random *random) {
    struct history_record asked = {.kind = HISTORY_SET_TOTAL};
    int product = torture_random_below(random, clients->world->options->product_count);
    int room = torture_world_room(product);
    strcpy(asked.product, torture_world_product(product));
    asked.quantity = torture_world_residents(product) + room - room / 3 +
                     torture_random_below(random, 2 * room / 3);
    struct history_record *record = history_begin(clients->history, &asked);
    char *printed = NULL;
    int exit_code = run_leasectl(clients, &asked, &printed);
    bool refused = exit_code == OPERATOR_REFUSED ||
                   (exit_code == OPERATOR_FAILED && strstr(printed, " lease") != NULL);
    const char *json = exit_code == 0 ? strchr(printed, '{') : NULL;
    history_end_set_total(clients->history, record, refused ? NULL : json == NULL ? printed : json);
    free(printed);
}

static void *operate(void *context) {
    struct torture_clients *clients = context;
    struct torture_random random = {clients->world->options->seed ^ 0x0b5};
    while (!atomic_load(&clients->stopping)) {
        set_total(clients, &random);
        poll(NULL, 0, OPERATOR_PAUSE_MS);
    }
    return NULL;
}

/* ---- all of them ---- */

struct torture_clients *torture_clients_start(struct torture_world *world,
                                              struct history *history) {
    struct torture_clients *clients = calloc(1, sizeof *clients);
    ck_assert_ptr_nonnull(clients);
    clients->world = world;
    clients->history = history;
    clients->count = world->options->client_count;
    clients->items = calloc((size_t)clients->count, sizeof *clients->items);
    ck_assert_ptr_nonnull(clients->items);
    ck_assert_int_eq(http_transport_new(&clients->transport, clock_system(), NULL), STATUS_OK);
    for (int i = 0; i < clients->count; i++) {
        struct client *client = &clients->items[i];
        client->all = clients;
        client->number = i + 1;
        client->random.state = world->options->seed * 1000 + (uint64_t)client->number;
        ck_assert_int_eq(pthread_create(&client->thread, NULL, run, client), 0);
    }
    ck_assert_int_eq(pthread_create(&clients->operator_thread, NULL, operate, clients), 0);
    return clients;
}

void torture_clients_stop(struct torture_clients *clients) {
    atomic_store(&clients->stopping, true);
    for (int i = 0; i < clients->count; i++) {
        pthread_join(clients->items[i].thread, NULL);
    }
    pthread_join(clients->operator_thread, NULL);
}

bool torture_clients_look(struct torture_clients *clients, int product) {
    int64_t deadline_ms = process_now_ms() + LOOK_TIMEOUT_MS;
    for (int instance = 1; instance <= TORTURE_INSTANCES;) {
        struct history_record asked = {.kind = HISTORY_GET, .instance = instance};
        strcpy(asked.product, torture_world_product(product));
        if (ask(clients, &asked)->outcome == HISTORY_DONE) {
            instance++;
        } else if (process_now_ms() >= deadline_ms) {
            return false;
        } else {
            poll(NULL, 0, PAUSE_MS);
        }
    }
    return true;
}

void torture_clients_free(struct torture_clients *clients) {
    http_transport_free(clients->transport);
    free(clients->items);
    free(clients);
}
