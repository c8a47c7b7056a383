#include "node/fault.h"

#include <string.h>

#include "base/strbuf.h"

void fault_set(struct fault *f, enum error_id id, const char *what,
               struct bytes where)
{
    struct strbuf s;

    strbuf_init(&s, FAULT_TEXT_MAX - 1);
    strbuf_str(&s, what != NULL ? what : error_info(id)->title);
    if (where.len > 0) {
        strbuf_str(&s, ": ");
        /* A place that is too long keeps its beginning. */
        size_t room = FAULT_TEXT_MAX - 1 - s.len;
        size_t len = where.len < room / 4 ? where.len : room / 4;
        strbuf_escape(&s, bytes_sub(where, 0, len));
        if (len < where.len)
            strbuf_str(&s, "...");
    }
    f->id = id;
    memcpy(f->text, strbuf_cstr(&s), s.len + 1);
    strbuf_release(&s);
}

void fault_from_err(struct fault *f, enum err err, const char *what,
                    struct bytes where)
{
    fault_set(f, error_of_err(err), err == E_NOSPACE ? NULL : what, where);
}
