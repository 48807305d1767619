/* generator.c -- Load in an open model: each request is due at a time of its own, whether or not the ones before it are answered, and
 * its latency counts from then. So a stall counts for all who would have come meanwhile.
 *
 *   generator rate  PORT PATH COUPON RUN SECONDS RATE CONNECTIONS     Poisson arrivals over connections that stay
 *   generator burst PORT PATH COUPON RUN WINDOW_MS COUNT keep|close   so many new connections within the window, a request each
 *
 * Every request is for another user; RUN (0 to 799) gives each run users of its own. Prints one line of JSON. Linux only: epoll_pwait2.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REPLY_BYTES = 8192, EVENTS = 512, SOURCES = 50 };
/* After the last request is due. */
static const int64_t WAIT_NS = 20LL * 1000000000;
/* A pause of all answers, while some are due, that is listed. */
static const int64_t STALL_NS = 20LL * 1000000;
static const int STALLS_LISTED_MAX = 20;

struct connection {
  int socket;
  int connected, waiting;
  int64_t due;
  size_t filled;
  char reply[REPLY_BYTES];
};

static int port, closes, epoll;
static const char *path;
static long long coupon, run_number;
static long long sent, answered, ok, refused, failed, broken;
static int64_t *latencies, longest_stall, last_answer, outstanding, started;
static struct { int64_t at, lasted; } *stalls;
static int stall_count;

static void fail(const char *what) {
  fprintf(stderr, "generator: %s: %s\n", what, strerror(errno));
  exit(2);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static uint64_t random_state = 88172645463325252ULL;

/* Between 0 and 1, neither included. */
static double random_share(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return ((random_state >> 11) + 0.5) / 9007199254740992.0;
}

static void watch(struct connection *c, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(epoll, operation, c->socket, &event)) fail("epoll_ctl");
}

static void open_connection(struct connection *c, int number) {
  c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->socket < 0) fail("socket");
  int yes = 1;
  setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  /* One address has some 28,000 ports. */
  setsockopt(c->socket, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &yes, sizeof yes);
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(number % SOURCES))};
  if (bind(c->socket, (struct sockaddr *)&from, sizeof from)) fail("bind");
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (connect(c->socket, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) fail("connect");
  watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void send_request(struct connection *c) {
  char body[128], text[512];
  /* As in issue.lua: users of one length, in an order of their own. */
  long long user = 100000000000LL * (1 + run_number % 8) + (sent * 618033989LL + run_number * 7919) % 10000000000LL;
  int length = snprintf(body, sizeof body, "{\"couponId\":%lld,\"userId\":%lld}", coupon, user);
  int all = snprintf(text, sizeof text,
    "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", path,
    closes ? "Connection: close\r\n" : "", length, body);
  c->filled = 0;
  c->waiting = 1;
  sent += 1;
  outstanding += 1;
  if (send(c->socket, text, (size_t)all, MSG_NOSIGNAL) != all) broken += 1;
}

/* The whole length of the reply in the buffer, or 0 while that is not known. */
static size_t reply_length(const struct connection *c) {
  const char *end = memmem(c->reply, c->filled, "\r\n\r\n", 4);
  if (!end) return 0;
  size_t head = (size_t)(end - c->reply) + 4;
  for (const char *line = c->reply; line && line < end; line = memchr(line, '\n', (size_t)(end - line))) {
    if (*line == '\n') line += 1;
    if (strncasecmp(line, "content-length:", 15) == 0) return head + (size_t)atoi(line + 15);
  }
  return head;
}

static void note_answer(struct connection *c, int status) {
  int64_t at = now();
  latencies[answered++] = at - c->due;
  c->waiting = 0;
  outstanding -= 1;
  if (status >= 500) failed += 1;
  else if (status >= 400) refused += 1;
  else ok += 1;
  int64_t from = last_answer > c->due ? last_answer : c->due;
  int64_t pause = at - from;
  if (pause > longest_stall) longest_stall = pause;
  if (pause > STALL_NS && stall_count < STALLS_LISTED_MAX) {
    stalls[stall_count].at = from - started;
    stalls[stall_count++].lasted = pause;
  }
  last_answer = at;
}

/* Whether the reply is complete. */
static int receive(struct connection *c) {
  ssize_t got = recv(c->socket, c->reply + c->filled, REPLY_BYTES - 1 - c->filled, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (got <= 0) {
    if (c->waiting) {
      broken += 1;
      outstanding -= 1;
      c->waiting = 0;
    }
    close(c->socket);
    c->socket = -1;
    return 0;
  }
  c->filled += (size_t)got;
  c->reply[c->filled] = 0;
  size_t length = reply_length(c);
  if (length == 0 || c->filled < length || !c->waiting) return 0;
  note_answer(c, atoi(c->reply + 9));
  return 1;
}

static int wait_events(struct epoll_event *events, int64_t until) {
  int64_t left = until - now();
  struct timespec time = {0, 0};
  if (left > 0) time = (struct timespec){left / 1000000000, left % 1000000000};
  int count = epoll_pwait2(epoll, events, EVENTS, &time, NULL);
  if (count < 0 && errno != EINTR) fail("epoll_pwait2");
  return count < 0 ? 0 : count;
}

static int connect_failed(const struct connection *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->socket, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

static void rate_load(double seconds, double rate, int count) {
  struct connection *all = calloc((size_t)count, sizeof *all), **idle = calloc((size_t)count, sizeof *idle);
  long capacity = (long)(seconds * rate * 1.2) + 1000, queued = 0, taken = 0;
  int64_t *queue = calloc((size_t)capacity, sizeof *queue);
  latencies = calloc((size_t)capacity, sizeof *latencies);
  struct epoll_event events[EVENTS];
  int ready = 0, idle_count = 0;
  for (int i = 0; i < count; i += 1) open_connection(&all[i], i);
  int64_t deadline = now() + WAIT_NS;
  while (ready < count && now() < deadline) {
    int found = wait_events(events, deadline);
    for (int i = 0; i < found; i += 1) {
      struct connection *c = events[i].data.ptr;
      if (connect_failed(c)) fail("a connection was refused");
      watch(c, EPOLLIN, EPOLL_CTL_MOD);
      idle[idle_count++] = c;
      ready += 1;
    }
  }
  started = now();
  int64_t end = started + (int64_t)(seconds * 1e9), due = started;
  while (due < end || taken < queued || outstanding > 0) {
    int64_t time = now();
    if (time > end + WAIT_NS) break;
    while (due <= time && due < end && queued < capacity) {
      queue[queued++] = due;
      due += (int64_t)(-log(random_share()) / rate * 1e9);
    }
    while (taken < queued && idle_count > 0) {
      struct connection *c = idle[--idle_count];
      if (c->socket < 0) continue;
      c->due = queue[taken++];
      send_request(c);
    }
    int found = wait_events(events, due < end ? due : end + WAIT_NS);
    for (int i = 0; i < found; i += 1) {
      struct connection *c = events[i].data.ptr;
      if (receive(c)) idle[idle_count++] = c;
    }
  }
  broken += queued - taken;
}

static void burst_load(int window_ms, int count) {
  struct connection *all = calloc((size_t)count, sizeof *all);
  latencies = calloc((size_t)count, sizeof *latencies);
  struct epoll_event events[EVENTS];
  int opened = 0, done = 0;
  started = now();
  int64_t step = (int64_t)window_ms * 1000000 / count, end = started + (int64_t)window_ms * 1000000 + WAIT_NS;
  while (done < count && now() < end) {
    while (opened < count && started + step * opened <= now()) {
      struct connection *c = &all[opened];
      c->due = started + step * opened;
      open_connection(c, opened++);
    }
    int found = wait_events(events, opened < count ? started + step * opened : end);
    for (int i = 0; i < found; i += 1) {
      struct connection *c = events[i].data.ptr;
      if (!c->connected) {
        c->connected = 1;
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
        send_request(c);
        continue;
      }
      int was_waiting = c->waiting;
      if (receive(c)) {
        done += 1;
        if (closes) {
          close(c->socket);
          c->socket = -1;
        }
      } else if (was_waiting && !c->waiting) done += 1;
    }
  }
  broken += count - sent;
}

static int by_length(const void *a, const void *b) {
  int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return left < right ? -1 : left > right;
}

static double quantile_ms(double share) {
  if (answered == 0) return 0;
  long long place = (long long)ceil(share * (double)answered) - 1;
  return (double)latencies[place < 0 ? 0 : place] / 1e6;
}

static void print_result(void) {
  int64_t took = now() - started;
  qsort(latencies, (size_t)answered, sizeof *latencies, by_length);
  printf("{\"sent\":%lld,\"answered\":%lld,\"ok\":%lld,\"refused\":%lld,\"failed\":%lld,\"broken\":%lld,\"seconds\":%.3f,", sent, answered,
    ok, refused, failed, broken, (double)took / 1e9);
  printf("\"startedMs\":%.3f,", (double)started / 1e6);
  printf("\"p50Ms\":%.3f,\"p90Ms\":%.3f,\"p99Ms\":%.3f,\"p999Ms\":%.3f,\"maxMs\":%.3f,\"longestStallMs\":%.3f,\"stalls\":[", quantile_ms(0.5),
    quantile_ms(0.9), quantile_ms(0.99), quantile_ms(0.999), quantile_ms(1), (double)longest_stall / 1e6);
  for (int i = 0; i < stall_count; i += 1)
    printf("%s{\"atMs\":%.1f,\"lastedMs\":%.1f}", i ? "," : "", (double)stalls[i].at / 1e6, (double)stalls[i].lasted / 1e6);
  printf("]}\n");
}

int main(int count, char **words) {
  if (count != 9) {
    fprintf(stderr, "generator rate|burst PORT PATH COUPON RUN ...: see the head of its source\n");
    return 2;
  }
  port = atoi(words[2]);
  path = words[3];
  coupon = atoll(words[4]);
  run_number = atoll(words[5]);
  random_state += (uint64_t)run_number * 2654435761u;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  stalls = calloc((size_t)STALLS_LISTED_MAX, sizeof *stalls);
  epoll = epoll_create1(0);
  if (strcmp(words[1], "burst") == 0) {
    closes = strcmp(words[8], "close") == 0;
    burst_load(atoi(words[6]), atoi(words[7]));
  } else rate_load(atof(words[6]), atof(words[7]), atoi(words[8]));
  print_result();
  return 0;
}
