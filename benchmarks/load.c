/* The load of the relay's benchmark: one thread, epoll, OpenSSL; it must never be what the server waits for.
 *
 * load PORT LINKS WINDOW WARM_S SECONDS [TRIM_EVERY]   reads a script from stdin with TRIM_EVERY, else it is an echo
 *
 * Echo: frames of 4,096 bytes over plain TCP, WINDOW under way on each link.
 * Relay: the script holds for each link three blocks, each a 4-byte length and bytes: what it sends first (create and
 * subscribe), a put and a trim. A put's and a trim's call id lies at PUT_ID; an envelope begins with 16 bytes that are
 * made anew for each put; a trim ends with the entry's number and one byte. A link puts whenever a put was answered, and
 * trims once TRIM_EVERY envelopes came. Who answers is not checked: it is the relay that was just started.
 *
 * Prints "begin" when it has warmed up, then "end DELIVERED STORED REFUSED NANOSECONDS".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { ENVELOPE = 4096, PUT_ID = 6, PUT_UNIQUE = 10 + 39, ROOM = 131072 };

typedef struct { uint8_t *bytes; uint32_t size; } block;

typedef struct {
  int fd, waits, ready;
  SSL *ssl;
  block first, put, trim;
  uint8_t in[2 * ROOM], *out;
  size_t in_size, out_size, out_sent, out_room;
  uint8_t newest[8];
  int untrimmed, running;
} link_t;

static int links = 100, window = 8, trim_every = 0, poller;
static link_t *all;
static uint64_t delivered, stored, refused, unique;
static uint32_t calls = 65536;

static void fail(const char *what) { fprintf(stderr, "load: %s: %s\n", what, strerror(errno)); exit(2); }

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint32_t number(const uint8_t *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static void big_endian(uint8_t *p, uint32_t v) { p[0] = v >> 24; p[1] = v >> 16; p[2] = v >> 8; p[3] = v; }

static uint8_t *append(link_t *l, const block *b) {
  if (l->out_sent == l->out_size) l->out_sent = l->out_size = 0;
  if (l->out_size + b->size > l->out_room) {
    l->out_room = 2 * (l->out_size + b->size);
    if (!(l->out = realloc(l->out, l->out_room))) fail("memory");
  }
  uint8_t *at = memcpy(l->out + l->out_size, b->bytes, b->size);
  l->out_size += b->size;
  return at;
}

static void put(link_t *l) {
  uint8_t *at = append(l, &l->put);
  if (!trim_every) return;
  big_endian(at + PUT_ID, ++calls);
  unique++;
  memcpy(at + PUT_UNIQUE, &unique, sizeof unique);
}

static void trim(link_t *l) {
  uint8_t *at = append(l, &l->trim);
  big_endian(at + PUT_ID, ++calls);
  memcpy(at + l->trim.size - 9, l->newest, 8);
  l->untrimmed = 0;
}

static void wait_for(link_t *l, int writing) {
  if (l->waits == writing) return;
  l->waits = writing;
  struct epoll_event e = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = l};
  if (epoll_ctl(poller, EPOLL_CTL_MOD, l->fd, &e)) fail("epoll");
}

static void flush(link_t *l) {
  while (l->out_sent < l->out_size) {
    uint8_t *at = l->out + l->out_sent;
    size_t left = l->out_size - l->out_sent;
    ssize_t n = l->ssl ? SSL_write(l->ssl, at, left) : send(l->fd, at, left, MSG_NOSIGNAL);
    if (n <= 0) {
      if (l->ssl ? SSL_get_error(l->ssl, n) == SSL_ERROR_WANT_WRITE : errno == EAGAIN) { wait_for(l, 1); return; }
      fail("the server hung up");
    }
    l->out_sent += n;
  }
  wait_for(l, 0);
}

/* A reply is 0x93 0x00, the id as 0xce and four bytes, then the response, an array that begins with its tag. */
static void frame(link_t *l, const uint8_t *f, uint32_t size) {
  if (size > ENVELOPE) {
    memcpy(l->newest, f + 8, 8);
    l->untrimmed++;
    delivered++;
  } else if (size > 8 && f[0] == 0x93 && f[7] == 0x92 && f[8] == 2) {
    stored++;
    if (l->running) put(l);
  } else if (size > 8 && f[0] == 0x93 && f[7] == 0x92 && f[8] == 4) {
    l->ready = 1;
  } else if (size > 8 && f[0] == 0x93 && !(f[7] == 0x91 && f[8] == 1)) {
    refused++;
  }
}

static void parse(link_t *l) {
  size_t at = 0;
  if (!trim_every) {
    for (; l->in_size - at >= ENVELOPE; at += ENVELOPE, delivered++)
      if (l->running) put(l);
  } else {
    while (l->in_size - at >= 4 && l->in_size - at >= 4 + number(l->in + at)) {
      frame(l, l->in + at + 4, number(l->in + at));
      at += 4 + number(l->in + at);
    }
    if (l->untrimmed >= trim_every) trim(l);
  }
  memmove(l->in, l->in + at, l->in_size - at);
  l->in_size -= at;
}

static void receive(link_t *l) {
  for (;;) {
    size_t room = sizeof l->in - l->in_size;
    if (!room) break;
    ssize_t n = l->ssl ? SSL_read(l->ssl, l->in + l->in_size, room) : recv(l->fd, l->in + l->in_size, room, 0);
    if (n <= 0) {
      if (l->ssl ? SSL_get_error(l->ssl, n) == SSL_ERROR_WANT_READ : n < 0 && errno == EAGAIN) break;
      fail("the server hung up");
    }
    l->in_size += n;
    if (!l->ssl) break;
  }
  parse(l);
  flush(l);
}

static void poll_once(int ms) {
  struct epoll_event events[256];
  int n = epoll_wait(poller, events, 256, ms);
  for (int i = 0; i < n; i++) {
    link_t *l = events[i].data.ptr;
    if (events[i].events & EPOLLOUT) flush(l);
    if (events[i].events & ~EPOLLOUT) receive(l);
  }
}

static block script(void) {
  uint8_t head[4];
  block b = {0};
  if (fread(head, 1, 4, stdin) != 4) fail("script");
  b.size = number(head);
  if (!(b.bytes = malloc(b.size)) || fread(b.bytes, 1, b.size, stdin) != b.size) fail("script");
  return b;
}

static void open_link(link_t *l, int port, SSL_CTX *tls) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1;
  l->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(l->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
  setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (tls) {
    l->ssl = SSL_new(tls);
    SSL_set_fd(l->ssl, l->fd);
    if (SSL_connect(l->ssl) != 1) fail("TLS");
  }
  fcntl(l->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, l->fd, &e)) fail("epoll");
}

static void run_until(uint64_t end) {
  while (now() < end) poll_once(10);
}

int main(int count, char **words) {
  if (count < 6) { fprintf(stderr, "load PORT LINKS WINDOW WARM_S SECONDS [TRIM_EVERY]\n"); return 2; }
  int port = atoi(words[1]);
  links = atoi(words[2]);
  window = atoi(words[3]);
  trim_every = count > 6 ? atoi(words[6]) : 0;
  signal(SIGPIPE, SIG_IGN);
  SSL_CTX *tls = NULL;
  if (trim_every) {
    tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_protos(tls, (const uint8_t *)"\x07roost/1", 8);
  }
  poller = epoll_create1(0);
  if (!(all = calloc(links, sizeof *all))) fail("memory");
  block echo = {calloc(1, ENVELOPE), ENVELOPE};
  for (link_t *l = all; l < all + links; l++) {
    open_link(l, port, tls);
    if (trim_every) {
      l->first = script(), l->put = script(), l->trim = script();
      append(l, &l->first);
      flush(l);
      while (!l->ready) poll_once(10);
    } else {
      l->put = echo;
    }
  }
  for (link_t *l = all; l < all + links; l++) {
    l->running = 1;
    for (int i = 0; i < window; i++) put(l);
    flush(l);
  }
  uint64_t begun = now() + (uint64_t)(atof(words[4]) * 1e9);
  run_until(begun);
  delivered = stored = 0;
  printf("begin\n");
  fflush(stdout);
  begun = now();
  run_until(begun + (uint64_t)(atof(words[5]) * 1e9));
  printf("end %lu %lu %lu %lu\n", delivered, stored, refused, now() - begun);
  fflush(stdout);
  for (link_t *l = all; l < all + links; l++) l->running = 0;
  run_until(now() + 200000000ull);
  return 0;
}
