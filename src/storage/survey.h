#ifndef STORAGE_SURVEY_H
#define STORAGE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/bytes.h"
#include "base/err.h"
#include "multiformats/cid.h"
#include "multiformats/peer_id.h"

struct keeper_status;
struct survey;
struct wr;

/*
 * survey - what a stranger learns of a root by asking others: who wants it
 * kept, by which policy, and who keeps it.
 *
 * Nothing is believed but signatures: a record is its owner's word, a receipt
 * its holder's.  A copy counts when its holder showed the receipt itself; what
 * others show of a holder says whom to ask.  A holder that answered and did
 * not show its own receipt holds nothing any more.
 *
 * Pure: the time and the answers come in; whom to ask is for the caller to
 * find out and to carry out.
 *
 * Spec: docs/protocol/storage.md, "about".
 */

enum {
    SURVEY_OWNERS_MAX = 64,  /* looked at; the others are left out */
    SURVEY_OWNERS_EACH = 16, /* first heard of from one peer */
    SURVEY_COPIES_MAX = 32,  /* of one object */
    SURVEY_HASHES_MAX = 8,   /* records of one object that were seen */
    SURVEY_PAGES_MAX = 4,    /* asked of one peer */
    SURVEY_NAMES_MAX = 64,   /* peers named, of all answers */
    SURVEY_NAMES_EACH = 16,  /* of one answer */
    SURVEY_CURSOR_MAX = 64,  /* bytes */
};

/** struct survey_page - where the next page of a peer begins. */
struct survey_page {
    uint8_t cursor[SURVEY_CURSOR_MAX];
    size_t len; /* 0: the first; as an answer: there are no more */
};

/**
 * survey_new - nobody was asked yet.
 * @network: name of our network; copied.
 * @root: one that an object may have, so of version 1 (asserted).
 */
MUST_USE struct survey *survey_new(const char *network, const struct cid *root);

/** survey_free - NULL does nothing. */
void survey_free(struct survey *s);

/** survey_ask - the request for @page; room for STORAGE_MESSAGE_BYTES_MAX. */
void survey_ask(const struct survey *s, const struct survey_page *page,
                struct wr *w);

/**
 * survey_take - @from answered.
 * @message: one message, without its length; borrowed.
 * @now_ms: unix.
 * @ret_next: written with OK and E_MISMATCH: where it goes on, where len > 0.
 *
 * What is good in it is taken, whatever else there is.
 *
 * Return: OK; E_REFUSED when it knows nothing to answer; E_MISMATCH when a
 * record or receipt in it is forged or about something else, E_MALFORMED and
 * its like for bytes that are no answer: the peer is at fault.
 */
MUST_USE enum err survey_take(struct survey *s, const struct peer_id *from,
                              struct bytes message, uint64_t now_ms,
                              struct survey_page *ret_next);

/** survey_told_all - the last page of @from was taken: what it did not say of
 * itself is not so. */
void survey_told_all(struct survey *s, const struct peer_id *from);

/** survey_names - peers that were named as owner or holder, in the order in
 * which they came; @ret_count of them, valid until the next survey_take(). */
const struct peer_id *survey_names(const struct survey *s, size_t *ret_count);

/** survey_count - objects with that root, one an owner; those that their
 * owner released and nobody keeps are left out. */
size_t survey_count(const struct survey *s);

/** survey_is_released - an owner has released it, and it is no object. */
bool survey_is_released(const struct survey *s);

/** survey_is_whole - there is one, and of each as many holders as wanted have
 * shown their receipts themselves. */
bool survey_is_whole(const struct survey *s);

/**
 * survey_status - object @index below survey_count(), those with most copies
 * first.
 *
 * As an owner's status, but for what a stranger cannot know: no copy is
 * VERIFIED, a holder that did not answer is SILENT and does not count, and
 * the state is one of LOCAL (its owner has it, no copy is known), ANNOUNCED,
 * PARTIAL, STORED, RELEASING.
 */
void survey_status(const struct survey *s, size_t index,
                   struct keeper_status *ret_status);

#endif /* STORAGE_SURVEY_H */
