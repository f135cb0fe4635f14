#include "devhost/handler_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "devhost/console.h"

enum { STREAM_COUNT = 2, READ_BYTES = 64 * 1024 };

struct stream_end {
    int fd; /* -1: ended */
    bool is_stderr;
    bool after_cr; /* a CR has ended a line: an LF that follows belongs to it */
    struct strbuf line;
};

struct handler_output {
    struct stream_end streams[STREAM_COUNT];
    int stop_event;
    pthread_t thread;
};

static void print_line(struct stream_end *stream) {
    const struct strbuf *line = &stream->line;
    console_print_line(console_level_of_line(stream->is_stderr, line->data, line->length),
                       line->data, line->length);
    strbuf_clear(&stream->line);
}

/* LF, CR and CRLF each end a line (.NET's AsyncStreamReader). */
static void take_in(struct stream_end *stream, const char *bytes, size_t length) {
    while (length > 0) {
        if (stream->after_cr && *bytes == '\n') {
            bytes++;
            length--;
        }
        stream->after_cr = false;
        size_t text = 0;
        while (text < length && bytes[text] != '\n' && bytes[text] != '\r') {
            text++;
        }
        strbuf_append(&stream->line, bytes, text);
        if (text < length) {
            stream->after_cr = bytes[text] == '\r';
            print_line(stream);
            text++;
        }
        bytes += text;
        length -= text;
    }
}

static void print_rest(struct stream_end *stream) {
    if (stream->line.length > 0) {
        print_line(stream);
    }
}

/* Reads what is there without waiting. Ends the stream at its end. */
static void read_stream(struct stream_end *stream) {
    char block[READ_BYTES];
    while (stream->fd >= 0) {
        ssize_t got = read(stream->fd, block, sizeof block);
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
        take_in(stream, block, (size_t)got);
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
        strbuf_cleanup(&output->streams[i].line);
    }
    if (output->stop_event >= 0) {
        close(output->stop_event);
    }
    free(output);
}

enum status handler_output_start(struct handler_output **out, int stdout_fd, int stderr_fd,
                                 struct error *err) {
    struct handler_output *output = calloc(1, sizeof *output);
    if (output == NULL) {
        close(stdout_fd);
        close(stderr_fd);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the handler's output");
    }
    for (int i = 0; i < STREAM_COUNT; i++) {
        strbuf_init(&output->streams[i].line, SIZE_MAX / 2);
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
