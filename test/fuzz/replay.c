/*
 * Runs a fuzz target over the files of one folder, so that builds without
 * libFuzzer replay its corpus.
 *
 * Usage: fuzz_<name> DIR
 *
 * Fails when the folder has no file: an empty corpus tests nothing.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Each input gets memory of exactly its length, so that the address sanitizer
 * sees the first byte read past its end. */
static bool replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    uint8_t *data = malloc(size > 0 ? size : 1);
    bool done = data != NULL && fread(data, 1, size, file) == size;
    if (done)
        LLVMFuzzerTestOneInput(data, size);
    else
        fprintf(stderr, "%s: cannot read %zu bytes\n", path, size);
    free(data);
    (void)fclose(file); /* was only read */
    return done;
}

static bool replay_entry(const char *dir, const char *name, size_t *count)
{
    char path[4096];
    int len = snprintf(path, sizeof(path), "%s/%s", dir, name);
    struct stat status;
    if (len < 0 || (size_t)len >= sizeof(path) || stat(path, &status) != 0) {
        fprintf(stderr, "%s/%s: cannot be found\n", dir, name);
        return false;
    }
    if (!S_ISREG(status.st_mode))
        return true;
    *count += 1;
    return replay_file(path, (size_t)status.st_size);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    struct dirent **entries;
    int entry_count = scandir(argv[1], &entries, NULL, alphasort);
    if (entry_count < 0) {
        perror(argv[1]);
        return 1;
    }
    bool good = true;
    size_t count = 0;
    for (int i = 0; i < entry_count; i++) {
        good = replay_entry(argv[1], entries[i]->d_name, &count) && good;
        free(entries[i]);
    }
    free(entries);
    if (count == 0)
        fprintf(stderr, "%s: the corpus is empty\n", argv[1]);
    printf("%zu inputs replayed\n", count);
    return good && count > 0 ? 0 : 1;
}
