#include "support/proxies/fault_rules.h"

#include <stdlib.h>
#include <string.h>

bool fault_rules_init(struct fault_rules *rules, uint64_t seed) {
    *rules = (struct fault_rules){.tail = &rules->first};
    rules->random[0] = (unsigned short)seed;
    rules->random[1] = (unsigned short)(seed >> 16);
    rules->random[2] = (unsigned short)(seed >> 32);
    rules->book = calloc(FAULT_BOOK_REQUESTS, sizeof *rules->book);
    return rules->book != NULL;
}

static void free_entry(struct fault_entry *entry) {
    const struct fault_rule *rule = &entry->rule;
    const char *const texts[] = {rule->method,       rule->path_contains, rule->query_contains,
                                 rule->lease_action, rule->error_code,    rule->body};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        free((void *)(uintptr_t)texts[i]);
    }
    free(entry);
}

void fault_rules_cleanup(struct fault_rules *rules) {
    while (rules->first != NULL) {
        struct fault_entry *next = rules->first->next;
        free_entry(rules->first);
        rules->first = next;
    }
    free(rules->book);
}

/* --- rules --- */

static bool copy_texts(struct fault_rule *rule) {
    const char **const texts[] = {&rule->method,       &rule->path_contains, &rule->query_contains,
                                  &rule->lease_action, &rule->error_code,    &rule->body};
    bool ok = true;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *copy = *texts[i] != NULL ? strdup(*texts[i]) : NULL;
        ok = ok && (*texts[i] == NULL || copy != NULL);
        *texts[i] = copy;
    }
    return ok;
}

int fault_rules_add(struct fault_rules *rules, const struct fault_rule *rule) {
    struct fault_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return 0;
    }
    entry->rule = *rule;
    if (!copy_texts(&entry->rule)) {
        free_entry(entry);
        return 0;
    }
    entry->id = ++rules->last_id;
    *rules->tail = entry;
    rules->tail = &entry->next;
    return entry->id;
}

void fault_rules_clear(struct fault_rules *rules) {
    for (struct fault_entry *entry = rules->first; entry != NULL; entry = entry->next) {
        entry->cleared = true;
    }
}

static bool contains(const char *text, size_t length, const char *part) {
    return part == NULL || memmem(text, length, part, strlen(part)) != NULL;
}

static bool equals(const char *text, const char *wanted) {
    return wanted == NULL || strcmp(text, wanted) == 0;
}

static bool matches(const struct fault_rule *rule, const struct fault_request *request) {
    size_t path_length = strcspn(request->target, "?");
    const char *query = request->target + path_length;
    return equals(request->method, rule->method) &&
           equals(request->lease_action, rule->lease_action) &&
           contains(request->target, path_length, rule->path_contains) &&
           contains(query, strlen(query), rule->query_contains);
}

static bool was_chosen(const struct fault_rules *rules, int id) {
    const struct fault_entry *entry = rules->first;
    while (entry != NULL && entry->id != id) {
        entry = entry->next;
    }
    return entry != NULL && entry->taken > 0;
}

/* Does the rule apply to a request that matches it? Each question counts. */
static bool takes(struct fault_rules *rules, struct fault_entry *entry) {
    const struct fault_rule *rule = &entry->rule;
    if (rule->after != 0 && !was_chosen(rules, rule->after)) {
        return false;
    }
    if (entry->matched < rule->skip) {
        entry->matched++;
        return false;
    }
    if (rule->times != 0 && entry->taken >= rule->times) {
        return false;
    }
    if (rule->probability > 0 && erand48(rules->random) >= rule->probability) {
        return false;
    }
    entry->taken++;
    return true;
}

struct fault_entry *fault_rules_choose(struct fault_rules *rules, struct fault_request *request,
                                       size_t *out_number) {
    struct fault_entry *entry = rules->first;
    while (entry != NULL &&
           (entry->cleared || !matches(&entry->rule, request) || !takes(rules, entry))) {
        entry = entry->next;
    }
    request->fault = entry != NULL ? entry->rule.kind : FAULT_NONE;
    *out_number = rules->seen++;
    rules->book[*out_number % FAULT_BOOK_REQUESTS] = *request;
    return entry;
}

/* --- the book --- */

void fault_rules_note_applied(struct fault_rules *rules, struct fault_entry *entry) {
    entry->applied++;
    rules->counts[entry->rule.kind]++;
}

void fault_rules_note_status(struct fault_rules *rules, size_t number, int status) {
    if (rules->seen - number <= FAULT_BOOK_REQUESTS) {
        rules->book[number % FAULT_BOOK_REQUESTS].status = status;
    }
}

int fault_rules_applied(const struct fault_rules *rules, int id) {
    const struct fault_entry *entry = rules->first;
    while (entry != NULL && entry->id != id) {
        entry = entry->next;
    }
    return entry != NULL ? entry->applied : -1;
}

size_t fault_rules_requests(const struct fault_rules *rules, const struct fault_rule *like,
                            struct fault_request *out, size_t max) {
    size_t count = 0;
    size_t oldest = rules->seen > FAULT_BOOK_REQUESTS ? rules->seen - FAULT_BOOK_REQUESTS : 0;
    for (size_t i = oldest; i < rules->seen; i++) {
        const struct fault_request *request = &rules->book[i % FAULT_BOOK_REQUESTS];
        if (!matches(like, request)) {
            continue;
        }
        if (count < max) {
            out[count] = *request;
        }
        count++;
    }
    return count;
}
