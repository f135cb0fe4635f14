/*
 * platform.h - the one door to the outside: time, timers, the network and random numbers.
 *
 * Whoever starts the program makes a platform and hands it down; for the library that is
 * lease/leasehold.c. What stands below wiring/ tells the time, waits, sends and draws random
 * numbers through it alone; tools/check-symbols.sh holds the code to that. Files (on threads of their
 * own) and az go past it.
 * Nothing is global but the log. So a test can put virtual time, a network of its own and a seed in
 * the outside's place, and run several instances beside each other.
 *
 * Ownership  Whoever is given a platform borrows it and all that it names, and keeps the pointer.
 * Threads    It does not change. Its parts say their own; timers belong to the loop's thread.
 */
#ifndef HTTP_PLATFORM_H
#define HTTP_PLATFORM_H

#include "base/clock.h"
#include "base/random.h"
#include "http/event_loop.h"
#include "http/http_client.h"

struct platform {
    const struct clock *clock;
    struct event_loop *loop;  /* its timers are due on `clock` */
    struct http_client *http; /* it answers on the loop's thread; NULL where nothing is sent */
    const struct random_source *random;
};

#endif
