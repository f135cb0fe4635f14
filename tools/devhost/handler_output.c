#include "devhost/handler_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devhost/console.h"

enum { STREAM_COUNT = 2, MAX_LINE_BYTES = 64 * 1024 }; /* a longer line is printed in pieces */

struct stream {
    int fd; /* -1: ended */
    bool is_stderr;
    size_t length;
    char line[MAX_LINE_BYTES];
};

struct handler_output {
    struct stream streams[STREAM_COUNT];
    int stop_event;
    pthread_t thread;
};

static void print_line(const struct stream *stream, const char *line, size_t length) {
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    char saved[MAX_LINE_BYTES + 1];
    memcpy(saved, line, length);
    saved[length] = '\0';
    console_print(console_level_of_line(stream->is_stderr, saved), "%s", saved);
}

static void print_whole_lines(struct stream *stream) {
    char *start = stream->line;
    size_t left = stream->length;
    for (char *end = memchr(start, '\n', left); end != NULL; end = memchr(start, '\n', left)) {
        print_line(stream, start, (size_t)(end - start));
        left -= (size_t)(end + 1 - start);
        start = end + 1;
    }
    memmove(stream->line, start, left);
    stream->length = left;
}

static void print_rest(struct stream *stream) {
    if (stream->length > 0) {
        print_line(stream, stream->line, stream->length);
        stream->length = 0;
    }
}

/* Reads what is there without waiting. Ends the stream at its end. */
static void read_stream(struct stream *stream) {
    while (stream->fd >= 0) {
        ssize_t got = read(stream->fd, stream->line + stream->length, sizeof stream->line - stream->length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return;
        }
        if (got <= 0) {
            print_rest(stream);
            close(stream->fd);
            stream->fd = -1;
            return;
        }
        stream->length += (size_t)got;
        print_whole_lines(stream);
        if (stream->length == sizeof stream->line) {
            print_rest(stream);
        }
    }
}

static void *run(void *context) {
    struct handler_output *output = context;
    bool stopping = false;
    while (!stopping) {
        struct pollfd polled[STREAM_COUNT + 1] = {
            {.fd = output->streams[0].fd, .events = POLLIN},
            {.fd = output->streams[1].fd, .events = POLLIN},
            {.fd = output->stop_event, .events = POLLIN},
        };
        int ready = poll(polled, STREAM_COUNT + 1, -1);
        stopping = ready > 0 && polled[STREAM_COUNT].revents != 0;
        for (int i = 0; i < STREAM_COUNT; i++) {
            read_stream(&output->streams[i]);
        }
    }
    for (int i = 0; i < STREAM_COUNT; i++) {
        print_rest(&output->streams[i]);
    }
    return NULL;
}

static void output_free(struct handler_output *output) {
    for (int i = 0; i < STREAM_COUNT; i++) {
        if (output->streams[i].fd >= 0) {
            close(output->streams[i].fd);
        }
    }
    if (output->stop_event >= 0) {
        close(output->stop_event);
    }
    free(output);
}

enum status handler_output_start(struct handler_output **out, int stdout_fd, int stderr_fd, struct error *err) {
    struct handler_output *output = calloc(1, sizeof *output);
    if (output == NULL) {
        close(stdout_fd);
        close(stderr_fd);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the handler's output");
    }
    output->streams[0].fd = stdout_fd;
    output->streams[1].fd = stderr_fd;
    output->streams[1].is_stderr = true;
    output->stop_event = eventfd(0, EFD_CLOEXEC);
    bool started = output->stop_event >= 0 && fcntl(stdout_fd, F_SETFL, O_NONBLOCK) == 0 &&
                   fcntl(stderr_fd, F_SETFL, O_NONBLOCK) == 0 &&
                   pthread_create(&output->thread, NULL, run, output) == 0;
    if (!started) {
        output_free(output);
        return error_set(err, STATUS_INTERNAL, "the handler's output cannot be read");
    }
    *out = output;
    return STATUS_OK;
}

void handler_output_stop(struct handler_output *output) {
    if (output == NULL) {
        return;
    }
    eventfd_write(output->stop_event, 1);
    pthread_join(output->thread, NULL);
    output_free(output);
}
