/* Preloaded into a process under test: counts the calls that change files below a folder, and at
 * the n-th one kills the process group or lets the call fail.
 *
 * The file named by FKP_SHIM is shared by all processes of a run, see struct control. */
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
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROW = 2 };

struct control {
    int error;       /* 0: kill; otherwise the errno with which a call fails */
    int lasting;     /* whether all later calls that need room fail, too */
    int at;          /* number of the call, from 0; -1: only count */
    int calls;       /* so far */
    int hit;         /* whether that call came */
    int row;         /* writes to one file, one after the other */
    char below[PATH_MAX]; /* the folder; empty: do nothing */
    char last[PATH_MAX];  /* the file that was written to */
};

static struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FKP_SHIM");
    if (!path) return;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *place = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (place != MAP_FAILED) control = place;
}

static int is_below(const char *path) {
    size_t length = strlen(control->below);
    const char *last = strrchr(path, '/');
    if (last && strcmp(last, "/.lock") == 0) return 0;
    return strncmp(path, control->below, length) == 0 &&
           (path[length] == '/' || path[length] == 0);
}

/* Whether a call fails, with errno set. room: whether it needs room on the disk; row: whether it
 * is one of many like it, of which only the first ones count. */
static int fails(const char *path, int room, int row) {
    if (!is_below(path)) return 0;
    if (row && strcmp(path, control->last) == 0) {
        if (++control->row > ROW && !(control->hit && control->lasting)) return 0;
    } else {
        control->row = 0;
        strncpy(control->last, row ? path : "", PATH_MAX - 1);
    }
    int number = __atomic_fetch_add(&control->calls, 1, __ATOMIC_SEQ_CST);
    int now = number == control->at;
    if (control->at < 0 || (!now && !(control->lasting && number > control->at && room))) return 0;
    control->hit = 1;
    if (!control->error) {
        kill(0, SIGKILL);
        pause();
    }
    if (control->lasting && !room) return 0; /* a full disk can be cleared up */
    errno = control->error;
    return 1;
}

static int path_fails(int folder, const char *path, int room) {
    char whole[2 * PATH_MAX], start[PATH_MAX] = "";
    if (!control || !control->below[0] || !path) return 0;
    if (path[0] != '/') {
        if (folder == AT_FDCWD) {
            if (!getcwd(start, sizeof start)) return 0;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            ssize_t length = readlink(link, start, sizeof start - 1);
            if (length < 0) return 0;
            start[length] = 0;
        }
    }
    snprintf(whole, sizeof whole, "%s%s%s", start, path[0] == '/' ? "" : "/", path);
    return fails(whole, room, 0);
}

static int file_fails(int file, int room, int row) {
    char link[64], path[PATH_MAX];
    if (!control || !control->below[0] || file < 3) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails(path, room, row);
}

static int opens(int folder, const char *path, int flags) {
    return (flags & (O_CREAT | O_TRUNC)) && path_fails(folder, path, 1);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define MODE(flags, last) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, last); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, flags)
    return opens(AT_FDCWD, path, flags) ? -1 : NEXT(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE(flags, flags)
    return opens(AT_FDCWD, path, flags) ? -1 : NEXT(open64)(path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
    MODE(flags, flags)
    return opens(folder, path, flags) ? -1 : NEXT(openat)(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags, flags)
    return opens(folder, path, flags) ? -1 : NEXT(openat64)(folder, path, flags, mode);
}
int creat(const char *path, mode_t mode) {
    return path_fails(AT_FDCWD, path, 1) ? -1 : NEXT(creat)(path, mode);
}
FILE *fopen(const char *path, const char *mode) {
    if (mode[0] != 'r' && path_fails(AT_FDCWD, path, 1)) return NULL;
    return NEXT(fopen)(path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
    if (mode[0] != 'r' && path_fails(AT_FDCWD, path, 1)) return NULL;
    return NEXT(fopen64)(path, mode);
}

ssize_t write(int file, const void *data, size_t size) {
    return file_fails(file, 1, 1) ? -1 : NEXT(write)(file, data, size);
}
ssize_t writev(int file, const struct iovec *data, int count) {
    return file_fails(file, 1, 1) ? -1 : NEXT(writev)(file, data, count);
}
ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    return file_fails(file, 1, 1) ? -1 : NEXT(pwrite)(file, data, size, at);
}
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    return file_fails(file, 1, 1) ? -1 : NEXT(pwrite64)(file, data, size, at);
}
size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    return file_fails(fileno(file), 1, 1) ? 0 : NEXT(fwrite)(data, size, count, file);
}
ssize_t sendfile(int to, int from, off_t *at, size_t size) {
    return file_fails(to, 1, 1) ? -1 : NEXT(sendfile)(to, from, at, size);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t size) {
    return file_fails(to, 1, 1) ? -1 : NEXT(sendfile64)(to, from, at, size);
}
int fsync(int file) { return file_fails(file, 1, 0) ? -1 : NEXT(fsync)(file); }
int ftruncate(int file, off_t size) { return file_fails(file, 0, 0) ? -1 : NEXT(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) {
    return file_fails(file, 0, 0) ? -1 : NEXT(ftruncate64)(file, size);
}
int truncate(const char *path, off_t size) {
    return path_fails(AT_FDCWD, path, 0) ? -1 : NEXT(truncate)(path, size);
}
int truncate64(const char *path, off64_t size) {
    return path_fails(AT_FDCWD, path, 0) ? -1 : NEXT(truncate64)(path, size);
}
int mkdir(const char *path, mode_t mode) {
    return path_fails(AT_FDCWD, path, 1) ? -1 : NEXT(mkdir)(path, mode);
}
int rmdir(const char *path) { return path_fails(AT_FDCWD, path, 0) ? -1 : NEXT(rmdir)(path); }
int unlink(const char *path) { return path_fails(AT_FDCWD, path, 0) ? -1 : NEXT(unlink)(path); }
int unlinkat(int folder, const char *path, int flags) {
    return path_fails(folder, path, 0) ? -1 : NEXT(unlinkat)(folder, path, flags);
}
int rename(const char *old, const char *path) {
    return path_fails(AT_FDCWD, path, 0) ? -1 : NEXT(rename)(old, path);
}
