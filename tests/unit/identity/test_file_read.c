/*
 * A file hangs, as on a network share, beside a real event loop. The loop goes on, and signing in
 * can be stopped at once. test_token_source.c tests each kind of file. test_token_fetch.c tests how
 * long a read may take, in virtual time.
 *
 * The program is linked with --wrap=open.
 */
#include "identity/file_read.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/http_transport.h"
#include "http/loop_call.h"
#include "identity/sign_in.h"
#include "support/processes/check_main.h"
#include "support/processes/temp_folder.h"

static struct temp_folder folder;
static char path[128];
static struct http_transport *transport;
static struct platform platform;
static struct error err;

/* ---- the file that hangs ---- */

static sem_t opened, let_go;

/* The names are the linker's: __wrap_open replaces open, and __real_open is the original. */
int open_slowly(const char *name, int flags, ...) __asm__("__wrap_open");
int open_really(const char *name, int flags, ...) __asm__("__real_open");

int open_slowly(const char *name, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (strcmp(name, path) == 0 && (flags & O_CREAT) == 0) {
        sem_post(&opened);
        sem_wait(&let_go);
    }
    return open_really(name, flags, mode);
}

/* ---- steps ---- */

static int count_threads(void) {
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) {
        count += task->d_name[0] != '.';
    }
    closedir(tasks);
    return count;
}

static int threads_with_loop; /* a sanitizer's own come with it */

static void set_up(void) {
    sem_init(&opened, 0, 0);
    sem_init(&let_go, 0, 0);
    temp_folder_make(&folder);
    temp_folder_write(&folder, "file", "ey.federated");
    snprintf(path, sizeof path, "%s/file", folder.path);
    ck_assert_int_eq(http_transport_new(&transport, clock_system(), &err), STATUS_OK);
    platform = http_transport_platform(transport, random_system());
    threads_with_loop = count_threads();
}

/* Waits for the thread's end, as Valgrind would report its memory. The loop is gone by then. */
static void tear_down(void) {
    http_transport_free(transport);
    sem_post(&let_go);
    while (count_threads() >= threads_with_loop) {
        sched_yield();
    }
    temp_folder_remove(&folder);
    sem_destroy(&opened);
    sem_destroy(&let_go);
}

static void end_at_once(void *context) {
    loop_call_end(context);
}

/* This would not return if the loop were blocked. */
static void run_something_else(void) {
    struct loop_call call;
    loop_call_run(&call, platform.loop, end_at_once, &call);
}

/* ---- a read ---- */

struct read_wait {
    struct loop_call call;
    struct file_read read;
    int ends;
    enum status status;
    char text[64];
};

static struct read_wait wait;

static void on_read(void *context, enum status status, struct strbuf *text,
                    const struct error *failure) {
    ck_assert_ptr_eq(context, &wait);
    ck_assert_int_eq(text != NULL, status == STATUS_OK);
    ck_assert_int_eq(failure->status, status);
    wait.ends++;
    wait.status = status;
    snprintf(wait.text, sizeof wait.text, "%s", text != NULL ? text->data : "");
    if (status == STATUS_OK) {
        loop_call_end(&wait.call);
    }
}

static void start_read(void) {
    const struct file_read_options options = {path, sizeof wait.text, 60000};
    ck_assert_int_eq(file_read_start(&wait.read, &platform, &options, on_read, &wait, &err),
                     STATUS_OK);
    ck_assert_int_eq(wait.ends, 0);
}

static void start_and_await(void *unused) {
    (void)unused;
    start_read();
}

static void start_alone(void *unused) {
    (void)unused;
    start_read();
    loop_call_end(&wait.call);
}

static void cancel_read(void *unused) {
    (void)unused;
    file_read_cancel(&wait.read);
    loop_call_end(&wait.call);
}

START_TEST(a_file_is_read) {
    memset(&wait, 0, sizeof wait);
    sem_post(&let_go);
    loop_call_run(&wait.call, platform.loop, start_and_await, NULL);
    ck_assert_int_eq(wait.ends, 1);
    ck_assert_str_eq(wait.text, "ey.federated");
}
END_TEST

START_TEST(a_file_that_hangs_holds_up_neither_the_loop_nor_cancel) {
    memset(&wait, 0, sizeof wait);
    loop_call_run(&wait.call, platform.loop, start_alone, NULL);
    sem_wait(&opened);
    run_something_else();
    ck_assert_int_eq(wait.ends, 0);
    loop_call_run(&wait.call, platform.loop, cancel_read, NULL);
    ck_assert_int_eq(wait.ends, 1);
    ck_assert_int_eq(wait.status, STATUS_CANCELLED);
}
END_TEST

/* ---- signing in ---- */

static void use_workload(struct sign_in_options *options, char *tenant, char *client) {
    options->mode = SIGN_IN_WORKLOAD_IDENTITY;
    options->workload_tenant_id = tenant;
    options->workload_client_id = client;
    options->workload_token_file_path = path;
}

static void use_certificate(struct sign_in_options *options, char *tenant, char *client) {
    options->mode = SIGN_IN_SERVICE_PRINCIPAL;
    options->principal_tenant_id = tenant;
    options->principal_client_id = client;
    options->principal_certificate_path = path;
}

START_TEST(signing_in_with_a_file_that_hangs_is_stopped_at_once) {
    static const struct storage_account account;
    static struct sign_in sign_in;
    static char tenant[] = "tenant", client[] = "client";
    struct sign_in_options options = {.authority = "http://127.0.0.1:1"};
    (_i == 0 ? use_workload : use_certificate)(&options, tenant, client);
    ck_assert_int_eq(sign_in_start(&sign_in, &account, &options, &platform, &err), STATUS_OK);
    sem_wait(&opened);
    run_something_else();
    sign_in_stop(&sign_in);
    sign_in_cleanup(&sign_in);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("file_read");
    TCase *tcase = tcase_create("file_read");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, a_file_is_read);
    tcase_add_test(tcase, a_file_that_hangs_holds_up_neither_the_loop_nor_cancel);
    tcase_add_loop_test(tcase, signing_in_with_a_file_that_hangs_is_stopped_at_once, 0, 2);
    suite_add_tcase(suite, tcase);
    return check_main(suite);
}
