#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/**
 * struct list - link of a circular, doubly linked list.
 *
 * The same struct is the head and is embedded in each element.  An element
 * that is in no list points at itself, so that list_remove() may be repeated.
 */
struct list {
    struct list *next;
    struct list *prev;
};

/** list_init - make @l an empty head, or a link that is in no list. */
static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

/** list_empty - true when head @l has no elements, or link @l is in none. */
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

/** list_add_tail - append @link, which is in no list, to @head's list. */
static inline void list_add_tail(struct list *head, struct list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/** list_add_head - put @link, which is in no list, first in @head's list. */
static inline void list_add_head(struct list *head, struct list *link)
{
    list_add_tail(head->next, link);
}

/** list_remove - take @link out of its list; harmless when it is in none. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/** list_first - first link of a list that is not empty. */
static inline struct list *list_first(const struct list *head)
{
    return head->next;
}

/** list_for_each - @it walks the links of @head; do not remove @it. */
#define list_for_each(it, head)                                                \
    for (struct list *it = (head)->next; it != (head); it = it->next)

/** list_for_each_safe - as list_for_each, and @it may be removed. */
#define list_for_each_safe(it, head)                                           \
    for (struct list *it = (head)->next, *it##_next = it->next; it != (head);  \
         it = it##_next, it##_next = it->next)

#endif /* BASE_LIST_H */
