#include "inventory/lease_wanted.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "inventory/inventory_service.h"

/* A lease that is asked about, until its answer is given. */
struct question {
    struct lease_wanted *wanted;
    char product_id[PRODUCT_ID_BYTES];
    struct loop_task answer;
    bool is_wanted;
    lease_store_blob_wanted_done done;
    void *context;
};

void lease_wanted_init(struct lease_wanted *wanted, struct inventory_store *store, struct event_loop *loop) {
    *wanted = (struct lease_wanted){.store = store, .loop = loop};
    pthread_mutex_init(&wanted->lock, NULL);
    pthread_cond_init(&wanted->answered, NULL);
}

void lease_wanted_release(struct lease_wanted *wanted) {
    pthread_mutex_lock(&wanted->lock);
    while (wanted->open_count > 0) {
        pthread_cond_wait(&wanted->answered, &wanted->lock);
    }
    pthread_mutex_unlock(&wanted->lock);
    pthread_cond_destroy(&wanted->answered);
    pthread_mutex_destroy(&wanted->lock);
}

static void give_answer(void *context) {
    struct question *question = context;
    question->done(question->context, question->is_wanted);
    free(question);
}

static void count_open(struct lease_wanted *wanted, int change) {
    pthread_mutex_lock(&wanted->lock);
    wanted->open_count += change;
    pthread_cond_broadcast(&wanted->answered);
    pthread_mutex_unlock(&wanted->lock);
}

static void *read_product(void *context) {
    struct question *question = context;
    struct lease_wanted *wanted = question->wanted;
    struct product_state state;
    product_state_init(&state);
    enum status status =
        wanted->store->ops->read(wanted->store, question->product_id, &(struct inventory_query){0}, &state, NULL);
    product_state_cleanup(&state);
    question->is_wanted = status != STATUS_NOT_FOUND;
    event_loop_post(wanted->loop, &question->answer);
    count_open(wanted, -1);
    return NULL;
}

static bool start_reading(struct lease_wanted *wanted, struct question *question) {
    pthread_t thread;
    count_open(wanted, 1);
    if (thread_start(&thread, read_product, question, NULL) != STATUS_OK) {
        count_open(wanted, -1);
        return false;
    }
    pthread_detach(thread);
    return true;
}

void lease_wanted_ask(void *context, const char *name, lease_store_blob_wanted_done done, void *done_context) {
    struct lease_wanted *wanted = context;
    size_t prefix = strlen(PRODUCT_LEASE_PREFIX);
    bool is_product = strncmp(name, PRODUCT_LEASE_PREFIX, prefix) == 0 && strcmp(name, RECONCILIATION_LEASE_NAME) != 0;
    struct question *question = is_product ? malloc(sizeof *question) : NULL;
    if (question != NULL) {
        *question = (struct question){.wanted = wanted, .done = done, .context = done_context};
        question->answer = (struct loop_task){.run = give_answer, .context = question};
        snprintf(question->product_id, sizeof question->product_id, "%s", name + prefix);
    }
    if (question == NULL || !start_reading(wanted, question)) {
        free(question);
        done(done_context, true);
    }
}
