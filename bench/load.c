/*
 * load.c - callers that each wait for their answer before they ask again, from one thread, on kept
 * connections.
 *
 *     load --ports P[,P] [--clients N] [--products K] [--get[=QUERY]] [--confirm PERCENT]
 *          [--release PERCENT] [--first N] [--touch] [--warm-ms MS] [--run-ms MS] [--think-ms MS]
 *          [--seed S]
 *
 * Client i stays with port i modulo their count, and reserves one unit of a product drawn at
 * random: P0000, P0001, ... With --get it reads instead. With --confirm and --release it confirms
 * or releases one of its own reservations in so many of a hundred calls, as far as it has any.
 * Before anything is measured each product is reserved once (--touch), or N units are (--first N).
 * Writes "begin" and "end" to stdout as the measured time begins and ends, so that a driver can
 * take readings of its own, and then one line of JSON. What is under way at the end is waited for,
 * so that the units that were answered 200 are known to the last one. An answer counts as unknown
 * if a change may stand behind it all the same: a connection that ended, a 500, a 503.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_PORTS = 16,
    BUFFER_BYTES = 64 * 1024,
    MAX_EVENTS = 256,
    DRAIN_US = 20 * 1000 * 1000,
    TICK_US = 20 * 1000,
    HELD_BY_CLIENT = 64,
    ID_BYTES = 64,
};

enum action { RESERVE, READ, CONFIRM, RELEASE };

/* A reservation that a client may confirm or release. */
struct held {
    int64_t product;
    char id[ID_BYTES];
};

struct client {
    int fd, port, index;
    bool is_busy;
    enum action action;  /* of the request under way */
    struct held subject; /* what the request under way is about; no id in a reserve or read */
    struct held held[HELD_BY_CLIENT];
    int held_count;
    uint64_t random;
    int64_t sent_us, wake_us;
    int status;
    bool must_close;
    size_t got, needed; /* of the answer; needed is 0 until its head is there */
    size_t head;        /* bytes of its head */
    char *answer;       /* BUFFER_BYTES */
};

struct port {
    int number;
    int64_t answered, longest_us; /* in the measured time */
};

static struct {
    struct port ports[MAX_PORTS];
    int port_count, client_count, product_count;
    bool reads, touches;
    const char *query; /* of reads, with its question mark; "" for none */
    unsigned confirm_percent, release_percent;
    int64_t first, warm_us, run_us, think_us;
    uint64_t seed;
} options = {.client_count = 64,
             .product_count = 1,
             .query = "",
             .warm_us = 1000000,
             .run_us = 4000000,
             .seed = 1};

enum phase { FILLING, WARMING, MEASURING, DRAINING };

static struct {
    enum phase phase;
    int64_t changed_us; /* when the phase began */
    int epoll_fd;
    int64_t fills_sent, fills_done;
    int64_t units[RELEASE + 1];        /* in all: reserved, -, confirmed, released */
    int64_t unknown, closed;           /* in all */
    int64_t measured, refused, failed; /* in the measured time: 200, 409, others */
    uint32_t *latencies_us;
    size_t latency_capacity;
    int64_t measured_us;
} run;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint64_t draw(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* ---- what was answered ---- */

static void note_latency(int64_t latency_us) {
    if ((size_t)run.measured == run.latency_capacity) {
        run.latency_capacity = run.latency_capacity == 0 ? 1 << 16 : run.latency_capacity * 2;
        run.latencies_us =
            realloc(run.latencies_us, run.latency_capacity * sizeof *run.latencies_us);
        if (run.latencies_us == NULL) {
            die("load: memory");
        }
    }
    run.latencies_us[run.measured++] = latency_us > UINT32_MAX ? UINT32_MAX : (uint32_t)latency_us;
}

static void measure(const struct client *client, int64_t latency_us) {
    struct port *port = &options.ports[client->port];
    port->longest_us = latency_us > port->longest_us ? latency_us : port->longest_us;
    if (client->status == 200) {
        port->answered++;
        note_latency(latency_us);
    } else if (client->status == 409) {
        run.refused++;
    } else {
        run.failed++;
    }
}

/* Keeps the reservation that was made, if there is room for it. */
static void hold(struct client *client) {
    static const char name[] = "\"reservationId\":\"";
    client->answer[client->got] = '\0';
    char *id = strstr(client->answer + client->head, name);
    if (id == NULL || client->held_count == HELD_BY_CLIENT) {
        return;
    }
    struct held *held = &client->held[client->held_count++];
    held->product = client->subject.product;
    id += strlen(name);
    snprintf(held->id, sizeof held->id, "%.*s", (int)strcspn(id, "\""), id);
}

static void finish(struct client *client) {
    int64_t now = now_us();
    client->is_busy = false;
    client->wake_us = now + options.think_us;
    if (client->action == RESERVE && client->status == 200) {
        hold(client);
    }
    if (client->action != READ) {
        run.units[client->action] += client->status == 200;
        run.unknown += client->status == 0 || client->status == 500 || client->status == 503;
    }
    if (run.phase == FILLING) {
        run.fills_done++;
        client->wake_us = now;
    } else if (run.phase == MEASURING) {
        measure(client, now - client->sent_us);
    }
}

/* ---- connections ---- */

static void open_connection(struct client *client) {
    int yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)options.ports[client->port].number),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("load: connecting");
    }
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(run.epoll_fd, EPOLL_CTL_ADD, client->fd, &event);
}

static void reopen(struct client *client) {
    close(client->fd);
    run.closed++;
    open_connection(client);
}

static enum action draw_action(struct client *client) {
    if (run.phase == FILLING) {
        return RESERVE;
    }
    if (options.reads) {
        return READ;
    }
    if (client->held_count == 0 || options.confirm_percent + options.release_percent == 0) {
        return RESERVE;
    }
    unsigned percent = (unsigned)(draw(&client->random) % 100);
    if (percent < options.confirm_percent) {
        return CONFIRM;
    }
    return percent < options.confirm_percent + options.release_percent ? RELEASE : RESERVE;
}

/* Chooses a product, or takes one of the client's reservations at random. */
static void choose_subject(struct client *client) {
    if (client->action == CONFIRM || client->action == RELEASE) {
        struct held *chosen = &client->held[draw(&client->random) % (uint64_t)client->held_count];
        client->subject = *chosen;
        *chosen = client->held[--client->held_count];
        return;
    }
    bool fills = run.phase == FILLING;
    client->subject.product =
        fills && options.touches
            ? run.fills_sent
            : (int64_t)(draw(&client->random) % (uint64_t)options.product_count);
    run.fills_sent += fills;
}

/* Every reservation is of one unit. */
static int write_request(const struct client *client, char *out, size_t size) {
    const struct held *subject = &client->subject;
    char path[256] = "reserve", body[192] = "";
    int length = 0;
    switch (client->action) {
    case READ:
        return snprintf(out, size,
                        "GET /api/inventory/P%04lld%s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                        (long long)subject->product, options.query);
    case RESERVE:
        length = snprintf(body, sizeof body, "{\"quantity\":1,\"customerId\":\"CUST-%d\"}",
                          client->index);
        break;
    case CONFIRM:
        snprintf(path, sizeof path, "reservations/%s/confirm", subject->id);
        break;
    case RELEASE:
        snprintf(path, sizeof path, "release");
        length = snprintf(body, sizeof body,
                          "{\"quantity\":1,\"customerId\":\"CUST-%d\",\"reservationId\":\"%s\"}",
                          client->index, subject->id);
        break;
    }
    return snprintf(out, size,
                    "POST /api/inventory/P%04lld/%s HTTP/1.1\r\nHost: localhost\r\n"
                    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                    (long long)subject->product, path, length, body);
}

static void ask(struct client *client) {
    char request[1024];
    client->action = draw_action(client);
    choose_subject(client);
    size_t length = (size_t)write_request(client, request, sizeof request);
    client->got = client->needed = client->head = 0;
    client->is_busy = true;
    client->sent_us = now_us();
    if (send(client->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) {
        client->status = 0; /* the handler has ended the connection */
        finish(client);
        reopen(client);
    }
}

/* False: there is more to come. */
static bool read_head(struct client *client) {
    client->answer[client->got] = '\0';
    char *end = strstr(client->answer, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    *end = '\0';
    const char *length = strcasestr(client->answer, "\r\nContent-Length:");
    if (length == NULL) {
        fprintf(stderr, "load: an answer without a length: %s\n", client->answer);
        exit(1);
    }
    client->status = (int)strtol(client->answer + strlen("HTTP/1.1 "), NULL, 10);
    client->must_close = strcasestr(client->answer, "\r\nConnection: close") != NULL;
    client->head = (size_t)(end + 4 - client->answer);
    client->needed = client->head + strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    return true;
}

/* Long bodies are counted, not kept. */
static void receive(struct client *client) {
    for (;;) {
        size_t at =
            client->got < BUFFER_BYTES / 2 || client->needed == 0 ? client->got : BUFFER_BYTES / 2;
        ssize_t count = recv(client->fd, client->answer + at, BUFFER_BYTES - 1 - at, 0);
        if (count < 0 && errno == EAGAIN) {
            return;
        }
        if (count <= 0) {
            if (client->is_busy) {
                client->status = 0;
                finish(client);
            }
            reopen(client);
            return;
        }
        client->got += (size_t)count;
        if (client->needed == 0 && !read_head(client)) {
            continue;
        }
        if (client->got >= client->needed) {
            finish(client);
            if (client->must_close) {
                reopen(client);
            }
            return;
        }
    }
}

/* ---- phases ---- */

static void enter(enum phase phase, int64_t now) {
    static const char *const words[] = {[MEASURING] = "begin", [DRAINING] = "end"};
    run.phase = phase;
    run.changed_us = now;
    if (phase >= MEASURING) {
        puts(words[phase]);
        fflush(stdout);
    }
}

static void advance(int64_t now, int busy) {
    if (run.phase == FILLING && run.fills_done >= options.first && busy == 0) {
        enter(WARMING, now);
    }
    if (run.phase == WARMING && now - run.changed_us >= options.warm_us) {
        enter(MEASURING, now);
    } else if (run.phase == MEASURING && now - run.changed_us >= options.run_us) {
        run.measured_us = now - run.changed_us;
        enter(DRAINING, now);
    }
}

static bool may_ask(const struct client *client, int64_t now) {
    return !client->is_busy && client->wake_us <= now && run.phase != DRAINING &&
           (run.phase != FILLING || run.fills_sent < options.first);
}

static void loop(struct client *clients) {
    for (int busy = 0; run.phase != DRAINING || busy > 0;) {
        int64_t now = now_us(), next_us = now + TICK_US;
        advance(now, busy);
        busy = 0;
        for (int i = 0; i < options.client_count; i++) {
            if (may_ask(&clients[i], now)) {
                ask(&clients[i]);
            }
            busy += clients[i].is_busy;
            if (!clients[i].is_busy && clients[i].wake_us > now && clients[i].wake_us < next_us) {
                next_us = clients[i].wake_us;
            }
        }
        if (run.phase == DRAINING && now - run.changed_us > DRAIN_US) {
            run.unknown += busy;
            return;
        }
        struct epoll_event events[MAX_EVENTS];
        struct timespec left = {.tv_nsec = (next_us - now) * 1000};
        int count = epoll_pwait2(run.epoll_fd, events, MAX_EVENTS, &left, NULL);
        for (int i = 0; i < count; i++) {
            receive(events[i].data.ptr);
        }
    }
}

/* ---- the result ---- */

static int by_size(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double percentile_ms(double share) {
    return run.measured == 0
               ? 0
               : run.latencies_us[(size_t)(share * (double)(run.measured - 1) + 0.5)] / 1000.0;
}

static void report(void) {
    if (run.measured > 0) {
        qsort(run.latencies_us, (size_t)run.measured, sizeof *run.latencies_us, by_size);
    }
    printf("{\"seconds\":%.6f,\"answered\":%lld,\"refused\":%lld,\"failed\":%lld,"
           "\"reserved\":%lld,\"confirmed\":%lld,\"released\":%lld,\"unknown\":%lld,"
           "\"closed\":%lld,\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_"
           "ms\":%.3f,\"ports\":[",
           (double)run.measured_us / 1e6, (long long)run.measured, (long long)run.refused,
           (long long)run.failed, (long long)run.units[RESERVE], (long long)run.units[CONFIRM],
           (long long)run.units[RELEASE], (long long)run.unknown, (long long)run.closed,
           percentile_ms(0.5), percentile_ms(0.9), percentile_ms(0.99), percentile_ms(0.999),
           percentile_ms(1));
    for (int i = 0; i < options.port_count; i++) {
        printf("%s{\"answered\":%lld,\"longest_ms\":%.3f}", i == 0 ? "" : ",",
               (long long)options.ports[i].answered, (double)options.ports[i].longest_us / 1000.0);
    }
    puts("]}");
}

/* ---- options ---- */

static void read_ports(char *text) {
    for (char *rest = text, *port;
         (port = strsep(&rest, ",")) != NULL && options.port_count < MAX_PORTS;) {
        options.ports[options.port_count++].number = (int)strtol(port, NULL, 10);
    }
}

/* Returns false if there is no such option. */
static bool set_option(int option, const char *text, long long number) {
    switch (option) {
    case 'g':
        options.reads = true;
        options.query = text == NULL ? "" : text;
        return true;
    case 't':
        options.touches = true;
        return true;
    case 'c':
        options.client_count = (int)number;
        return true;
    case 'k':
        options.product_count = (int)number;
        return true;
    case 'C':
        options.confirm_percent = (unsigned)number;
        return true;
    case 'R':
        options.release_percent = (unsigned)number;
        return true;
    case 'f':
        options.first = number;
        return true;
    case 'w':
        options.warm_us = number * 1000;
        return true;
    case 'r':
        options.run_us = number * 1000;
        return true;
    case 'i':
        options.think_us = number * 1000;
        return true;
    case 's':
        options.seed = (uint64_t)number;
        return true;
    default:
        return false;
    }
}

static void read_options(int argc, char **argv) {
    static const struct option names[] = {{"ports", required_argument, NULL, 'p'},
                                          {"clients", required_argument, NULL, 'c'},
                                          {"products", required_argument, NULL, 'k'},
                                          {"get", optional_argument, NULL, 'g'},
                                          {"confirm", required_argument, NULL, 'C'},
                                          {"release", required_argument, NULL, 'R'},
                                          {"first", required_argument, NULL, 'f'},
                                          {"touch", no_argument, NULL, 't'},
                                          {"warm-ms", required_argument, NULL, 'w'},
                                          {"run-ms", required_argument, NULL, 'r'},
                                          {"think-ms", required_argument, NULL, 'i'},
                                          {"seed", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (option == 'p') {
            read_ports(optarg);
        } else if (!set_option(option, optarg, optarg == NULL ? 0 : strtoll(optarg, NULL, 10))) {
            exit(64);
        }
    }
    if (options.port_count == 0 || options.client_count < 1 || options.product_count < 1) {
        fputs("load: --ports is missing, or a number is too small\n", stderr);
        exit(64);
    }
    if (options.touches) {
        options.first = options.product_count;
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    run.epoll_fd = epoll_create1(0);
    struct client *clients = calloc((size_t)options.client_count, sizeof *clients);
    if (clients == NULL) {
        die("load: memory");
    }
    for (int i = 0; i < options.client_count; i++) {
        clients[i].index = i;
        clients[i].port = i % options.port_count;
        clients[i].random = (options.seed * 1000003 + (uint64_t)i + 1) * 0x9E3779B97F4A7C15U;
        for (int k = 0; k < 8; k++) {
            draw(&clients[i].random);
        }
        clients[i].answer = malloc(BUFFER_BYTES);
        if (clients[i].answer == NULL) {
            die("load: memory");
        }
        open_connection(&clients[i]);
    }
    enter(FILLING, now_us());
    loop(clients);
    report();
    for (int i = 0; i < options.client_count; i++) {
        free(clients[i].answer);
    }
    free(clients);
    free(run.latencies_us);
    return 0;
}
