/*
 * Goal: a receipt that is read is written to the same bytes, opening is never
 * kinder than reading, and what was opened can be asked everything.
 * Input: a receipt.
 */
#include <stdlib.h>

#include "base/wr.h"
#include "storage/receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = {data, len};
    uint8_t buf[RECEIPT_BYTES_MAX];
    struct wr w = wr_init(buf, sizeof(buf));
    struct storage_receipt receipt;
    struct checked_receipt checked;
    struct bytes out;
    enum err err = receipt_decode(in, &receipt);
    enum err open_err = receipt_open(in, &checked);

    if (err != OK) {
        must(err_is_peer_fault(err));
        must(open_err == err);
        return 0;
    }
    receipt_encode(&w, &receipt);
    must(wr_finish(&w, &out) == OK);
    must(bytes_eq(out, in));
    must(open_err == OK || open_err == E_MISMATCH);
    if (open_err != OK)
        return 0;
    must(!receipt_replaces(&checked, &checked));
    must(receipt_check(&checked, receipt.network, 1000 * receipt.until_s) ==
         OBJECT_EXPIRED);
    return 0;
}
