// Bad days for a process that is started with this in LD_PRELOAD. Each begins when a file of its name appears in the
// directory LATCHWAY_TEST_FAULTS, and ends when it goes.
//
//   full    writing to the database fails for want of space
//   logfull writing to a file called *.log does
//   eio     so does bringing it to the disk
//   linger  threads that serve requests do not end: they hang for a minute in the first descriptor that they close
//   clock   the wall clock is off by the seconds that the file holds; the monotonic one is not
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static int raised(const char *name, long *value) {
  const char *folder = getenv("LATCHWAY_TEST_FAULTS");
  char path[512];
  if (!folder) return 0;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (!value) return access(path, F_OK) == 0;
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  int read = fscanf(file, "%ld", value);
  fclose(file);
  return read == 1;
}

static int is_called(int fd, const char *part) {
  char link[64], path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, part) != NULL;
}

static int fails_at(int fd, const char *part, const char *fault, int error) {
  if (!raised(fault, NULL) || !is_called(fd, part)) return 0;
  errno = error;
  return 1;
}

static int fails(int fd, const char *fault, int error) { return fails_at(fd, ".db", fault, error); }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  return fails(fd, "full", ENOSPC) ? -1 : REAL(pwrite64)(fd, bytes, length, at);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
  return fails(fd, "full", ENOSPC) ? -1 : REAL(pwrite)(fd, bytes, length, at);
}
ssize_t write(int fd, const void *bytes, size_t length) {
  if (fails_at(fd, ".log", "logfull", ENOSPC)) return -1;
  return fails(fd, "full", ENOSPC) ? -1 : REAL(write)(fd, bytes, length);
}
int fsync(int fd) { return fails(fd, "eio", EIO) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(fd, "eio", EIO) ? -1 : REAL(fdatasync)(fd); }

int close(int fd) {
  char name[16] = "";
  if (raised("linger", NULL) && prctl(PR_GET_NAME, name) == 0 && strstr(name, "actix-server wo")) sleep(60);
  return REAL(close)(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  long seconds;
  int result = REAL(clock_gettime)(clock, now);
  if (result == 0 && clock == CLOCK_REALTIME && raised("clock", &seconds)) now->tv_sec += seconds;
  return result;
}
