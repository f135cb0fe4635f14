#include "support/proxies/fault_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/condition.h"
#include "support/proxies/fault_connection.h"

enum { WAIT_MS = 100000 };

struct fault_proxy {
    struct fault_hub hub; /* its lock guards the list as well */
    struct fault_connection *connections;
    int listen_fd;
    int port;
    pthread_t thread;
};

/* --- connections --- */

/*
 * Takes the connections that have ended out of the list; all of them, waiting for their end, if
 * `all`.
 */
static void reap(struct fault_proxy *proxy, bool all) {
    struct fault_connection *reaped = NULL;
    pthread_mutex_lock(&proxy->hub.lock);
    for (struct fault_connection **link = &proxy->connections; *link != NULL;) {
        struct fault_connection *connection = *link;
        if (!all && !connection->ended) {
            link = &connection->next;
            continue;
        }
        *link = connection->next;
        connection->next = reaped;
        reaped = connection;
    }
    pthread_mutex_unlock(&proxy->hub.lock);
    while (reaped != NULL) {
        struct fault_connection *next = reaped->next;
        fault_connection_free(reaped);
        reaped = next;
    }
}

static bool is_stopping(struct fault_proxy *proxy) {
    pthread_mutex_lock(&proxy->hub.lock);
    bool stopping = proxy->hub.stopping;
    pthread_mutex_unlock(&proxy->hub.lock);
    return stopping;
}

static void *accept_main(void *context) {
    struct fault_proxy *proxy = context;
    for (;;) {
        int fd = accept4(proxy->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (is_stopping(proxy)) {
            if (fd >= 0) {
                close(fd);
            }
            return NULL;
        }
        fault_need(fd >= 0, "accept4");
        reap(proxy, false);
        pthread_mutex_lock(&proxy->hub.lock);
        struct fault_connection *connection = fault_connection_open(&proxy->hub, fd);
        connection->next = proxy->connections;
        proxy->connections = connection;
        pthread_mutex_unlock(&proxy->hub.lock);
    }
}

/* --- the proxy --- */

static void listen_somewhere(struct fault_proxy *proxy) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    proxy->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fault_need(proxy->listen_fd >= 0, "socket");
    fault_need(bind(proxy->listen_fd, (struct sockaddr *)&address, size) == 0, "bind");
    fault_need(listen(proxy->listen_fd, SOMAXCONN) == 0, "listen");
    fault_need(getsockname(proxy->listen_fd, (struct sockaddr *)&address, &size) == 0,
               "getsockname");
    proxy->port = ntohs(address.sin_port);
}

struct fault_proxy *fault_proxy_new(int upstream_port, uint64_t seed) {
    struct fault_proxy *proxy = calloc(1, sizeof *proxy);
    fault_need(proxy != NULL, "calloc");
    fault_need(fault_rules_init(&proxy->hub.rules, seed), "calloc");
    proxy->hub.upstream_port = upstream_port;
    condition_init(&proxy->hub.changed);
    pthread_mutex_init(&proxy->hub.lock, NULL);
    listen_somewhere(proxy);
    fault_need(pthread_create(&proxy->thread, NULL, accept_main, proxy) == 0, "pthread_create");
    return proxy;
}

void fault_proxy_free(struct fault_proxy *proxy) {
    if (proxy == NULL) {
        return;
    }
    pthread_mutex_lock(&proxy->hub.lock);
    proxy->hub.stopping = true;
    pthread_cond_broadcast(&proxy->hub.changed);
    pthread_mutex_unlock(&proxy->hub.lock);
    shutdown(proxy->listen_fd, SHUT_RDWR);
    pthread_join(proxy->thread, NULL);
    pthread_mutex_lock(&proxy->hub.lock);
    for (struct fault_connection *connection = proxy->connections; connection != NULL;
         connection = connection->next) {
        fault_connection_end(connection);
    }
    pthread_mutex_unlock(&proxy->hub.lock);
    reap(proxy, true);
    close(proxy->listen_fd);
    fault_rules_cleanup(&proxy->hub.rules);
    pthread_cond_destroy(&proxy->hub.changed);
    pthread_mutex_destroy(&proxy->hub.lock);
    free(proxy);
}

int fault_proxy_port(const struct fault_proxy *proxy) {
    return proxy->port;
}

int fault_proxy_add(struct fault_proxy *proxy, const struct fault_rule *rule) {
    pthread_mutex_lock(&proxy->hub.lock);
    int id = fault_rules_add(&proxy->hub.rules, rule);
    pthread_mutex_unlock(&proxy->hub.lock);
    fault_need(id != 0, "no memory for a rule");
    return id;
}

void fault_proxy_clear(struct fault_proxy *proxy) {
    pthread_mutex_lock(&proxy->hub.lock);
    fault_rules_clear(&proxy->hub.rules);
    pthread_mutex_unlock(&proxy->hub.lock);
}

void fault_proxy_let_go(struct fault_proxy *proxy) {
    pthread_mutex_lock(&proxy->hub.lock);
    proxy->hub.let_go_count++;
    pthread_cond_broadcast(&proxy->hub.changed);
    pthread_mutex_unlock(&proxy->hub.lock);
}

int fault_proxy_close_idle(struct fault_proxy *proxy) {
    int count = 0;
    pthread_mutex_lock(&proxy->hub.lock);
    for (struct fault_connection *connection = proxy->connections; connection != NULL;
         connection = connection->next) {
        count += fault_connection_close_idle(connection);
    }
    pthread_mutex_unlock(&proxy->hub.lock);
    return count;
}

int fault_proxy_applied(struct fault_proxy *proxy, int rule) {
    pthread_mutex_lock(&proxy->hub.lock);
    int applied = fault_rules_applied(&proxy->hub.rules, rule);
    pthread_mutex_unlock(&proxy->hub.lock);
    fault_need(applied >= 0, "there is no such rule");
    return applied;
}

void fault_proxy_await(struct fault_proxy *proxy, int rule, int count) {
    struct timespec until = condition_deadline(WAIT_MS);
    bool in_time = true;
    pthread_mutex_lock(&proxy->hub.lock);
    while (fault_rules_applied(&proxy->hub.rules, rule) < count && in_time) {
        in_time = condition_wait_until(&proxy->hub.changed, &proxy->hub.lock, &until);
    }
    pthread_mutex_unlock(&proxy->hub.lock);
    fault_need(in_time, "a rule was not applied as often as awaited");
}

int fault_proxy_applied_kind(struct fault_proxy *proxy, enum fault_kind kind) {
    pthread_mutex_lock(&proxy->hub.lock);
    int count = proxy->hub.rules.counts[kind];
    pthread_mutex_unlock(&proxy->hub.lock);
    return count;
}

const char *fault_proxy_kind_name(enum fault_kind kind) {
    static const char *const names[] = {
#define FAULT_NAME(name, text) text,
        FAULT_TABLE(FAULT_NAME)
#undef FAULT_NAME
    };
    return names[kind];
}

size_t fault_proxy_seen(struct fault_proxy *proxy) {
    pthread_mutex_lock(&proxy->hub.lock);
    size_t seen = proxy->hub.rules.seen;
    pthread_mutex_unlock(&proxy->hub.lock);
    return seen;
}

size_t fault_proxy_requests(struct fault_proxy *proxy, const struct fault_rule *like,
                            struct fault_request *out, size_t max) {
    pthread_mutex_lock(&proxy->hub.lock);
    size_t count = fault_rules_requests(&proxy->hub.rules, like, out, max);
    pthread_mutex_unlock(&proxy->hub.lock);
    return count;
}
