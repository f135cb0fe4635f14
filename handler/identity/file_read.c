#include "identity/file_read.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "http/platform.h"

struct file_reading {
    struct event_loop *loop;
    pthread_t thread;
    struct loop_task ended; /* the thread posts it as its last act */

    /* The thread's, until it has ended. */
    struct strbuf text;
    enum status status;
    struct error err;

    pthread_mutex_t lock;    /* guards `owner`; only the loop's thread writes it */
    struct file_read *owner; /* NULL: abandoned */

    char path[];
};

/* ---- on the reading's thread ---- */

/* Appends the rest of a file. */
static enum status append_file(int file, struct strbuf *out, struct error *err) {
    char block[4096];
    ssize_t count;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (count = read(file, block, sizeof block)) != 0) {
        if (count > 0) {
            strbuf_append(out, block, (size_t)count);
            status = strbuf_status(out);
        } else if (errno != EINTR) {
            status = error_set(err, STATUS_UNAVAILABLE, "cannot be read: %s", strerror(errno));
        }
    }
    crypto_wipe(block, sizeof block);
    if (strbuf_status(out) == STATUS_NO_MEMORY) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to read it");
    }
    if (strbuf_status(out) != STATUS_OK) {
        return error_set(err, STATUS_UNAVAILABLE, "is too long");
    }
    if (status == STATUS_OK && out->length == 0) {
        return error_set(err, STATUS_UNAVAILABLE, "is empty");
    }
    return status;
}

static enum status read_file(const char *path, struct strbuf *out, struct error *err) {
    /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat kind;
    enum status status;
    if (file < 0) {
        status = error_set(err, STATUS_UNAVAILABLE, "cannot be opened: %s", strerror(errno));
    } else if (fstat(file, &kind) != 0 || !S_ISREG(kind.st_mode)) {
        status = error_set(err, STATUS_UNAVAILABLE, "is not a file");
    } else {
        status = append_file(file, out, err);
    }
    if (file >= 0) {
        close(file);
    }
    if (status != STATUS_OK) {
        error_wrap(err, "%s", path);
    }
    return status;
}

static void reading_free(struct file_reading *reading) {
    strbuf_cleanup_wipe(&reading->text);
    pthread_mutex_destroy(&reading->lock);
    free(reading);
}

/*
 * Reads the file and posts the end. The post happens with the lock held: until an owner has
 * abandoned the reading, for which it needs the lock, it keeps the loop alive.
 */
static void *reading_main(void *context) {
    struct file_reading *reading = context;
    reading->status = read_file(reading->path, &reading->text, &reading->err);
    pthread_mutex_lock(&reading->lock);
    bool is_abandoned = reading->owner == NULL;
    if (!is_abandoned) {
        event_loop_post(reading->loop, &reading->ended);
    }
    pthread_mutex_unlock(&reading->lock);
    if (is_abandoned) {
        pthread_detach(pthread_self());
        reading_free(reading);
    }
    return NULL;
}

/* ---- on the loop's thread ---- */

/* Ends the start that waits. */
static void end_wait(struct file_read *read, enum status status, struct strbuf *text,
                     const struct error *err) {
    read->is_waiting = false;
    event_loop_stop_timer(read->platform->loop, &read->timer);
    read->done(read->context, status, status == STATUS_OK ? text : NULL, err);
}

/*
 * The thread has posted the end and only returns, so joining it does not block. The owner may have
 * abandoned the reading after the post.
 */
static void on_ended(void *context) {
    struct file_reading *reading = context;
    struct file_read *read = reading->owner;
    pthread_join(reading->thread, NULL);
    if (read != NULL) {
        read->reading = NULL;
        if (read->is_waiting) {
            end_wait(read, reading->status, &reading->text, &reading->err);
        }
    }
    reading_free(reading);
}

static void on_timeout(void *context) {
    struct file_read *read = context;
    struct error err;
    error_set(&err, STATUS_UNAVAILABLE,
              "%s: reading it takes too long; is it on a network share that hangs?",
              read->reading->path);
    end_wait(read, STATUS_UNAVAILABLE, NULL, &err);
}

static enum status reading_start(struct file_read *read, const struct file_read_options *options,
                                 struct error *err) {
    size_t path_bytes = strlen(options->path) + 1;
    struct file_reading *reading = calloc(1, sizeof *reading + path_bytes);
    if (reading == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory to read it");
    }
    reading->loop = read->platform->loop;
    reading->ended = (struct loop_task){.run = on_ended, .context = reading};
    reading->owner = read;
    strbuf_init(&reading->text, options->max_bytes);
    pthread_mutex_init(&reading->lock, NULL);
    memcpy(reading->path, options->path, path_bytes);
    enum status status = thread_start(&reading->thread, reading_main, reading, err);
    if (status != STATUS_OK) {
        reading_free(reading);
        return status;
    }
    read->reading = reading;
    return STATUS_OK;
}

enum status file_read_start(struct file_read *read, const struct platform *platform,
                            const struct file_read_options *options, file_read_done done,
                            void *context, struct error *err) {
    assert(!read->is_waiting);
    read->platform = platform;
    if (read->reading == NULL) {
        enum status status = reading_start(read, options, err);
        if (status != STATUS_OK) {
            error_wrap(err, "%s", options->path);
            return status;
        }
    }
    read->is_waiting = true;
    read->done = done;
    read->context = context;
    read->timer = (struct loop_timer){.fired = on_timeout, .context = read};
    event_loop_set_timer(platform->loop, &read->timer,
                         clock_now_ms(platform->clock) + options->timeout_ms);
    return STATUS_OK;
}

void file_read_cancel(struct file_read *read) {
    struct file_reading *reading = read->reading;
    struct error err;
    if (reading == NULL) {
        return;
    }
    error_set(&err, STATUS_CANCELLED, "%s: given up, since the program is stopping", reading->path);
    read->reading = NULL;
    pthread_mutex_lock(&reading->lock);
    reading->owner = NULL;
    pthread_mutex_unlock(&reading->lock);
    if (read->is_waiting) {
        end_wait(read, STATUS_CANCELLED, NULL, &err);
    }
}
