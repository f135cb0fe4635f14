/* free_port: its ports are free, below the kernel's own, and not given out twice. */
#include "devhost/free_port.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/processes/check_main.h"
#include "support/processes/descriptors.h"

enum { FEW = 8, MANY = 500, EACH_THREAD = 4000, THREADS = 4, PROCESSES = 4 };

/* A socket that listens there; -1: it cannot. */
static int listen_on(in_addr_t host, int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((in_port_t)port), .sin_addr.s_addr = htonl(host)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int by_number(const void *left, const void *right) {
    return *(const int *)left - *(const int *)right;
}

static void assert_all_differ(int *ports, size_t count) {
    qsort(ports, count, sizeof *ports, by_number);
    ck_assert_int_gt(ports[0], 0);
    for (size_t i = 1; i < count; i++) {
        ck_assert_int_ne(ports[i - 1], ports[i]);
    }
}

START_TEST(a_port_can_be_listened_on) {
    for (int i = 0; i < FEW; i++) {
        int fd = listen_on(INADDR_LOOPBACK, free_port_find());
        ck_assert_int_ge(fd, 0);
        close(fd);
    }
}
END_TEST

START_TEST(a_port_lies_below_those_that_the_kernel_gives_to_connections) {
    int first = 0;
    FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    ck_assert_ptr_nonnull(range);
    ck_assert_int_eq(fscanf(range, "%d", &first), 1);
    fclose(range);
    for (int i = 0; i < MANY; i++) {
        int port = free_port_find();
        ck_assert_int_ge(port, 1024);
        ck_assert_int_lt(port, first);
    }
}
END_TEST

/* A process searches upwards, so these would be its next. */
START_TEST(a_port_that_somebody_listens_on_is_passed_over) {
    static const in_addr_t hosts[] = {INADDR_LOOPBACK, INADDR_ANY};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        int taken = free_port_find() + 1;
        int fd = listen_on(hosts[i], taken);
        ck_assert_int_ne(free_port_find(), taken);
        if (fd >= 0) {
            close(fd);
        }
    }
}
END_TEST

START_TEST(two_calls_do_not_get_the_same_port) {
    int ports[MANY];
    for (int i = 0; i < MANY; i++) {
        ports[i] = free_port_find();
    }
    assert_all_differ(ports, MANY);
}
END_TEST

static pthread_barrier_t barrier;

static void *find_ports(void *out_ports) {
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < EACH_THREAD; i++) {
        ((int *)out_ports)[i] = free_port_find();
    }
    return NULL;
}

START_TEST(two_threads_do_not_get_the_same_port) {
    static int ports[THREADS][EACH_THREAD];
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, find_ports, ports[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
    assert_all_differ(&ports[0][0], (size_t)THREADS * EACH_THREAD);
}
END_TEST

/* Each has found as many before. */
START_TEST(processes_that_start_together_do_not_get_the_same_port) {
    int ends[2], ports[PROCESSES];
    ck_assert_int_eq(pipe(ends), 0);
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            int port = free_port_find();
            _exit(write(ends[1], &port, sizeof port) == sizeof port ? 0 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        ck_assert_int_eq(read(ends[0], &ports[i], sizeof ports[i]), sizeof ports[i]);
        wait(NULL);
    }
    close(ends[0]);
    close(ends[1]);
    assert_all_differ(ports, PROCESSES);
}
END_TEST

START_TEST(where_nothing_can_be_bound_there_is_no_port) {
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int port = free_port_find();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(port, 0);
}
END_TEST

START_TEST(no_descriptor_stays_open) {
    static struct descriptors before, after;
    descriptors_list(&before);
    for (int i = 0; i < FEW; i++) {
        ck_assert_int_gt(free_port_find(), 0);
    }
    descriptors_list(&after);
    ck_assert_mem_eq(&after, &before, sizeof before);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("free_port");
    TCase *tests = tcase_create("free_port");
    tcase_add_test(tests, a_port_can_be_listened_on);
    tcase_add_test(tests, a_port_lies_below_those_that_the_kernel_gives_to_connections);
    tcase_add_test(tests, a_port_that_somebody_listens_on_is_passed_over);
    tcase_add_test(tests, two_calls_do_not_get_the_same_port);
    tcase_add_test(tests, two_threads_do_not_get_the_same_port);
    tcase_add_test(tests, processes_that_start_together_do_not_get_the_same_port);
    tcase_add_test(tests, where_nothing_can_be_bound_there_is_no_port);
    tcase_add_test(tests, no_descriptor_stays_open);
    suite_add_tcase(suite, tests);
    return check_main(suite);
}
