#include "support/processes/azurite.h"

#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/calls/raw_http.h"

enum {
    START_TIMEOUT_MS = 40000,
    STOP_TIMEOUT_MS = 10000,
    FENCE_TIMEOUT_MS = 20000,
    START_ATTEMPTS = 5,
    MAX_ARGUMENTS = 20
};

/* ---- starting ---- */

static bool is_https(const struct azurite *azurite) {
    return azurite->https.key[0] != '\0';
}

static const char *scheme_of(const struct azurite *azurite) {
    return is_https(azurite) ? "https" : "http";
}

static void launch(struct azurite *azurite) {
    const char *program = getenv("LEASEHOLD_AZURITE");
    ck_assert_msg(
        program != NULL,
        "LEASEHOLD_AZURITE does not name Azurite's program: run the tests with make test");
    char blob_port[16], table_port[16];
    snprintf(blob_port, sizeof blob_port, "%d", azurite->blob_port);
    snprintf(table_port, sizeof table_port, "%d", azurite->table_port);
    /*
     * Port 0 lets the kernel choose, so that nobody can take the port between finding and using it.
     */
    const char *argv[MAX_ARGUMENTS] = {program,
                                       "--disableTelemetry",
                                       "--skipApiVersionCheck",
                                       "--disableProductStyleUrl",
                                       "--queuePort",
                                       "0",
                                       "--blobPort",
                                       blob_port,
                                       "--tablePort",
                                       table_port};
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    if (azurite->persistence == AZURITE_IN_MEMORY) {
        argv[count++] = "--inMemoryPersistence";
    }
    if (is_https(azurite)) {
        const char *const more[] = {
            "--cert", azurite->https.certificate, "--key", azurite->https.key, "--oauth", "basic"};
        memcpy(&argv[count], more, sizeof more);
    }
    const struct wall_clock *clock = azurite->clock;
    const char *const env[] = {clock != NULL ? clock->preload : NULL,
                               clock != NULL ? clock->offset_variable : NULL, NULL};
    process_start(&azurite->process,
                  &(struct process_options){.argv = argv, .env = env, .cwd = azurite->folder});
}

/*
 * Reads the port behind "Azurite Blob service is successfully listening at http://127.0.0.1:"; 0:
 * it does not say so.
 */
static int listening_port(struct azurite *azurite, const char *service) {
    char said[128];
    snprintf(said, sizeof said,
             "Azurite %s service is successfully listening at %s://127.0.0.1:", service,
             scheme_of(azurite));
    if (!process_wait_for_output(&azurite->process, 0, said, START_TIMEOUT_MS)) {
        return 0;
    }
    char *output = process_output_from(&azurite->process, 0);
    int port = (int)strtol(strstr(output, said) + strlen(said), NULL, 10);
    free(output);
    return port;
}

static bool try_start(struct azurite *azurite) {
    launch(azurite);
    int blob_port = listening_port(azurite, "Blob");
    int table_port = blob_port > 0 ? listening_port(azurite, "Table") : 0;
    if (table_port == 0) {
        return false;
    }
    azurite->blob_port = blob_port;
    azurite->table_port = table_port;
    return true;
}

/*
 * A port that it had before may have been taken by somebody for a moment: hence several attempts.
 */
static void start(struct azurite *azurite) {
    for (int attempt = 1; !try_start(azurite); attempt++) {
        char *output = process_output_from(&azurite->process, 0);
        process_cleanup(&azurite->process);
        ck_assert_msg(attempt < START_ATTEMPTS, "Azurite does not start: %s", output);
        free(output);
    }
}

static void make_folder(struct azurite *azurite) {
    const char *temp = getenv("TMPDIR");
    snprintf(azurite->folder, sizeof azurite->folder, "%s/leasehold-azurite-XXXXXX",
             temp != NULL && strlen(temp) < 32 ? temp : "/tmp");
    ck_assert_msg(mkdtemp(azurite->folder) != NULL, "mkdtemp: %s", strerror(errno));
}

static void write_connection_string(const char *scheme, int blob_port, int table_port,
                                    char out[AZURITE_CONNECTION_STRING_BYTES]) {
    snprintf(out, AZURITE_CONNECTION_STRING_BYTES,
             "DefaultEndpointsProtocol=%s;AccountName=" AZURITE_ACCOUNT ";AccountKey=" AZURITE_KEY
             ";BlobEndpoint=%s://127.0.0.1:%d/" AZURITE_ACCOUNT
             ";TableEndpoint=%s://127.0.0.1:%d/" AZURITE_ACCOUNT,
             scheme, scheme, blob_port, scheme, table_port);
}

void azurite_write_connection_string(int blob_port, int table_port,
                                     char out[AZURITE_CONNECTION_STRING_BYTES]) {
    write_connection_string("http", blob_port, table_port, out);
}

/* The rest of it is filled in. */
static void start_new(struct azurite *azurite) {
    make_folder(azurite);
    start(azurite);
    write_connection_string(scheme_of(azurite), azurite->blob_port, azurite->table_port,
                            azurite->connection_string);
}

void azurite_start_https(struct azurite *azurite, enum azurite_persistence persistence,
                         const struct certificate_files *https) {
    *azurite = (struct azurite){.persistence = persistence, .https = *https};
    start_new(azurite);
}

void azurite_start_clocked(struct azurite *azurite, const struct wall_clock *clock) {
    *azurite = (struct azurite){.persistence = AZURITE_IN_MEMORY, .clock = clock};
    start_new(azurite);
}

void azurite_start(struct azurite *azurite, enum azurite_persistence persistence) {
    azurite_start_https(azurite, persistence, &(struct certificate_files){.key = ""});
}

void azurite_stop(struct azurite *azurite) {
    process_stop(&azurite->process, SIGTERM, STOP_TIMEOUT_MS);
}

void azurite_restart(struct azurite *azurite) {
    azurite_stop(azurite);
    process_cleanup(&azurite->process);
    start(azurite);
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *walk) {
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path);
}

void azurite_cleanup(struct azurite *azurite) {
    if (azurite->process.pid > 0) {
        azurite_stop(azurite);
        process_cleanup(&azurite->process);
    }
    if (azurite->folder[0] != '\0') {
        nftw(azurite->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
    *azurite = (struct azurite){.blob_port = 0};
}

/* ---- the access log ---- */

/* Sends a request that does nothing and waits for its answer. */
static void send_fence(int port, const char *text) {
    struct raw_response response = {.status = 0};
    int fd = raw_http_connect(port);
    raw_http_send(fd, text);
    raw_http_read(fd, &response, false);
    raw_response_cleanup(&response);
    close(fd);
}

/* The same by TLS; whose certificate it is does not matter here. */
static void send_fence_https(int port, const char *text) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    int fd = raw_http_connect(port);
    SSL *ssl = SSL_new(context);
    char first;
    ck_assert(ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1);
    ck_assert(SSL_write(ssl, text, (int)strlen(text)) > 0 && SSL_read(ssl, &first, 1) == 1);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
}

/*
 * An answer can be here before its line is in the log. Azurite is one thread, which ends answers in
 * order: when the line of a request that was sent later is there, all earlier ones are.
 */
static void wait_for_log(struct azurite *azurite) {
    if (azurite->process.exit_code != PROCESS_RUNNING) {
        return;
    }
    static int count;
    char path[64], text[160];
    snprintf(path, sizeof path, "/log-fence-%d-%d", (int)getpid(), ++count);
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
             path);
    (is_https(azurite) ? send_fence_https : send_fence)(azurite->blob_port, text);
    ck_assert_msg(process_wait_for_output(&azurite->process, 0, path, FENCE_TIMEOUT_MS),
                  "Azurite does not log its requests");
}

size_t azurite_mark(struct azurite *azurite) {
    wait_for_log(azurite);
    return process_output_length(&azurite->process);
}

/*
 * The line's part from the quote on, without the length at its end, which Azurite never knows;
 * appended at `end`.
 */
static char *append_request(char *end, const char *line) {
    const char *request = strstr(line, "] \"");
    if (request == NULL || strstr(request, "/log-fence-") != NULL) {
        return end;
    }
    request += strlen("] ");
    size_t length = (size_t)(strrchr(request, ' ') - request);
    memmove(end, request, length);
    end[length] = '\n';
    return end + length + 1;
}

char *azurite_requests_since(struct azurite *azurite, size_t mark) {
    wait_for_log(azurite);
    char *log = process_output_from(&azurite->process, mark);
    char *end = log; /* what is kept moves to the front, in place */
    for (char *line = log, *next; (next = strchr(line, '\n')) != NULL; line = next + 1) {
        *next = '\0';
        end = append_request(end, line);
    }
    *end = '\0';
    return log;
}

int azurite_request_count(struct azurite *azurite, size_t mark) {
    char *requests = azurite_requests_since(azurite, mark);
    int count = 0;
    for (const char *c = requests; *c != '\0'; c++) {
        count += *c == '\n';
    }
    free(requests);
    return count;
}
