#include "sim/web.h"

#include <assert.h>

static enum err do_get(struct web *w, struct web_get *g)
{
    (void)w;
    (void)g;
    return E_UNSUPPORTED;
}

static void do_cancel(struct web *w, struct web_get *g)
{
    (void)w;
    (void)g;
    assert(false); /* none is ever under way */
}

void sim_web_init(struct web *w)
{
    *w = (struct web){.get = do_get, .cancel = do_cancel};
}
