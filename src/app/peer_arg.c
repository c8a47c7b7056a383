#include "app/peer_arg.h"

#include <stddef.h>
#include <string.h>

const char *peer_arg(const char *text)
{
    const char *at = strstr(text, "/p2p/");
    const char *last = NULL;

    while (at != NULL) {
        last = at + strlen("/p2p/");
        at = strstr(last, "/p2p/");
    }
    return last != NULL ? last : text;
}
