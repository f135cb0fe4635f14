#include "counts.h"

struct counts counts_now;

void counts_write(struct strbuf *out) {
#define WRITE(name) \
    strbuf_appendf(out, "%c\"" #name "\":%lld", out->length == 0 ? '{' : ',', (long long)counts_now.name);
    COUNTS(WRITE)
#undef WRITE
    strbuf_append_char(out, '}');
}
