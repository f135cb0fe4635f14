#include "leasectl/blob_list.h"

#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The depth of elements: EnumerationResults > Blobs > Blob > Properties or Metadata > a member. */
enum depth { DEPTH_TOP = 1, DEPTH_BLOBS, DEPTH_BLOB, DEPTH_PART, DEPTH_MEMBER };

struct page {
    XML_Parser parser;
    blob_list_visitor visit;
    void *context;
    struct strbuf *marker;
    struct strbuf text; /* of the element that started last */
    struct blob_item item;
    int depth;
    bool in_metadata;
    bool is_list; /* the top element is EnumerationResults */
    enum status status;
    struct error failure;
};

static void on_start(void *context, const char *name, const char **attributes) {
    struct page *page = context;
    (void)attributes;
    page->depth++;
    strbuf_clear(&page->text);
    if (page->depth == DEPTH_TOP) {
        page->is_list = strcmp(name, "EnumerationResults") == 0;
    } else if (page->depth == DEPTH_BLOB) {
        page->item = (struct blob_item){0};
    } else if (page->depth == DEPTH_PART) {
        page->in_metadata = strcmp(name, "Metadata") == 0;
    }
}

static void on_text(void *context, const char *text, int length) {
    struct page *page = context;
    strbuf_append(&page->text, text, (size_t)length);
}

/*
 * A text that does not fit was not written by us. It is left out, since half of it would mislead.
 */
static void copy_text(const struct page *page, char *out, size_t size) {
    if (strbuf_status(&page->text) == STATUS_OK && page->text.length < size) {
        memcpy(out, page->text.data, page->text.length + 1);
    }
}

static void read_member(struct page *page, const char *name) {
    struct blob_item *item = &page->item;
    if (page->in_metadata) {
        if (strcasecmp(name, "createdAt") == 0) {
            copy_text(page, item->created_at, sizeof item->created_at);
        }
    } else if (strcmp(name, "LeaseState") == 0) {
        copy_text(page, item->lease_state, sizeof item->lease_state);
    } else if (strcmp(name, "LeaseDuration") == 0) {
        copy_text(page, item->lease_duration, sizeof item->lease_duration);
    }
}

static void page_fail(struct page *page, enum status status) {
    page->status = status;
    XML_StopParser(page->parser, XML_FALSE);
}

/* Returns a text that must be complete. If it was too long for the buffer, the page fails. */
static const char *complete_text(struct page *page, const char *name) {
    enum status status = strbuf_status(&page->text);
    if (status != STATUS_OK) {
        page_fail(page, error_set(&page->failure, STATUS_MALFORMED, "the %s in a list of blobs: %s",
                                  name, status_text(status)));
    }
    return page->text.data;
}

static void visit_blob(struct page *page) {
    enum status status = page->visit(page->context, &page->item, &page->failure);
    if (status != STATUS_OK) {
        page_fail(page, status);
    }
}

static void on_end(void *context, const char *name) {
    struct page *page = context;
    if (page->depth == DEPTH_MEMBER) {
        read_member(page, name);
    } else if (page->depth == DEPTH_PART && strcmp(name, "Name") == 0) {
        snprintf(page->item.name, sizeof page->item.name, "%s", complete_text(page, name));
    } else if (page->depth == DEPTH_BLOB && strcmp(name, "Blob") == 0) {
        visit_blob(page);
    } else if (page->depth == DEPTH_BLOBS && strcmp(name, "NextMarker") == 0) {
        strbuf_append_string(page->marker, complete_text(page, name));
    }
    page->depth--;
}

static enum status parse_page(struct page *page, const char *xml, size_t length,
                              struct error *err) {
    XML_SetUserData(page->parser, page);
    XML_SetElementHandler(page->parser, on_start, on_end);
    XML_SetCharacterDataHandler(page->parser, on_text);
    enum XML_Status parsed =
        length > INT_MAX ? XML_STATUS_ERROR : XML_Parse(page->parser, xml, (int)length, 1);
    if (page->status != STATUS_OK) {
        if (err != NULL) {
            *err = page->failure;
        }
        return page->status;
    }
    if (parsed != XML_STATUS_OK || !page->is_list) {
        return error_set(err, STATUS_MALFORMED,
                         "the blob service's list is not the expected XML: %s",
                         page->is_list ? XML_ErrorString(XML_GetErrorCode(page->parser))
                                       : "no EnumerationResults");
    }
    return strbuf_status(page->marker) == STATUS_OK
               ? STATUS_OK
               : error_set(err, STATUS_MALFORMED, "the marker in a list of blobs is too long");
}

enum status blob_list_read_page(const char *xml, size_t length, blob_list_visitor visit,
                                void *context, struct strbuf *marker, struct error *err) {
    struct page page = {.visit = visit, .context = context, .marker = marker};
    page.parser = XML_ParserCreate(NULL);
    if (page.parser == NULL) {
        return error_set(err, STATUS_NO_MEMORY, "no memory for an XML parser");
    }
    strbuf_init(&page.text, BLOB_LIST_TEXT_BYTES - 1);
    strbuf_clear(marker);
    enum status status = parse_page(&page, xml, length, err);
    strbuf_cleanup(&page.text);
    XML_ParserFree(page.parser);
    return status;
}

static enum status list_page(struct storage_client *client, const char *container,
                             const char *prefix, int64_t deadline_ms, struct strbuf *marker,
                             blob_list_visitor visit, void *context, struct error *err) {
    struct storage_request request;
    storage_request_init(&request, STORAGE_BLOB, "GET", 200);
    strbuf_append_char(&request.path, '/');
    strbuf_append_percent_encoded(&request.path, container);
    http_headers_add(&request.query, "restype", "container");
    http_headers_add(&request.query, "comp", "list");
    http_headers_add(&request.query, "include", "metadata");
    if (prefix[0] != '\0') {
        http_headers_add(&request.query, "prefix", prefix);
    }
    if (marker->length > 0) {
        http_headers_add(&request.query, "marker", marker->data);
    }
    struct http_reply reply;
    http_reply_init(&reply);
    enum status status = storage_client_send(client, &request, deadline_ms, &reply, err);
    if (status == STATUS_OK) {
        status =
            blob_list_read_page(reply.body.data, reply.body.length, visit, context, marker, err);
    }
    http_reply_cleanup(&reply);
    storage_request_cleanup(&request);
    return status;
}

enum status blob_list(struct storage_client *client, const char *container, const char *prefix,
                      int64_t deadline_ms, blob_list_visitor visit, void *context,
                      struct error *err) {
    struct strbuf marker;
    strbuf_init(&marker, BLOB_LIST_TEXT_BYTES - 1);
    enum status status;
    do {
        status = list_page(client, container, prefix, deadline_ms, &marker, visit, context, err);
    } while (status == STATUS_OK && marker.length > 0);
    strbuf_cleanup(&marker);
    if (status != STATUS_OK) {
        error_wrap(err, "listing the container %s", container);
    }
    return status;
}
