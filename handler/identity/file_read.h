/*
 * file_read.h - a small file read on a thread of its own, for whoever may not wait for it.
 *
 * A file may lie on a network share, and there a read hangs for as long as the share does. The loop
 * goes on meanwhile.
 *
 * Vocabulary  reading    what a thread is about: its path, and what has come of it
 *             abandoned  said of a reading that nobody asks for any more
 * Rules       One reading at a time. One that took too long goes on, and the next start waits for
 *             it instead of starting another: so a share that hangs costs one thread. A struct
 *             file_read is for one path.
 *             What was read is wiped.
 * Ownership   A struct file_read lives in its owner, zeroed at first. The owner cancels it before
 *             the owner goes and before the loop is stopped, also when no start waits: a reading
 *             that took too long may still go on.
 *             A reading belongs to the loop's thread, which joins the reading's thread once that
 *             has posted its end. One that is abandoned before then belongs to its own thread,
 *             which frees it at its end, and uses neither the loop nor the owner. One lock decides
 *             between the two: nothing is posted after cancel has returned, and cancel waits for
 *             no read.
 * Threads     All of it belongs to the loop's thread.
 */
#ifndef IDENTITY_FILE_READ_H
#define IDENTITY_FILE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/strbuf.h"
#include "http/platform.h"

/*
 * How a read ended. `text` is NULL unless STATUS_OK; it may be changed, and is wiped afterwards.
 * `err` names the file. The read may be started again in this call.
 *
 * STATUS_UNAVAILABLE   it cannot be read (now), is no regular file, is over the limit or empty; or
 *                      its time is over
 * STATUS_CANCELLED, STATUS_NO_MEMORY
 */
typedef void (*file_read_done)(void *context, enum status status, struct strbuf *text,
                               const struct error *err);

/* What to read: at most `max_bytes`, within `timeout_ms`. */
struct file_read_options {
    const char *path; /* copied */
    size_t max_bytes;
    int64_t timeout_ms;
};

struct file_read {
    struct file_reading *reading; /* NULL: none goes on */
    const struct platform *platform;
    struct loop_timer timer;

    /* Of the start that waits: who is told. */
    bool is_waiting;
    file_read_done done;
    void *context;
};

/*
 * Starts a read. On STATUS_OK `done` is called once, later, never inside this call. Else it is not
 * called.
 * STATUS_NO_MEMORY, STATUS_NO_THREAD
 */
enum status file_read_start(struct file_read *read, const struct platform *platform,
                            const struct file_read_options *options, file_read_done done,
                            void *context, struct error *err) MUST_CHECK;

/*
 * Abandons the reading, if one goes on. Where a start waits, `done` is called inside this call with
 * STATUS_CANCELLED.
 */
void file_read_cancel(struct file_read *read);

#endif
