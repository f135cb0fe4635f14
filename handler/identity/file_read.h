/*
 * file_read.h - reads a small file on a thread of its own, for callers that must not block.
 *
 * A file may lie on a network share. If the share hangs, reading hangs with it. The loop must not.
 *
 * Vocabulary  reading    the work of one thread: a path, and the text or error that came of it
 *             abandoned  said of a reading whose result nobody waits for any more
 * Rules       There is one reading at a time. A reading that takes too long goes on, and the next
 *             start waits for it instead of starting another. So a hanging share costs one thread.
 *             A struct file_read always reads the same path.
 *             The text is overwritten after use.
 * Ownership   A struct file_read lives in its owner, zeroed at first. The owner must cancel it
 *             before it goes away and before the loop is stopped, even if no start waits, because a
 *             slow reading may still go on.
 *             Normal end: the thread posts its result, and the loop joins it and frees the reading.
 *             Abandoned: the thread frees the reading itself and touches neither loop nor owner. A
 *             lock decides which happens, so nothing is posted after cancel has returned. cancel
 *             never waits for a read.
 * Threads     The loop's.
 */
#ifndef IDENTITY_FILE_READ_H
#define IDENTITY_FILE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "http/event_loop.h"

struct platform;
struct strbuf;

/*
 * How a read ended. `text` is NULL unless STATUS_OK. It may be changed, and is overwritten
 * afterwards. `err` names the file. The read may be started again in this call.
 *
 * STATUS_UNAVAILABLE   the file cannot be read now, is not a regular file, is empty or too long, or
 *                      the timeout is over
 * STATUS_CANCELLED, STATUS_NO_MEMORY
 */
typedef void (*file_read_done)(void *context, enum status status, struct strbuf *text,
                               const struct error *err);

struct file_read_options {
    const char *path; /* copied */
    size_t max_bytes;
    int64_t timeout_ms;
};

struct file_read {
    struct file_reading *reading; /* NULL: none goes on */
    const struct platform *platform;
    struct loop_timer timer;

    /* Of the start that waits. */
    bool is_waiting;
    file_read_done done;
    void *context;
};

/*
 * Starts a read. After STATUS_OK `done` is called once, never inside this call. After any other
 * status it is not called.
 * STATUS_NO_MEMORY, STATUS_NO_THREAD
 */
enum status file_read_start(struct file_read *read, const struct platform *platform,
                            const struct file_read_options *options, file_read_done done,
                            void *context, struct error *err) MUST_CHECK;

/*
 * Abandons the reading, if one goes on. If a start waits, `done` is called inside this call with
 * STATUS_CANCELLED.
 */
void file_read_cancel(struct file_read *read);

#endif
