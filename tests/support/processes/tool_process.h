/*
 * tool_process.h - leasectl as an operator runs it, beside the handlers of instance_pair.h.
 *
 * Rules    One runs at a time, `tool_process`. What should not happen to a test fails it, with
 *          what the tool has printed: stdout and stderr together.
 * Threads  One test's.
 */
#ifndef SUPPORT_TOOL_PROCESS_H
#define SUPPORT_TOOL_PROCESS_H

#include <stdint.h>

#include "support/processes/process.h"
#include "support/proxies/fault_proxy.h"

enum { TOOL_TIMEOUT_MS = 60000, TOOL_REFUSED = 2 };

#define TOOL_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

extern struct process tool_process;

/* A checked fixture, around that of instance_pair.h. */
void tool_set_up(void);
void tool_tear_down(void);

/* Leads the tool's later runs through two proxies. */
extern struct fault_proxy *tool_blob_proxy, *tool_table_proxy;
void tool_go_through_proxies(void);

/* Return the tool's path, and the setting that leads to storage. Both are static. */
const char *tool_program(void);
const char *tool_connection(void);

/* Starts it, also as another process and with one more setting. */
void tool_start(const char *const *words);
void tool_start_with(struct process *process, const char *setting, const char *const *words);

/*
 * Waits for its end, and checks the exit code. Returns what it has printed, valid until the next
 * one ends.
 */
const char *tool_finish(int exit_code);

/* Starts and finishes it. tool_expect also checks that it prints `text`. */
const char *tool_run(const char *const *words, int exit_code);
void tool_expect(const char *const *words, int exit_code, const char *text);

/*
 * Runs it until it prints `text`. Storage tells its time in whole seconds, so that a program that
 * has just begun may be a second behind.
 */
void tool_expect_soon(const char *const *words, const char *text);

/* Returns a number of `leasectl show`, and checks three of them. */
int64_t tool_shown(const char *product_id, const char *key);
void tool_expect_product(const char *product_id, int64_t total, int64_t available, int64_t version);

#endif
