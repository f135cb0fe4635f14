#include "support/fakes/tls_server.h"

#include <check.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_TIMEOUT_S = 5, HEAD_BYTES = 16 * 1024 };

struct tls_server {
    SSL_CTX *context;
    int listen_fd;
    int port;
    pthread_t thread;
    pthread_mutex_t lock; /* guards counts */
    struct tls_server_counts counts;
};

static void add(struct tls_server *server, int connections, int handshakes, size_t bytes) {
    pthread_mutex_lock(&server->lock);
    server->counts.connections += connections;
    server->counts.handshakes += handshakes;
    server->counts.bytes += bytes;
    pthread_mutex_unlock(&server->lock);
}

static void answer(struct tls_server *server, SSL *ssl) {
    static const char text[] =
        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    char head[HEAD_BYTES + 1] = "";
    size_t length = 0;
    while (strstr(head, "\r\n\r\n") == NULL && length < HEAD_BYTES) {
        int got = SSL_read(ssl, head + length, (int)(HEAD_BYTES - length));
        if (got <= 0) {
            return;
        }
        length += (size_t)got;
        head[length] = '\0';
        add(server, 0, 0, (size_t)got);
    }
    SSL_write(ssl, text, sizeof text - 1);
    SSL_shutdown(ssl);
}

static void serve(struct tls_server *server, int fd) {
    const struct timeval timeout = {.tv_sec = CLIENT_TIMEOUT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    add(server, 1, 0, 0);
    SSL *ssl = SSL_new(server->context);
    ck_assert(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
    /*
     * From TLS 1.3 on the server is done before the client has judged its certificate: who sends
     * something has taken it.
     */
    char first;
    if (SSL_accept(ssl) == 1 && SSL_peek(ssl, &first, 1) == 1) {
        add(server, 0, 1, 0);
        answer(server, ssl);
    }
    SSL_free(ssl);
    close(fd);
}

static void *run(void *user) {
    struct tls_server *server = user;
    int fd;
    while ((fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        serve(server, fd);
    }
    return NULL;
}

static void listen_somewhere(struct tls_server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(server->listen_fd >= 0 &&
              bind(server->listen_fd, (struct sockaddr *)&address, size) == 0 &&
              listen(server->listen_fd, SOMAXCONN) == 0 &&
              getsockname(server->listen_fd, (struct sockaddr *)&address, &size) == 0);
    server->port = ntohs(address.sin_port);
}

static SSL_CTX *make_context(const struct certificate_files *files, bool only_tls_1_1) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    ck_assert(context != NULL &&
              SSL_CTX_use_certificate_file(context, files->certificate, SSL_FILETYPE_PEM) == 1 &&
              SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) == 1);
    if (only_tls_1_1) {
        SSL_CTX_set_security_level(context, 0); /* OpenSSL itself calls this version insecure */
        ck_assert(SSL_CTX_set_min_proto_version(context, TLS1_1_VERSION) == 1 &&
                  SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION) == 1);
    }
    return context;
}

struct tls_server *tls_server_start(const struct certificate_files *files, bool only_tls_1_1) {
    signal(SIGPIPE, SIG_IGN); /* SSL_write knows no MSG_NOSIGNAL */
    struct tls_server *server = calloc(1, sizeof *server);
    ck_assert_ptr_nonnull(server);
    pthread_mutex_init(&server->lock, NULL);
    server->context = make_context(files, only_tls_1_1);
    listen_somewhere(server);
    ck_assert_int_eq(pthread_create(&server->thread, NULL, run, server), 0);
    return server;
}

void tls_server_stop(struct tls_server *server) {
    shutdown(server->listen_fd, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
    SSL_CTX_free(server->context);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

int tls_server_port(const struct tls_server *server) {
    return server->port;
}

struct tls_server_counts tls_server_count(struct tls_server *server) {
    pthread_mutex_lock(&server->lock);
    struct tls_server_counts counts = server->counts;
    pthread_mutex_unlock(&server->lock);
    return counts;
}
