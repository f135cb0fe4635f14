/*
 * fault_rules.h - what a fault proxy does to which request, and its book of what it did.
 *
 * The first rule that matches a request, in the order they were added, that has let its `skip`
 * matches pass, is not used up and whose dice are with it applies; the request goes on untouched
 * where there is none.
 *
 * Vocabulary   before   storage never hears of the request
 *              after    storage has acted and answered, and the caller does not learn it
 * Threads: none of its own; the proxy's lock guards a struct fault_rules.
 */
#ifndef SUPPORT_FAULT_RULES_H
#define SUPPORT_FAULT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define FAULT_TABLE(X) \
    X(NONE,          "none")          /* passed on and answered: shields from later rules */ \
    X(DELAY_REQUEST, "delay request") /* reaches storage delay_ms later, sender or not */ \
    X(DELAY_ANSWER,  "delay answer")  /* the answer goes on delay_ms after storage gave it */ \
    X(STATUS_BEFORE, "status before") /* answered with `status` */ \
    X(STATUS_AFTER,  "status after") \
    X(RESET_BEFORE,  "reset before")  /* the connection is reset (RST) */ \
    X(RESET_AFTER,   "reset after") \
    X(CLOSE_BEFORE,  "close before")  /* the connection is closed (FIN) without an answer */ \
    X(CLOSE_AFTER,   "close after") \
    X(HANG_BEFORE,   "hang before")   /* nothing until fault_proxy_let_go; then passed on */ \
    X(HANG_AFTER,    "hang after")    /* the answer is held back until fault_proxy_let_go */ \
    X(TRUNCATE,      "truncate")      /* half of the answer's bytes, head and body; then closed */ \
    X(CLOSE_LATER,   "close later")   /* answered in full, and then closed without having told */ \
    X(TWICE,         "twice")         /* storage gets it twice; the first answer is lost */ \
    X(WRONG_DATE,    "wrong date")    /* the answer's Date is delay_ms off; may be negative */ \
    X(NO_DATE,       "no date")       /* the answer has no Date */
/* clang-format on */

enum fault_kind {
#define FAULT_ENUM(name, text) FAULT_##name,
    FAULT_TABLE(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_KINDS
};

/* Zeroed but for what matters. Strings are copied. */
struct fault_rule {
    /* Which requests; NULL: any. */
    const char *method; /* "PUT" */
    const char *
        /* a part of the path, as it was sent: percent-encoded, with the account in front */
        path_contains;
    const char *
        query_contains; /* a part of the query, as it was sent: "comp=lease", "restype=container" */
    const char
        *lease_action; /* the value of x-ms-lease-action: "acquire", "renew", "release", "break" */
    /* the id of another rule: until that has been chosen this one does not match; 0: none */
    int after;
    int skip;  /* so many matches pass first */
    int times; /* how many it applies to after that; 0: all */

    /* What is done to them. */
    enum fault_kind kind;
    double probability; /* that it is done to a match after that: 0 < it <= 1; 0: always */
    int64_t delay_ms;   /* DELAY_..., WRONG_DATE */
    int status;         /* STATUS_...: 0: 503 */
    int retry_after_s;  /* STATUS_...: 0: no Retry-After */
    const char *
        /* STATUS_...: an answer as storage gives it, with this code; NULL: a gateway's */
        error_code;
    const char *body; /* STATUS_...: instead of that body */
};

/* A request that came. What does not fit is cut off. */
enum { FAULT_TARGET_BYTES = 256 };
struct fault_request {
    char method[16];
    char target[FAULT_TARGET_BYTES]; /* path and query as sent */
    char lease_action[16];           /* "" for none */
    int64_t arrived_ms;              /* clock_system's now, when the whole of it was here */
    enum fault_kind fault;           /* what was done to it */
    int status;                      /* storage's answer; 0: it has none, or was not asked */
};

/* The last FAULT_BOOK_REQUESTS requests are kept. */
enum { FAULT_BOOK_REQUESTS = 4096 };

struct fault_entry {
    struct fault_rule rule; /* its strings are its own */
    int id;
    int matched; /* up to skip */
    int taken;   /* how often it was chosen */
    int applied; /* how often its effect has begun */
    bool cleared;
    struct fault_entry *next;
};

struct fault_rules {
    struct fault_entry *first; /* none is freed before the end: requests under way point at them */
    struct fault_entry **tail;
    int last_id;
    unsigned short random[3];
    int counts[FAULT_KINDS]; /* applied, cleared rules' too */
    size_t seen;             /* requests in all */
    struct fault_request *book;
};

/* False: no memory, here as in all below. */
bool fault_rules_init(struct fault_rules *rules, uint64_t seed);
void fault_rules_cleanup(struct fault_rules *rules);

/* The rule's id: 1, 2, ...; 0: no memory. */
int fault_rules_add(struct fault_rules *rules, const struct fault_rule *rule);
void fault_rules_clear(struct fault_rules *rules);

/*
 * Writes a request into the book and chooses the rule for it; NULL: none. `out_number`: for
 * fault_rules_note_status.
 */
struct fault_entry *fault_rules_choose(struct fault_rules *rules, struct fault_request *request,
                                       size_t *out_number);

/* A chosen rule takes effect; storage has answered. */
void fault_rules_note_applied(struct fault_rules *rules, struct fault_entry *entry);
void fault_rules_note_status(struct fault_rules *rules, size_t number, int status);

/* How often the rule has taken effect; -1: there never was such a rule. */
int fault_rules_applied(const struct fault_rules *rules, int id);

/* As fault_proxy_requests. */
size_t fault_rules_requests(const struct fault_rules *rules, const struct fault_rule *like,
                            struct fault_request *out, size_t max);

#endif
