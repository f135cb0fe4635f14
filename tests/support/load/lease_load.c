#include "support/load/lease_load.h"

#include <check.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lease/lease_options.h"
#include "lease/lease_store_blob.h"
#include "lease/lease_wait.h"
#include "support/processes/storage_connection.h"

enum {
    MAX_ACQUIRERS = 128,
    LEASES_PER_ACQUIRER =
        32, /* what a thread leaves behind, and its connection, should not be seen in a lease */
    ACQUIRER_STACK_BYTES = 256 * 1024,
    LATE_BUCKETS = 60 * 1000, /* one for each millisecond; the last is for all that is later */
    LOOK_MS = 250, /* seldom: counting the heap takes its time, which is then a renewal's */
    CLOSE_TIMEOUT_MS = 30000,
    NAME_BYTES = 32,
};

enum phase { ACQUIRING, RENEWING, CLOSING };

/* One lease as its store sees it. Of the I/O thread alone once it is acquired, but for due_ms. */
struct record {
    struct load *load;
    _Atomic int64_t due_ms;         /* when its next renewal should be sent */
    int64_t sent_ms;                /* the attempt under way */
    int renewed;                    /* in the renewing phase */
    struct lease_store_call inner;  /* of the blob store: an acquire, later a renewal */
    struct lease_store_call *outer; /* of the manager */
    struct lease *lease;
};

struct load {
    struct lease_store base; /* first: the store that looks at the clock */
    struct lease_store_blob blob_store;
    char container[STORAGE_UNIQUE_NAME_BYTES];
    const struct lease_load_options *options;
    struct leasehold_options lease_options;
    struct storage_connection storage;
    struct lease_manager *manager;
    int64_t interval_ms;
    int64_t delay_ms;
    struct record *records;
    atomic_int phase;
    atomic_int next;     /* to be acquired */
    atomic_int complete; /* renewed as often as wanted */
    atomic_int lost;
    _Atomic int64_t failed;
    _Atomic int64_t renewals;
    _Atomic int64_t acquires_sent;
    _Atomic int64_t renewals_sent;
    _Atomic int64_t releases_sent;
    atomic_int *late; /* how many renewals were so many milliseconds late */
};

static int64_t now_ms(void) {
    return clock_now_ms(clock_system());
}

static void pause_ms(int64_t ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* --- the store that looks at the clock --- */

static void name_lease(int index, char out[NAME_BYTES]) {
    snprintf(out, NAME_BYTES, "scale-%06d", index);
}

static struct record *record_of(struct load *load, const char *name) {
    return &load->records[strtol(name + strlen("scale-"), NULL, 10)];
}

static void note_late(struct load *load, int64_t late_ms) {
    late_ms = late_ms > 0 ? late_ms : 0;
    load->late[late_ms < LATE_BUCKETS ? late_ms : LATE_BUCKETS - 1]++;
}

/*
 * The manager's call goes on to the blob store as the record's own. Ends where `done` calls the
 * manager's.
 */
static struct lease_store_call *pass_on(struct record *record, struct lease_store_call *outer,
                                        lease_store_done done) {
    record->outer = outer;
    outer->own = record;
    record->inner.done = done;
    record->inner.context = record;
    return &record->inner;
}

static void answer(struct record *record, enum status status, const struct error *err) {
    struct lease_store_call *outer = record->outer;
    outer->own = NULL;
    outer->sent_ms = record->inner.sent_ms;
    outer->done(outer->context, status, err);
}

static void acquire_answered(void *context, enum status status, const struct error *err) {
    struct record *record = context;
    if (status == STATUS_OK) {
        record->due_ms = record->inner.sent_ms + record->load->interval_ms;
    }
    answer(record, status, err);
}

static enum status acquire(struct lease_store *base, struct lease_store_call *call,
                           const char *name, const char *lease_id, int duration_s,
                           int64_t deadline_ms) {
    struct load *load = (struct load *)base;
    struct lease_store *inner = &load->blob_store.base;
    load->acquires_sent++;
    return inner->ops->acquire(inner, pass_on(record_of(load, name), call, acquire_answered), name,
                               lease_id, duration_s, deadline_ms);
}

static void renew_answered(void *context, enum status status, const struct error *err) {
    struct record *record = context;
    struct load *load = record->load;
    if (status == STATUS_OK) {
        if (load->phase == RENEWING) {
            note_late(load, now_ms() - record->due_ms - load->delay_ms);
            load->renewals++;
            load->complete += ++record->renewed == load->options->periods;
        }
        record->due_ms = record->sent_ms + load->interval_ms;
    }
    answer(record, status, err);
}

static enum status renew(struct lease_store *base, struct lease_store_call *call, const char *name,
                         const char *lease_id, int64_t timeout_ms) {
    struct load *load = (struct load *)base;
    struct lease_store *inner = &load->blob_store.base;
    struct record *record = record_of(load, name);
    record->sent_ms = now_ms();
    load->renewals_sent++;
    return inner->ops->renew(inner, pass_on(record, call, renew_answered), name, lease_id,
                             timeout_ms);
}

static enum status release(struct lease_store *base, struct lease_store_call *call,
                           const char *name, const char *lease_id, int64_t timeout_ms) {
    struct load *load = (struct load *)base;
    struct lease_store *inner = &load->blob_store.base;
    load->releases_sent++;
    return inner->ops->release(inner, call, name, lease_id, timeout_ms);
}

/* --- what the owners are told --- */

static void on_renewal_failed(void *context, const struct leasehold_event *event) {
    struct load *load = context;
    (void)event;
    load->failed++;
}

static void on_lost(void *context, const struct leasehold_event *event) {
    struct load *load = context;
    (void)event;
    load->lost++;
}

/* --- what the system says of this process --- */

/* "VmRSS:" (in KiB), "Threads:", ... of /proc/self/status. */
static int64_t status_number(const char *name) {
    FILE *file = fopen("/proc/self/status", "re");
    ck_assert_ptr_nonnull(file);
    char line[256];
    int64_t number = -1;
    while (number < 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            number = strtoll(line + strlen(name), NULL, 10);
        }
    }
    fclose(file);
    ck_assert_msg(number >= 0, "/proc/self/status has no %s", name);
    return number;
}

/* From now on VmHWM is the peak since now. */
static void reset_peak_rss(void) {
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    ck_assert_msg(fd >= 0 && write(fd, "5", 1) == 1,
                  "the peak of the resident set cannot be reset");
    close(fd);
}

static int64_t heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

bool lease_load_measures_memory(void) {
    int64_t before = heap_bytes();
    char *volatile block = malloc(4096);
    ck_assert_ptr_nonnull(block);
    bool visible = heap_bytes() >= before + 4096;
    free(block);
    return visible;
}

static int64_t cpu_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* --- the phases --- */

struct acquirer {
    pthread_t thread;
    struct load *load;
    enum status status;
    struct error err;
};

static enum status acquire_one(struct load *load, int index, struct error *err) {
    char name[NAME_BYTES];
    name_lease(index, name);
    struct leasehold_request request = {
        .name = name,
        .listener = {.renewal_failed = on_renewal_failed, .lost = on_lost, .context = load}};
    return lease_manager_acquire(load->manager, &request, &load->records[index].lease, err);
}

static void *acquire_some(void *context) {
    struct acquirer *acquirer = context;
    struct load *load = acquirer->load;
    int index;
    while (acquirer->status == STATUS_OK && (index = load->next++) < load->options->leases) {
        acquirer->status = acquire_one(load, index, &acquirer->err);
    }
    return NULL;
}

/*
 * What is needed once, whatever the number of leases, is there afterwards: code, a connection, the
 * container.
 */
static void acquire_first(struct load *load) {
    struct error err;
    enum status status = acquire_one(load, load->next++, &err);
    ck_assert_msg(status == STATUS_OK, "acquiring: %s", status == STATUS_OK ? "" : err.message);
}

static void acquire_rest(struct load *load) {
    static struct acquirer acquirers[MAX_ACQUIRERS];
    int count = load->options->leases / LEASES_PER_ACQUIRER + 1;
    count = count < MAX_ACQUIRERS ? count : MAX_ACQUIRERS;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, ACQUIRER_STACK_BYTES);
    for (int i = 0; i < count; i++) {
        acquirers[i] = (struct acquirer){.load = load, .status = STATUS_OK};
        ck_assert_int_eq(
            pthread_create(&acquirers[i].thread, &attributes, acquire_some, &acquirers[i]), 0);
    }
    pthread_attr_destroy(&attributes);
    for (int i = 0; i < count; i++) {
        pthread_join(acquirers[i].thread, NULL);
    }
    for (int i = 0; i < count; i++) {
        ck_assert_msg(acquirers[i].status == STATUS_OK, "acquiring: %s", acquirers[i].err.message);
    }
}

/* Stops this process, by a child that lets it go on again. */
static pid_t stop_for(int64_t ms) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        kill(parent, SIGSTOP);
        pause_ms(ms);
        kill(parent, SIGCONT);
        _exit(0);
    }
    ck_assert_int_gt(child, 0);
    return child;
}

static void look_around(struct lease_load_figures *out, int64_t heap_before) {
    int64_t threads = status_number("Threads:");
    double heap = (double)(heap_bytes() - heap_before) / out->leases;
    out->threads = threads > out->threads ? (int)threads : out->threads;
    out->heap_bytes = heap > out->heap_bytes ? heap : out->heap_bytes;
}

static void renew_all(struct load *load, struct lease_load_figures *out, int64_t heap_before) {
    const struct lease_load_options *options = load->options;
    int64_t begun_ms = now_ms(), cpu_before_us = cpu_us();
    int64_t stop_at_ms = begun_ms + load->interval_ms;
    int64_t deadline_ms =
        begun_ms + options->periods * load->interval_ms + INT64_C(1000) * options->duration_s;
    pid_t stopper = 0;
    load->phase = RENEWING;
    while (load->complete < options->leases && now_ms() < deadline_ms) {
        if (options->stop_ms > 0 && stopper == 0 && now_ms() >= stop_at_ms) {
            stopper = stop_for(options->stop_ms);
        }
        look_around(out, heap_before);
        pause_ms(LOOK_MS);
    }
    load->phase = CLOSING;
    int64_t ended_ms = now_ms();
    out->cpu_us = (double)(cpu_us() - cpu_before_us) / (double)load->renewals;
    out->renewing_ms = ended_ms - begun_ms;
    for (int i = 0; i < options->leases; i++) {
        int64_t late_ms = ended_ms - load->records[i].due_ms - load->delay_ms;
        if (late_ms > 0) {
            note_late(load, late_ms);
        }
    }
    if (stopper > 0) {
        waitpid(stopper, NULL, 0);
    }
}

/* As main does it: what close has left in flight is answered when the transport is freed. */
static void close_all(struct load *load, struct lease_load_figures *out) {
    int64_t begun_ms = now_ms();
    out->unreleased = lease_manager_close(load->manager, begun_ms + CLOSE_TIMEOUT_MS);
    out->closing_ms = now_ms() - begun_ms;
    for (int i = 0; i < load->options->leases; i++) {
        lease_manager_release(load->manager, load->records[i].lease);
    }
}

/* --- all of it --- */

static void open_load(struct load *load, const struct lease_load_options *options) {
    static const struct lease_store_ops ops = {
        .acquire = acquire, .renew = renew, .release = release};
    *load = (struct load){.base = {&ops}, .options = options};
    load->delay_ms = options->store != NULL ? options->store->delay_ms : 0;
    load->lease_options = lease_options_default();
    load->lease_options.duration_s = options->duration_s;
    load->interval_ms = (int64_t)(options->duration_s * 1000 * options->renew_fraction);
    load->lease_options.renew_interval_ms = load->interval_ms;
    load->records = calloc((size_t)options->leases, sizeof *load->records);
    load->late = calloc(LATE_BUCKETS, sizeof *load->late);
    ck_assert(load->records != NULL && load->late != NULL);
    memset(load->late, 0,
           LATE_BUCKETS *
               sizeof *load->late); /* so that it is in memory before anything is measured */
    for (int i = 0; i < options->leases; i++) {
        load->records[i].load = load;
    }
    storage_connection_open(&load->storage, options->connection_string);
    storage_unique_name(load->container);
    load->lease_options.container = load->container;
    lease_store_blob_init(&load->blob_store, &load->storage.client, &load->lease_options);
    struct error err;
    ck_assert_int_eq(lease_manager_new(&load->manager, &load->lease_options, &load->base,
                                       &load->storage.platform, &err),
                     STATUS_OK);
}

static void release_load(struct load *load) {
    storage_connection_close(&load->storage);
    lease_manager_free(load->manager);
    free(load->late);
    free(load->records);
}

/* The lateness that a share of all renewals keeps to. */
static int late_at(const struct load *load, double share) {
    int64_t all = 0, so_far = 0;
    for (int ms = 0; ms < LATE_BUCKETS; ms++) {
        all += load->late[ms];
    }
    int ms = 0;
    while (ms < LATE_BUCKETS - 1 && (double)(so_far += load->late[ms]) < share * (double)all) {
        ms++;
    }
    return ms;
}

static void sum_up(struct load *load, struct lease_load_figures *out) {
    out->renewals = load->renewals;
    out->failed = load->failed;
    out->lost = load->lost;
    out->unrenewed = load->options->leases - load->complete;
    out->late_p50_ms = late_at(load, 0.5);
    out->late_p99_ms = late_at(load, 0.99);
    out->late_max_ms = late_at(load, 1);
    out->acquires_sent = load->acquires_sent;
    out->renewals_sent = load->renewals_sent;
    out->releases_sent = load->releases_sent;
}

static double peak_rss_bytes(const struct lease_load_figures *figures, int64_t rss_before_kib) {
    return (double)(status_number("VmHWM:") - rss_before_kib) * 1024 / figures->leases;
}

static void hear_store(const struct slow_store *store, struct lease_load_figures *out) {
    if (store != NULL) {
        struct slow_store_stats stats = slow_store_stats(store);
        out->ran_out = stats.leases.ran_out;
        out->connections = stats.connections;
    }
}

void lease_load_run(const struct lease_load_options *options, struct lease_load_figures *out) {
    static struct load load;
    *out = (struct lease_load_figures){.leases = options->leases, .periods = options->periods};
    out->max_late_p99_ms =
        options->max_late_p99_ms > 0 ? options->max_late_p99_ms : LEASE_LOAD_MAX_LATE_P99_MS;
    out->memory_is_measured = lease_load_measures_memory();
    open_load(&load, options);
    out->interval_ms = load.interval_ms;
    acquire_first(&load);
    int64_t heap_before = heap_bytes(), rss_before_kib = status_number("VmRSS:"),
            begun_ms = now_ms();
    acquire_rest(&load);
    out->acquiring_ms = now_ms() - begun_ms;
    reset_peak_rss();
    renew_all(&load, out, heap_before);
    out->rss_bytes = peak_rss_bytes(out, rss_before_kib);
    hear_store(options->store, out);
    reset_peak_rss();
    close_all(&load, out);
    out->closing_rss_bytes = peak_rss_bytes(out, rss_before_kib);
    sum_up(&load, out);
    release_load(&load);
}

/* --- telling --- */

void lease_load_print(FILE *out, const char *title, const struct lease_load_figures *f) {
    fprintf(out, "%s\n", title);
    fprintf(out, "  leases                  %10d        acquired in %.1f s\n", f->leases,
            (double)f->acquiring_ms / 1000);
    fprintf(out, "  renewing                %10.1f s      %d periods of %.1f s\n",
            (double)f->renewing_ms / 1000, f->periods, (double)f->interval_ms / 1000);
    fprintf(out, "  renewals                %10jd        %.0f/s\n", (intmax_t)f->renewals,
            (double)f->renewals * 1000 / (double)f->renewing_ms);
    fprintf(out, "  lost, run out           %10d %6jd limit 0; attempts that failed: %jd\n",
            f->lost, (intmax_t)f->ran_out, (intmax_t)f->failed);
    fprintf(out, "  lateness p50 / p99 / max%10d %6d %6d ms; limit of p99: %d ms\n", f->late_p50_ms,
            f->late_p99_ms, f->late_max_ms, f->max_late_p99_ms);
    fprintf(out, "  threads                 %10d        limit %d\n", f->threads,
            LEASE_LOAD_MAX_THREADS);
    fprintf(out, "  memory a lease, resident%10.0f bytes  limit %d; allocated: %.0f\n",
            f->rss_bytes, LEASE_LOAD_MAX_BYTES_PER_LEASE, f->heap_bytes);
    fprintf(out, "  processor time a renewal%10.0f us\n", f->cpu_us);
    fprintf(out,
            "  closing                 %10.1f s      all released at once, %d were not; "
            "resident: %.0f bytes a lease\n",
            (double)f->closing_ms / 1000, f->unreleased, f->closing_rss_bytes);
    fprintf(out,
            "  requests                             acquire %jd, renew %jd, release %jd; "
            "connections %jd\n",
            (intmax_t)f->acquires_sent, (intmax_t)f->renewals_sent, (intmax_t)f->releases_sent,
            (intmax_t)f->connections);
}

void lease_load_complain(struct strbuf *out, const struct lease_load_figures *f) {
    if (f->lost > 0 || f->ran_out > 0) {
        strbuf_appendf(out, "%d leases were lost and %jd ran out; none may be. ", f->lost,
                       (intmax_t)f->ran_out);
    }
    if (f->unrenewed > 0) {
        strbuf_appendf(out, "%d leases were not renewed %d times. ", f->unrenewed, f->periods);
    }
    if (f->late_p99_ms > f->max_late_p99_ms) {
        strbuf_appendf(out, "The 99th percentile of lateness is %d ms; the limit is %d ms. ",
                       f->late_p99_ms, f->max_late_p99_ms);
    }
    if (f->threads > LEASE_LOAD_MAX_THREADS) {
        strbuf_appendf(out, "There were %d threads; the limit is %d. ", f->threads,
                       LEASE_LOAD_MAX_THREADS);
    }
    if (f->memory_is_measured && f->rss_bytes > LEASE_LOAD_MAX_BYTES_PER_LEASE) {
        strbuf_appendf(out, "A lease takes %.0f bytes; the limit is %d. ", f->rss_bytes,
                       LEASE_LOAD_MAX_BYTES_PER_LEASE);
    }
    if (f->unreleased > 0) {
        strbuf_appendf(out, "%d leases could not be released. ", f->unreleased);
    }
}
