/* Remembers how to undo every write that was not synced, so that a test can
 * lose them as a power cut would. Loaded by LD_PRELOAD into every process that
 * writes; 64-bit Linux only.
 *
 *   UNSYNCED_BELOW  the directory that is watched, an absolute path
 *   UNSYNCED_LOGS   where the undo logs go, on the same file system
 *   UNSYNCED_FULL   while this file exists, the disk is full: nothing grows
 *
 * Each inode has a log <inode>.undo, and a second name <inode>.file, by which it
 * is found whatever became of its first one. A sync of a file empties its log;
 * one of a directory empties the log of what was created, renamed and removed
 * in it. The lock of a log is held from the record to the write.
 *
 * Not seen: writes through mmap, stdio's own, sync() and syncfs(). A write with
 * O_DSYNC counts as synced, sync_file_range() as nothing. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == 8 && sizeof(long) == 8, "64-bit Linux");

enum kind { WRITE = 1, CREATE, UNLINK, RENAME };

struct record {
    uint64_t kind, time, offset, written; /* how many bytes are written */
    uint64_t length, size;                /* of what follows; the file's before */
};

static const char *below, *logs, *full;

/* Copied: PostgreSQL writes its title over its environment. */
static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? strdup(value) : NULL;
}

__attribute__((constructor)) static void start(void) {
    logs = setting("UNSYNCED_LOGS");
    full = setting("UNSYNCED_FULL");
    below = logs ? setting("UNSYNCED_BELOW") : NULL;
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void give_up(const char *what) {
    dprintf(2, "unsynced: %s: %s\n", what, strerror(errno));
    abort();
}

static void append(int log, const void *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = syscall(SYS_write, log, bytes, length);
        if (written <= 0) give_up("cannot log");
        bytes = (const char *)bytes + written;
        length -= (size_t)written;
    }
}

/* Locks the log of the file or directory behind `fd`, and says how it is; -1 if
 * it is not watched. */
static int begin(int fd, struct stat *is) {
    char self[64], path[PATH_MAX], name[PATH_MAX];
    if (!below || fstat(fd, is) != 0) return -1;
    if (!S_ISREG(is->st_mode) && !S_ISDIR(is->st_mode)) return -1;
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(self, path, sizeof path - 1);
    if (length < 0) return -1;
    path[length] = 0;
    size_t prefix = strlen(below);
    if (strncmp(path, below, prefix) != 0 || (path[prefix] != '/' && path[prefix] != 0)) return -1;
    snprintf(name, sizeof name, "%s/%lu.undo", logs, (unsigned long)is->st_ino);
    int log = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log < 0) give_up(name);
    while (flock(log, LOCK_EX) != 0)
        if (errno != EINTR) give_up("cannot lock");
    fstat(fd, is);
    if (S_ISREG(is->st_mode)) {
        snprintf(name, sizeof name, "%s/%lu.file", logs, (unsigned long)is->st_ino);
        if (syscall(SYS_linkat, AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) != 0 &&
            errno != EEXIST) {
            /* It has no name any more: a power cut loses it anyway. */
            close(log);
            return -1;
        }
    }
    return log;
}

static void end(int log) {
    int error = errno;
    if (log >= 0) close(log);
    errno = error;
}

/* Logs what the bytes from `offset` on are now. */
static void remember(int log, int fd, const struct stat *is, off_t offset, size_t length) {
    static _Thread_local char piece[64 * 1024];
    size_t old = 0;
    if (offset < is->st_size)
        old = length < (size_t)(is->st_size - offset) ? length : (size_t)(is->st_size - offset);
    struct record record = {WRITE, now(), (uint64_t)offset, length, old, (uint64_t)is->st_size};
    append(log, &record, sizeof record);
    int reader = fd;
    if (old > 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        char self[64];
        snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
        reader = (int)syscall(SYS_openat, AT_FDCWD, self, O_RDONLY | O_CLOEXEC, 0);
    }
    for (size_t done = 0; done < old;) {
        size_t want = old - done < sizeof piece ? old - done : sizeof piece;
        ssize_t got = syscall(SYS_pread64, reader, piece, want, offset + (off_t)done);
        if (got <= 0) give_up("cannot read what is overwritten");
        append(log, piece, (size_t)got);
        done += (size_t)got;
    }
    if (reader != fd) close(reader);
}

/* Before a write: -1 if the file is not watched, -2 if the disk is full.
 * `offset` is negative for the file's own position. */
static int before(int fd, off_t offset, size_t length) {
    struct stat is;
    int error = errno, log = begin(fd, &is);
    if (log >= 0) {
        int flags = fcntl(fd, F_GETFL);
        if (offset < 0) offset = flags & O_APPEND ? is.st_size : lseek(fd, 0, SEEK_CUR);
        if (full && offset + (off_t)length > is.st_size && access(full, F_OK) == 0) {
            end(log);
            errno = ENOSPC;
            return -2;
        }
        if (!(flags & O_DSYNC)) remember(log, fd, &is, offset, length);
    }
    errno = error;
    return log;
}

static size_t sum(const struct iovec *parts, int count) {
    size_t length = 0;
    for (int part = 0; part < count; part++) length += parts[part].iov_len;
    return length;
}

#define AROUND(type, fd, offset, length, call)        \
    int log_ = before(fd, offset, length);            \
    if (log_ == -2) return -1;                        \
    type result_ = (type)(call);                      \
    end(log_);                                        \
    return result_;

ssize_t write(int fd, const void *bytes, size_t length) {
    AROUND(ssize_t, fd, -1, length, syscall(SYS_write, fd, bytes, length))
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    AROUND(ssize_t, fd, at, length, syscall(SYS_pwrite64, fd, bytes, length, at))
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    return pwrite(fd, bytes, length, at);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    AROUND(ssize_t, fd, -1, sum(parts, count), syscall(SYS_writev, fd, parts, count))
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    AROUND(ssize_t, fd, at, sum(parts, count), syscall(SYS_pwritev, fd, parts, count, at, 0))
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    return pwritev(fd, parts, count, at);
}

int ftruncate(int fd, off_t size) {
    struct stat is;
    int log = begin(fd, &is);
    if (log >= 0) remember(log, fd, &is, size, size < is.st_size ? (size_t)(is.st_size - size) : 0);
    int result = (int)syscall(SYS_ftruncate, fd, size);
    end(log);
    return result;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
int truncate(const char *path, off_t size) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    int result = ftruncate(fd, size);
    end(fd);
    return result;
}
int truncate64(const char *path, off64_t size) { return truncate(path, size); }

int fallocate(int fd, int mode, off_t at, off_t length) {
    AROUND(int, fd, at, (size_t)length, syscall(SYS_fallocate, fd, mode, at, length))
}
int fallocate64(int fd, int mode, off64_t at, off64_t length) { return fallocate(fd, mode, at, length); }
int posix_fallocate(int fd, off_t at, off_t length) {
    int error = errno, result = fallocate(fd, 0, at, length) == 0 ? 0 : errno;
    errno = error;
    return result;
}
int posix_fallocate64(int fd, off64_t at, off64_t length) { return posix_fallocate(fd, at, length); }

static int sync_by(long call, int fd) {
    struct stat is;
    int error = errno, log = begin(fd, &is);
    errno = error;
    int result = (int)syscall(call, fd);
    if (log >= 0 && result == 0) syscall(SYS_ftruncate, log, 0);
    end(log);
    return result;
}
int fsync(int fd) { return sync_by(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }

/* The directory of `name`: its log, and the absolute path of `name`. */
static int begin_entry(int at, const char *name, char path[PATH_MAX]) {
    char directory[PATH_MAX], self[64];
    struct stat is;
    if (!below || strlen(name) >= sizeof directory) return -1;
    int error = errno;
    strcpy(directory, name);
    char *slash = strrchr(directory, '/');
    const char *base = slash ? name + (slash - directory) + 1 : name;
    if (slash) slash[slash == directory] = 0;
    int fd = (int)syscall(SYS_openat, at, slash ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int log = fd < 0 ? -1 : begin(fd, &is);
    if (log >= 0) {
        snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(self, path, PATH_MAX - 1);
        if (length < 0) give_up(self);
        snprintf(path + length, PATH_MAX - (size_t)length, "/%s", base);
    }
    if (fd >= 0) close(fd);
    errno = error;
    return log;
}

/* Logs names: `first`, `second`, and under which one a removed file is kept. */
static void remember_names(int log, enum kind kind, const char *first, const char *second, const char *removed) {
    char kept[PATH_MAX] = "";
    int error = errno;
    uint64_t time = now();
    if (removed) {
        snprintf(kept, sizeof kept, "%s/%lu-%d.kept", logs, (unsigned long)time, (int)getpid());
        if (syscall(SYS_linkat, AT_FDCWD, removed, AT_FDCWD, kept, 0) != 0) kept[0] = 0;
    }
    size_t lengths[] = {strlen(first) + 1, strlen(second) + 1, strlen(kept) + 1};
    struct record record = {kind, time, 0, 0, lengths[0] + lengths[1] + lengths[2], 0};
    append(log, &record, sizeof record);
    append(log, first, lengths[0]);
    append(log, second, lengths[1]);
    append(log, kept, lengths[2]);
    errno = error;
}

int openat(int at, const char *name, int flags, ...) {
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    char path[PATH_MAX];
    int log = -1, error = errno;
    if (flags & O_CREAT) {
        log = begin_entry(at, name, path);
        if (log >= 0 && access(path, F_OK) != 0) remember_names(log, CREATE, path, "", NULL);
    }
    if (below && flags & O_TRUNC) {
        int old = (int)syscall(SYS_openat, at, name, O_RDWR | O_CLOEXEC, 0);
        if (old >= 0) {
            ftruncate(old, 0);
            close(old);
        }
    }
    errno = error;
    int fd = (int)syscall(SYS_openat, at, name, flags, mode);
    end(log);
    return fd;
}
int openat64(int at, const char *name, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return openat(at, name, flags, mode);
}
int open(const char *name, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return openat(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return openat(AT_FDCWD, name, flags, mode);
}
int creat(const char *name, mode_t mode) { return open(name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

int linkat(int from, const char *old, int to, const char *new, int flags) {
    char path[PATH_MAX];
    int log = begin_entry(to, new, path);
    if (log >= 0 && access(path, F_OK) != 0) remember_names(log, CREATE, path, "", NULL);
    int result = (int)syscall(SYS_linkat, from, old, to, new, flags);
    end(log);
    return result;
}
int link(const char *old, const char *new) { return linkat(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int at, const char *name, int flags) {
    char path[PATH_MAX];
    int log = flags & AT_REMOVEDIR ? -1 : begin_entry(at, name, path);
    if (log >= 0) remember_names(log, UNLINK, path, "", path);
    int result = (int)syscall(SYS_unlinkat, at, name, flags);
    end(log);
    return result;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int remove(const char *name) {
    int result = unlink(name);
    return result != 0 && errno == EISDIR ? rmdir(name) : result;
}

int renameat2(int from, const char *old, int to, const char *new, unsigned int flags) {
    char old_path[PATH_MAX] = "", new_path[PATH_MAX];
    /* The lock is that of the new name's directory, as is its sync. */
    end(begin_entry(from, old, old_path));
    int log = begin_entry(to, new, new_path);
    if (log >= 0 && old_path[0]) remember_names(log, RENAME, old_path, new_path, new_path);
    int result = (int)syscall(SYS_renameat2, from, old, to, new, flags);
    end(log);
    return result;
}
int renameat(int from, const char *old, int to, const char *new) { return renameat2(from, old, to, new, 0); }
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }
