/* Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
 *
 * SPDX-License-Identifier: (Apache-2.0 OR MIT)
 *
 * For LD_PRELOAD: counts what a process and its children change below a directory, and lets one
 * of these operations fail. These processes and the test see the struct in a file: of each that is
 * started it is FAULTS_STATE, the test itself tells it by faults_attach.
 *
 * What the C library calls within itself is not seen: so fwrite is one operation, as write is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NONE, KILL_BEFORE, KILL_AFTER, KILL_GROUP, TORN, SHORT, ONCE, FROM_NOW_ON, LOST };

#define OPERATIONS 4096

struct state {
    long count;      /* operations so far */
    long at;         /* the one that fails */
    int kind;        /* how */
    int error;       /* errno for ONCE and FROM_NOW_ON */
    long fired;      /* how many have failed */
    char under[PATH_MAX];
    char names[OPERATIONS][8]; /* of the operations so far */
};

static struct state *state;

void faults_attach(const char *path) {
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return;
    void *found = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (found != MAP_FAILED)
        state = found;
}

__attribute__((constructor)) static void attach(void) {
    faults_attach(getenv("FAULTS_STATE"));
}

static int below(const char *path) {
    size_t length = strlen(state->under);
    return length && !strncmp(path, state->under, length) && (path[length] == '/' || !path[length]);
}

static int of_descriptor(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return 1;
}

static int is_below(int directory, const char *name) {
    char path[2 * PATH_MAX];
    if (!state || !state->at || !name)
        return 0;
    if (name[0] == '/')
        return below(name);
    if (directory == AT_FDCWD ? !getcwd(path, PATH_MAX) : !of_descriptor(directory, path))
        return 0;
    strncat(path, "/", 2);
    strncat(path, name, PATH_MAX - 1);
    return below(path);
}

static int descriptor_below(int descriptor) {
    char path[PATH_MAX];
    return state && state->at && of_descriptor(descriptor, path) && below(path);
}

/* Whether a descriptor was written to, and from now on is so. */
static int remember(int descriptor, int now) {
    static char written[1024];
    if (descriptor < 0 || descriptor >= (int)sizeof written)
        return 0;
    int before = written[descriptor];
    written[descriptor] = now;
    return before;
}

/* A full disk takes what makes room, and what needs none. */
static int needs_room(const char *what) {
    return strcmp(what, "unlink") && strcmp(what, "rmdir") && strcmp(what, "chmod")
        && strcmp(what, "utime");
}

/* Whether to go on; else errno is set. ``due`` is set to what is to be done beside it or after. */
static int begin(const char *what, int *due) {
    int keep = errno;
    long number = __sync_add_and_fetch(&state->count, 1);
    *due = NONE;
    if (number <= OPERATIONS)
        strncpy(state->names[number - 1], what, sizeof state->names[0]);
    if (state->at < 0 || number < state->at || (number > state->at && state->kind != FROM_NOW_ON))
        return 1;
    if ((state->error == ENOSPC || state->error == EDQUOT) && !needs_room(what))
        return 1;
    state->fired++;
    if (state->kind == KILL_BEFORE)
        kill(getpid(), SIGKILL);
    if (state->kind == KILL_GROUP)
        kill(0, SIGKILL);
    errno = state->error;
    if (state->kind == ONCE || state->kind == FROM_NOW_ON)
        return 0;
    errno = keep;
    *due = state->kind;
    return 1;
}

/* The result that is told of an operation; NFS may do one, lose the answer, and try it again. */
static long end(long result, int due) {
    if (due == KILL_AFTER)
        kill(getpid(), SIGKILL);
    if (due == LOST && result >= 0) {
        errno = state->error;
        return -1;
    }
    return result;
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) \
        real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define GUARDED(counts, what, call) \
    int due = NONE; \
    if ((counts) && !begin(what, &due)) \
        return -1; \
    return end(call, due)

#define CHANGES (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

#define OPEN(name, directory, ...) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list arguments; \
        va_start(arguments, flags); \
        mode = va_arg(arguments, mode_t); \
        va_end(arguments); \
    } \
    GUARDED((flags & CHANGES) && is_below(directory, path), "open", real(__VA_ARGS__, flags, mode))

int open(const char *path, int flags, ...) {
    REAL(int, open, const char *, int, ...);
    OPEN(open, AT_FDCWD, path);
}

int open64(const char *path, int flags, ...) {
    REAL(int, open64, const char *, int, ...);
    OPEN(open64, AT_FDCWD, path);
}

int openat(int at, const char *path, int flags, ...) {
    REAL(int, openat, int, const char *, int, ...);
    OPEN(openat, at, at, path);
}

int openat64(int at, const char *path, int flags, ...) {
    REAL(int, openat64, int, const char *, int, ...);
    OPEN(openat64, at, at, path);
}

ssize_t write(int descriptor, const void *data, size_t count) {
    REAL(ssize_t, write, int, const void *, size_t);
    int due = NONE;
    if (descriptor_below(descriptor)) {
        if (!begin("write", &due))
            return -1;
        remember(descriptor, 1);
    }
    if (due == TORN || due == SHORT)
        count = (count + 1) / 2;
    return end(real(descriptor, data, count), due == TORN ? KILL_AFTER : due);
}

static size_t put(const void *data, size_t size, size_t count, FILE *stream,
                  size_t (*real)(const void *, size_t, size_t, FILE *)) {
    int due = NONE;
    if (size && count && descriptor_below(fileno(stream)) && !begin("write", &due))
        return 0;
    if (due == TORN || due == SHORT)
        count = size == 1 ? (count + 1) / 2 : count - 1;
    size_t written = real(data, size, count, stream);
    if (due == TORN)
        fflush(stream);
    if (due == SHORT)
        errno = ENOSPC; /* Unlike that of write its short result is an error. */
    end(0, due == TORN ? KILL_AFTER : due);
    return written;
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *stream) {
    REAL(size_t, fwrite, const void *, size_t, size_t, FILE *);
    return put(data, size, count, stream, real);
}

#undef fwrite_unlocked /* A macro of glibc's. */

size_t fwrite_unlocked(const void *data, size_t size, size_t count, FILE *stream) {
    REAL(size_t, fwrite_unlocked, const void *, size_t, size_t, FILE *);
    return put(data, size, count, stream, real);
}

/* As NFS says only here what became of a write. The descriptor is closed all the same. */
int close(int descriptor) {
    REAL(int, close, int);
    int due = NONE;
    int counts = remember(descriptor, 0) && descriptor_below(descriptor);
    if (counts && !begin("close", &due)) {
        int error = errno;
        real(descriptor);
        errno = error;
        return -1;
    }
    return end(real(descriptor), due);
}

int rename(const char *old, const char *new) {
    REAL(int, rename, const char *, const char *);
    GUARDED(is_below(AT_FDCWD, new), "rename", real(old, new));
}

int renameat(int from, const char *old, int to, const char *new) {
    REAL(int, renameat, int, const char *, int, const char *);
    GUARDED(is_below(to, new), "rename", real(from, old, to, new));
}

int renameat2(int from, const char *old, int to, const char *new, unsigned int flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned int);
    GUARDED(is_below(to, new), "rename", real(from, old, to, new, flags));
}

int fsync(int descriptor) {
    REAL(int, fsync, int);
    GUARDED(descriptor_below(descriptor), "fsync", real(descriptor));
}

int fdatasync(int descriptor) {
    REAL(int, fdatasync, int);
    GUARDED(descriptor_below(descriptor), "fsync", real(descriptor));
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    GUARDED(is_below(AT_FDCWD, path), "mkdir", real(path, mode));
}

int mkdirat(int at, const char *path, mode_t mode) {
    REAL(int, mkdirat, int, const char *, mode_t);
    GUARDED(is_below(at, path), "mkdir", real(at, path, mode));
}

int link(const char *old, const char *new) {
    REAL(int, link, const char *, const char *);
    GUARDED(is_below(AT_FDCWD, new), "link", real(old, new));
}

int linkat(int from, const char *old, int to, const char *new, int flags) {
    REAL(int, linkat, int, const char *, int, const char *, int);
    GUARDED(is_below(to, new), "link", real(from, old, to, new, flags));
}

int symlink(const char *target, const char *path) {
    REAL(int, symlink, const char *, const char *);
    GUARDED(is_below(AT_FDCWD, path), "symlink", real(target, path));
}

int symlinkat(const char *target, int at, const char *path) {
    REAL(int, symlinkat, const char *, int, const char *);
    GUARDED(is_below(at, path), "symlink", real(target, at, path));
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    GUARDED(is_below(AT_FDCWD, path), "unlink", real(path));
}

int unlinkat(int at, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    GUARDED(is_below(at, path), flags & AT_REMOVEDIR ? "rmdir" : "unlink", real(at, path, flags));
}

int rmdir(const char *path) {
    REAL(int, rmdir, const char *);
    GUARDED(is_below(AT_FDCWD, path), "rmdir", real(path));
}

int ftruncate(int descriptor, off_t length) {
    REAL(int, ftruncate, int, off_t);
    GUARDED(descriptor_below(descriptor), "trunc", real(descriptor, length));
}

int ftruncate64(int descriptor, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    GUARDED(descriptor_below(descriptor), "trunc", real(descriptor, length));
}

int chmod(const char *path, mode_t mode) {
    REAL(int, chmod, const char *, mode_t);
    GUARDED(is_below(AT_FDCWD, path), "chmod", real(path, mode));
}

int fchmod(int descriptor, mode_t mode) {
    REAL(int, fchmod, int, mode_t);
    GUARDED(descriptor_below(descriptor), "chmod", real(descriptor, mode));
}

int fchmodat(int at, const char *path, mode_t mode, int flags) {
    REAL(int, fchmodat, int, const char *, mode_t, int);
    GUARDED(is_below(at, path), "chmod", real(at, path, mode, flags));
}

int utimensat(int at, const char *path, const struct timespec times[2], int flags) {
    REAL(int, utimensat, int, const char *, const struct timespec *, int);
    GUARDED(is_below(at, path), "utime", real(at, path, times, flags));
}

int futimens(int descriptor, const struct timespec times[2]) {
    REAL(int, futimens, int, const struct timespec *);
    GUARDED(descriptor_below(descriptor), "utime", real(descriptor, times));
}
