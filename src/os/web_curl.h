#ifndef OS_WEB_CURL_H
#define OS_WEB_CURL_H

#include "base/attr.h"
#include "env/web.h"

struct os_loop;
struct os_web;

/* web_curl - requests to web servers, by libcurl on the loop. */

/** os_web_new - the web on @loop; costs nothing until the first request. */
MUST_USE struct os_web *os_web_new(struct os_loop *loop);

/** os_web_env - as the node sees it. */
struct web *os_web_env(struct os_web *w);

/** os_web_free - end what is under way, without a word; NULL does nothing. */
void os_web_free(struct os_web *w);

#endif /* OS_WEB_CURL_H */
