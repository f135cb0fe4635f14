/*
 * stub_loop.h - an event loop without a thread: whatever is posted, or waits for a timer, is run at
 * once, in order. Time does not matter to it.
 *
 * See stub_service.h for how a stub takes the place of what it stands for.
 */
#ifndef FUZZ_STUB_LOOP_H
#define FUZZ_STUB_LOOP_H

/* Calls `run` as on the loop, and then everything that follows from it. */
void stub_loop_run(void (*run)(void *context), void *context);

/* Runs `run` after everything that is waiting, or when the loop is next run. */
void stub_loop_defer(void (*run)(void *context), void *context);

#endif
