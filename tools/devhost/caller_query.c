#include "devhost/caller_query.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "devhost/request_path.h"

enum { QUERY_TEXT_BYTES = 64 * 1024 };

/* Whether there is nothing between two '&'. */
static bool is_nothing(const char *pair) {
    return *pair == '&' || *pair == '\0';
}

/*
 * Decodes the pair that starts at `pair`; answers where the next one starts, NULL after the last.
 */
static const char *decode_pair(const char *pair, struct strbuf *name, struct strbuf *value) {
    size_t length = strcspn(pair, "&");
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - pair) : length;
    strbuf_clear(name);
    strbuf_clear(value);
    request_path_decode_query(name, pair, name_length);
    if (equals != NULL) {
        request_path_decode_query(value, equals + 1, length - name_length - 1);
    }
    return pair[length] == '&' ? pair + length + 1 : NULL;
}

/*
 * All values of one name, joined by commas, as StringValues.ToString does. `from` is the name's
 * first pair.
 */
static void collect_values(const char *from, const struct strbuf *name, struct strbuf *out) {
    struct strbuf other;
    struct strbuf value;
    strbuf_init(&other, QUERY_TEXT_BYTES);
    strbuf_init(&value, QUERY_TEXT_BYTES);
    bool first = true;
    for (const char *pair = from; pair != NULL;) {
        bool counts = !is_nothing(pair);
        pair = decode_pair(pair, &other, &value);
        if (counts && strcasecmp(other.data, name->data) == 0) {
            if (!first) {
                strbuf_append_char(out, ',');
            }
            first = false;
            strbuf_append(out, value.data, value.length);
        }
    }
    strbuf_cleanup(&other);
    strbuf_cleanup(&value);
}

static bool occurs_before(const char *query, const char *pair, const struct strbuf *name) {
    struct strbuf other;
    struct strbuf value;
    strbuf_init(&other, QUERY_TEXT_BYTES);
    strbuf_init(&value, QUERY_TEXT_BYTES);
    bool found = false;
    while (!found && query != pair) {
        bool counts = !is_nothing(query);
        query = decode_pair(query, &other, &value);
        found = counts && strcasecmp(other.data, name->data) == 0;
    }
    strbuf_cleanup(&other);
    strbuf_cleanup(&value);
    return found;
}

void caller_query_visit(const char *query, caller_query_visitor visit, void *context) {
    struct strbuf name;
    struct strbuf value;
    strbuf_init(&name, QUERY_TEXT_BYTES);
    strbuf_init(&value, QUERY_TEXT_BYTES);
    for (const char *pair = query[0] != '\0' ? query : NULL; pair != NULL;) {
        const char *next = decode_pair(pair, &name, &value);
        bool is_new = !is_nothing(pair) && !occurs_before(query, pair, &name);
        if (is_new) {
            strbuf_clear(&value);
            collect_values(pair, &name, &value);
            visit(context, &name, &value);
        }
        pair = next;
    }
    strbuf_cleanup(&name);
    strbuf_cleanup(&value);
}
