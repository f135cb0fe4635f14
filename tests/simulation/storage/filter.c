#include "simulation/storage/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/utc.h"

enum { MAX_DEPTH = 32 };

struct reader {
    char *at;
    struct filter *filter;
    int depth;
    bool failed;
};

/* ---- reading ---- */

static int read_or(struct reader *reader);

static int fail(struct reader *reader) {
    reader->failed = true;
    return 0;
}

static bool take(struct reader *reader, const char *word) {
    size_t length = strlen(word);
    reader->at += strspn(reader->at, " ");
    if (strncmp(reader->at, word, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

static int add(struct reader *reader, struct filter_node node) {
    if (reader->filter->count == FILTER_MAX_NODES) {
        return fail(reader);
    }
    reader->filter->nodes[reader->filter->count] = node;
    return reader->filter->count++;
}

static struct text read_word(struct reader *reader) {
    reader->at += strspn(reader->at, " ");
    struct text word = {reader->at, strcspn(reader->at, " ()'")};
    reader->at += word.length;
    reader->failed |= word.length == 0;
    return word;
}

/* What stands between quotes, with doubled ones made single in place. */
static struct text read_quoted(struct reader *reader) {
    char *start = reader->at, *end = start;
    while (*reader->at != '\0' && (*reader->at != '\'' || reader->at[1] == '\'')) {
        reader->at += *reader->at == '\'' ? 1 : 0;
        *end++ = *reader->at++;
    }
    if (*reader->at == '\'') {
        reader->at++;
    } else {
        fail(reader);
    }
    return (struct text){start, (size_t)(end - start)};
}

static bool read_time(struct text text, int64_t *out_ms) {
    char copy[64];
    return text_copy(text, copy, sizeof copy) && utc_parse_iso8601(copy, out_ms);
}

/* 'text', datetime'2025-01-19T14:45:30Z', 123, 123L or true. */
static void read_literal(struct reader *reader, struct filter_node *node) {
    if (take(reader, "datetime'")) {
        node->literal_kind = FILTER_TIME;
        node->literal = read_quoted(reader);
        reader->failed |= !read_time(node->literal, &node->number);
    } else if (take(reader, "'")) {
        node->literal_kind = FILTER_TEXT;
        node->literal = read_quoted(reader);
    } else {
        node->literal = read_word(reader);
        bool is_word = text_is(node->literal, "true") || text_is(node->literal, "false");
        node->literal_kind = is_word ? FILTER_WORD : FILTER_NUMBER;
        char *end = NULL;
        node->number = is_word || reader->failed ? 0 : strtoll(node->literal.data, &end, 10);
        reader->failed |= !is_word && end == node->literal.data;
    }
}

static enum filter_relation read_relation(struct reader *reader) {
    static const char *const names[] = {"eq", "ne", "lt", "le", "gt", "ge"};
    struct text word = read_word(reader);
    for (int i = 0; i < FILTER_RELATIONS; i++) {
        if (text_is(word, names[i])) {
            return (enum filter_relation)i;
        }
    }
    fail(reader);
    return FILTER_EQ;
}

static int read_comparison(struct reader *reader) {
    if (take(reader, "(")) {
        int inside = read_or(reader);
        return take(reader, ")") ? inside : fail(reader);
    }
    if (take(reader, "not ") || take(reader, "not(")) {
        reader->at -= reader->at[-1] == '(' ? 1 : 0;
        int inside = read_comparison(reader);
        return add(reader, (struct filter_node){.kind = FILTER_NOT, .left = inside});
    }
    struct filter_node node = {.kind = FILTER_COMPARISON, .name = read_word(reader)};
    node.relation = read_relation(reader);
    read_literal(reader, &node);
    return add(reader, node);
}

static int read_and(struct reader *reader) {
    int left = read_comparison(reader);
    while (!reader->failed && take(reader, "and ")) {
        int right = read_comparison(reader);
        left = add(reader, (struct filter_node){.kind = FILTER_AND, .left = left, .right = right});
    }
    return left;
}

static int read_or(struct reader *reader) {
    if (++reader->depth > MAX_DEPTH) {
        return fail(reader);
    }
    int left = read_and(reader);
    while (!reader->failed && take(reader, "or ")) {
        int right = read_and(reader);
        left = add(reader, (struct filter_node){.kind = FILTER_OR, .left = left, .right = right});
    }
    reader->depth--;
    return left;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): read_quoted writes to it */
bool filter_read(char *text, struct filter *out) {
    struct reader reader = {.at = text, .filter = out};
    out->count = 0;
    out->root = read_or(&reader);
    take(&reader, "");
    return !reader.failed && *reader.at == '\0';
}

/* ---- matching ---- */

static bool holds(enum filter_relation relation, int order) {
    switch (relation) {
    case FILTER_EQ:
        return order == 0;
    case FILTER_NE:
        return order != 0;
    case FILTER_LT:
        return order < 0;
    case FILTER_LE:
        return order <= 0;
    case FILTER_GT:
        return order > 0;
    case FILTER_GE:
    case FILTER_RELATIONS:
        break;
    }
    return order >= 0;
}

static int compare_texts(const char *left, struct text right) {
    size_t length = strlen(left), least = length < right.length ? length : right.length;
    int order = memcmp(left, right.data, least);
    return order != 0 ? order : length < right.length ? -1 : length > right.length;
}

static int compare_numbers(int64_t left, int64_t right) {
    return left < right ? -1 : left > right;
}

static bool compare_property(const struct filter_node *node, struct text value) {
    char text[FILTER_TEXT_BYTES];
    int64_t number;
    switch (node->literal_kind) {
    case FILTER_TEXT:
        return entity_string(value, text, sizeof text) &&
               holds(node->relation, compare_texts(text, node->literal));
    case FILTER_TIME:
        return entity_string(value, text, sizeof text) && utc_parse_iso8601(text, &number) &&
               holds(node->relation, compare_numbers(number, node->number));
    case FILTER_NUMBER: /* Edm.Int64 is a string in the JSON */
        if (value.length == 0 || text_is(value, "true") || text_is(value, "false")) {
            return false;
        }
        number = strtoll(value.data + (value.data[0] == '"' ? 1 : 0), NULL, 10);
        return holds(node->relation, compare_numbers(number, node->number));
    case FILTER_WORD:
        break;
    }
    return value.length > 0 && holds(node->relation, text_equal(value, node->literal) ? 0 : 1);
}

static bool compare(const struct filter_node *node, const struct row *row,
                    struct entity *properties) {
    if (text_is(node->name, "PartitionKey")) {
        return holds(node->relation, compare_texts(row->partition->entry.key, node->literal));
    }
    if (text_is(node->name, "RowKey")) {
        return holds(node->relation, compare_texts(row->key, node->literal));
    }
    if (properties->count == 0 &&
        !entity_read((struct text){row->properties, row->properties_length}, properties)) {
        return false;
    }
    for (size_t i = 0; i < properties->count; i++) {
        if (text_equal(properties->properties[i].name, node->name)) {
            return compare_property(node, properties->properties[i].value);
        }
    }
    return false;
}

static bool matches(const struct filter *filter, int at, const struct row *row,
                    struct entity *properties) {
    const struct filter_node *node = &filter->nodes[at];
    switch (node->kind) {
    case FILTER_AND:
        return matches(filter, node->left, row, properties) &&
               matches(filter, node->right, row, properties);
    case FILTER_OR:
        return matches(filter, node->left, row, properties) ||
               matches(filter, node->right, row, properties);
    case FILTER_NOT:
        return !matches(filter, node->left, row, properties);
    case FILTER_COMPARISON:
        break;
    }
    return compare(node, row, properties);
}

bool filter_matches(const struct filter *filter, const struct row *row) {
    struct entity properties;
    properties.count = 0;
    return matches(filter, filter->root, row, &properties);
}

/* ---- bounds: what every match must meet, of comparisons that are joined by AND ---- */

/* The first of these comparisons; `relations` has a bit for each relation that will do. */
static const struct filter_node *find_bound(const struct filter *filter, int at, const char *name,
                                            int relations) {
    const struct filter_node *node = &filter->nodes[at];
    if (node->kind == FILTER_AND) {
        const struct filter_node *left = find_bound(filter, node->left, name, relations);
        return left != NULL ? left : find_bound(filter, node->right, name, relations);
    }
    bool is_bound = node->kind == FILTER_COMPARISON && text_is(node->name, name) &&
                    (relations & (1 << node->relation)) != 0;
    return is_bound ? node : NULL;
}

bool filter_partition(const struct filter *filter, char out[ENTITY_KEY_BYTES]) {
    const struct filter_node *node =
        find_bound(filter, filter->root, "PartitionKey", 1 << FILTER_EQ);
    return node != NULL && text_copy(node->literal, out, ENTITY_KEY_BYTES);
}

void filter_first_row(const struct filter *filter, char out[ENTITY_KEY_BYTES]) {
    const int relations = 1 << FILTER_EQ | 1 << FILTER_GE | 1 << FILTER_GT;
    const struct filter_node *node = find_bound(filter, filter->root, "RowKey", relations);
    if (node == NULL || !text_copy(node->literal, out, ENTITY_KEY_BYTES)) {
        out[0] = '\0';
    }
}

bool filter_is_beyond(const struct filter *filter, const char *key) {
    const int relations = 1 << FILTER_EQ | 1 << FILTER_LT | 1 << FILTER_LE;
    const struct filter_node *node = find_bound(filter, filter->root, "RowKey", relations);
    return node != NULL && compare_texts(key, node->literal) > 0;
}
