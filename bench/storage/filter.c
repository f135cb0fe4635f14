#include "filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 64, MAX_DEPTH = 32 };

enum kind { AND, OR, NOT, COMPARISON };

struct node {
    enum kind kind;
    int left, right; /* of AND and OR; NOT has a left one */
    char name[64];
    char relation[3];
    bool is_text;
    char literal[ENTITY_KEY_BYTES * 3];
};

struct filter {
    struct node nodes[MAX_NODES];
    int count, root;
};

struct reader {
    const char *at;
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
    while (*reader->at == ' ') {
        reader->at++;
    }
    if (strncmp(reader->at, word, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

static int add(struct reader *reader, struct node node) {
    if (reader->filter->count == MAX_NODES) {
        return fail(reader);
    }
    reader->filter->nodes[reader->filter->count] = node;
    return reader->filter->count++;
}

static void read_word(struct reader *reader, char *out, size_t out_bytes) {
    while (*reader->at == ' ') {
        reader->at++;
    }
    size_t length = strcspn(reader->at, " ()'");
    if (length == 0 || length >= out_bytes) {
        fail(reader);
        return;
    }
    memcpy(out, reader->at, length);
    out[length] = '\0';
    reader->at += length;
}

/* 'text' with its quotes doubled, datetime'...', 123, 123L or true. */
static void read_literal(struct reader *reader, struct node *node) {
    take(reader, "datetime");
    node->is_text = take(reader, "'");
    if (!node->is_text) {
        read_word(reader, node->literal, sizeof node->literal);
        return;
    }
    size_t length = 0;
    while (*reader->at != '\0' && (*reader->at != '\'' || reader->at[1] == '\'') && length + 1 < sizeof node->literal) {
        reader->at += *reader->at == '\'' ? 1 : 0;
        node->literal[length++] = *reader->at++;
    }
    node->literal[length] = '\0';
    if (*reader->at++ != '\'') {
        fail(reader);
    }
}

static int read_comparison(struct reader *reader) {
    if (take(reader, "(")) {
        int inside = read_or(reader);
        return take(reader, ")") ? inside : fail(reader);
    }
    if (take(reader, "not ") || take(reader, "not(")) {
        reader->at -= reader->at[-1] == '(' ? 1 : 0;
        int inside = read_comparison(reader);
        return add(reader, (struct node){.kind = NOT, .left = inside});
    }
    struct node node = {.kind = COMPARISON};
    read_word(reader, node.name, sizeof node.name);
    read_word(reader, node.relation, sizeof node.relation);
    read_literal(reader, &node);
    return add(reader, node);
}

static int read_and(struct reader *reader) {
    int left = read_comparison(reader);
    while (!reader->failed && take(reader, "and ")) {
        left = add(reader, (struct node){.kind = AND, .left = left, .right = read_comparison(reader)});
    }
    return left;
}

static int read_or(struct reader *reader) {
    if (++reader->depth > MAX_DEPTH) {
        return fail(reader);
    }
    int left = read_and(reader);
    while (!reader->failed && take(reader, "or ")) {
        left = add(reader, (struct node){.kind = OR, .left = left, .right = read_and(reader)});
    }
    reader->depth--;
    return left;
}

struct filter *filter_new(const char *text) {
    struct filter *filter = calloc(1, sizeof *filter);
    if (filter == NULL) {
        return NULL;
    }
    struct reader reader = {.at = text, .filter = filter};
    filter->root = read_or(&reader);
    take(&reader, "");
    if (reader.failed || *reader.at != '\0') {
        free(filter);
        return NULL;
    }
    return filter;
}

/* ---- matching ---- */

static bool holds(const char *relation, int order) {
    return strcmp(relation, "eq") == 0   ? order == 0
           : strcmp(relation, "ne") == 0 ? order != 0
           : strcmp(relation, "lt") == 0 ? order < 0
           : strcmp(relation, "le") == 0 ? order <= 0
           : strcmp(relation, "gt") == 0 ? order > 0
                                         : order >= 0;
}

/* Times in ISO 8601 compare as text as long as both have as many digits, which the handlers see to. */
static bool compare_property(const struct node *node, const struct entity *properties) {
    struct text value = entity_get(properties, node->name);
    char text[ENTITY_KEY_BYTES * 3];
    if (value.length == 0) {
        return false;
    }
    if (!entity_string(value, text, sizeof text)) {
        snprintf(text, sizeof text, "%.*s", (int)value.length, value.data);
    }
    if (node->is_text) {
        return holds(node->relation, strcmp(text, node->literal));
    }
    long long left = strtoll(text, NULL, 10), right = strtoll(node->literal, NULL, 10);
    return holds(node->relation, left < right ? -1 : left > right);
}

static bool compare(const struct node *node, const struct row *row, struct entity *properties) {
    if (strcmp(node->name, "PartitionKey") == 0) {
        return holds(node->relation, strcmp(row->partition->key, node->literal));
    }
    if (strcmp(node->name, "RowKey") == 0) {
        return holds(node->relation, strcmp(row->key, node->literal));
    }
    if (properties->count == 0 && !entity_read((struct text){row->properties, row->properties_length}, properties)) {
        return false;
    }
    return compare_property(node, properties);
}

static bool matches(const struct filter *filter, int at, const struct row *row, struct entity *properties) {
    const struct node *node = &filter->nodes[at];
    switch (node->kind) {
    case AND:
        return matches(filter, node->left, row, properties) && matches(filter, node->right, row, properties);
    case OR:
        return matches(filter, node->left, row, properties) || matches(filter, node->right, row, properties);
    case NOT:
        return !matches(filter, node->left, row, properties);
    case COMPARISON:
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

static const struct node *find_bound(const struct filter *filter, int at, const char *name, const char *relations) {
    const struct node *node = &filter->nodes[at];
    if (node->kind == AND) {
        const struct node *left = find_bound(filter, node->left, name, relations);
        return left != NULL ? left : find_bound(filter, node->right, name, relations);
    }
    bool is_bound =
        node->kind == COMPARISON && strcmp(node->name, name) == 0 && strstr(relations, node->relation) != NULL;
    return is_bound ? node : NULL;
}

bool filter_partition(const struct filter *filter, char out[ENTITY_KEY_BYTES]) {
    const struct node *node = find_bound(filter, filter->root, "PartitionKey", "eq");
    if (node == NULL) {
        return false;
    }
    snprintf(out, ENTITY_KEY_BYTES, "%.*s", ENTITY_KEY_BYTES - 1, node->literal);
    return true;
}

void filter_first_row(const struct filter *filter, char out[ENTITY_KEY_BYTES]) {
    const struct node *node = find_bound(filter, filter->root, "RowKey", "eq ge gt");
    snprintf(out, ENTITY_KEY_BYTES, "%.*s", ENTITY_KEY_BYTES - 1, node == NULL ? "" : node->literal);
}

bool filter_is_beyond(const struct filter *filter, const char *key) {
    const struct node *node = find_bound(filter, filter->root, "RowKey", "eq lt le");
    return node != NULL && strcmp(key, node->literal) > 0;
}
