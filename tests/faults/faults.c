/* Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
 *
 * SPDX-License-Identifier: (Apache-2.0 OR MIT)
 *
 * For LD_PRELOAD: counts what a process and its children change below a directory, and lets one
 * of these operations fail. Both processes and the test see the struct in the file FAULTS_STATE.
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

enum { NONE, KILL_BEFORE, KILL_AFTER, TORN, SHORT, ONCE, FROM_NOW_ON };

struct state {
    long count;      /* operations so far */
    long at;         /* the one that fails */
    int kind;        /* how */
    int error;       /* errno for ONCE and FROM_NOW_ON */
    long fired;      /* how many have failed */
    char under[PATH_MAX];
    char last[256];  /* what failed */
};

static struct state *state;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("FAULTS_STATE");
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return;
    void *found = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (found != MAP_FAILED)
        state = found;
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

/* Whether to go on; else errno is set. ``torn`` is set where a write is to be cut. */
static int begin(const char *what, int *after, int *torn) {
    int keep = errno;
    long number = __sync_add_and_fetch(&state->count, 1);
    int due = number == state->at || (state->kind == FROM_NOW_ON && number > state->at);
    *after = *torn = 0;
    if (state->at < 0 || !due)
        return 1;
    state->fired++;
    if (number == state->at)
        snprintf(state->last, sizeof state->last, "%s", what);
    if (state->kind == KILL_BEFORE)
        kill(getpid(), SIGKILL);
    *after = state->kind == KILL_AFTER;
    *torn = state->kind == TORN || state->kind == SHORT;
    if (state->kind == ONCE || state->kind == FROM_NOW_ON) {
        /* A full disk takes what makes room, and what needs none. */
        int makes_room = !strncmp(what, "unlink", 6) || !strncmp(what, "rmdir", 5)
            || !strncmp(what, "chmod", 5);
        if ((state->error == ENOSPC || state->error == EDQUOT) && makes_room)
            return 1;
        errno = state->error;
        return 0;
    }
    errno = keep;
    return 1;
}

static void end(int after) {
    if (after)
        kill(getpid(), SIGKILL);
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) \
        real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define GUARDED(counts, what, call) \
    int after = 0, torn = 0; \
    if ((counts) && !begin(what, &after, &torn)) \
        return -1; \
    int result = call; \
    end(after); \
    return result

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
    int after = 0, torn = 0;
    if (descriptor_below(descriptor) && !begin("write", &after, &torn))
        return -1;
    if (torn) {
        ssize_t written = real(descriptor, data, count > 1 ? count / 2 : count);
        end(state->kind == TORN);
        return written;
    }
    ssize_t written = real(descriptor, data, count);
    end(after);
    return written;
}

int rename(const char *old, const char *new) {
    REAL(int, rename, const char *, const char *);
    GUARDED(is_below(AT_FDCWD, new), "rename", real(old, new));
}

int renameat(int from, const char *old, int to, const char *new) {
    REAL(int, renameat, int, const char *, int, const char *);
    GUARDED(is_below(to, new), "rename", real(from, old, to, new));
}

int fsync(int descriptor) {
    REAL(int, fsync, int);
    GUARDED(descriptor_below(descriptor), "fsync", real(descriptor));
}

int fdatasync(int descriptor) {
    REAL(int, fdatasync, int);
    GUARDED(descriptor_below(descriptor), "fdatasync", real(descriptor));
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
    GUARDED(descriptor_below(descriptor), "ftruncate", real(descriptor, length));
}

int ftruncate64(int descriptor, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    GUARDED(descriptor_below(descriptor), "ftruncate", real(descriptor, length));
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
