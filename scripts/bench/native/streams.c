// Puts load on a server over TCP: connections that always have a window of queries under way (RFC 7766 section 6.2.1.1).
//
//   streams -a ADDRESS -p PORT -l SECONDS -W WINDOW -s CONNECTIONS -q HEX [-v VARIATION] -x RCODE:ANSWERS -i SEED

#define _GNU_SOURCE
#include "queries.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define IN_OCTETS 262144
#define OUT_OCTETS 131072
#define PATIENCE_MS 1000

struct connection {
  int fd, closed;
  uint16_t next_id;
  int under_way, in_length, out_length, out_at;
  uint64_t sent_ns[65536];
  uint8_t in[IN_OCTETS], out[OUT_OCTETS];
};

static struct connection *connections;
static int connections_count = 10;
static uint64_t sent, answered, wrong;
static struct endpoint server;

static void open_one(struct connection *c) {
  int one = 1, fd = socket(server.at.any.sa_family, SOCK_STREAM, 0);
  if (connect(fd, &server.at.any, server.length)) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->fd = fd;
}

static void open_all(void) {
  connections = calloc((size_t)connections_count, sizeof *connections);
  if (!connections) fail("calloc");
  for (int i = 0; i < connections_count; i++) open_one(&connections[i]);
}

// Queries that the server has not answered before it closed.
static void take_back(struct connection *c) {
  sent -= (uint64_t)c->under_way;
  c->under_way = 0;
}

// A server may close a connection after so many queries. A client opens another one, and asks there what it was not told
// (RFC 7766 section 6.2.4): what was under way counts as not yet sent.
static void reopen(struct connection *c) {
  close(c->fd);
  take_back(c);
  c->in_length = c->out_length = c->out_at = c->closed = 0;
  memset(c->sent_ns, 0, sizeof c->sent_ns);
  open_one(c);
}

// Fills the window up once half of it is free, in one write.
static void fill(struct connection *c, int window) {
  if (c->out_length == 0 && c->under_way <= window / 2) {
    uint64_t now = now_ns();
    for (; c->under_way < window && c->out_length + QUERY_OCTETS_MAX + 2 < OUT_OCTETS; c->under_way++, sent++) {
      uint8_t *at = c->out + c->out_length;
      int length = write_query(at + 2, c->next_id);
      at[0] = (uint8_t)(length >> 8);
      at[1] = (uint8_t)length;
      c->sent_ns[c->next_id++] = now;
      c->out_length += length + 2;
    }
  }
  if (c->out_length == 0) return;
  ssize_t n = send(c->fd, c->out + c->out_at, (size_t)(c->out_length - c->out_at), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN) c->closed = 1;
  if (n > 0) c->out_at += (int)n;
  if (c->out_at == c->out_length) c->out_at = c->out_length = 0;
}

static int take(struct connection *c) {
  ssize_t n = recv(c->fd, c->in + c->in_length, (size_t)(IN_OCTETS - c->in_length), MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN)) c->closed = 1;
  if (n <= 0) return 0;
  c->in_length += (int)n;
  uint64_t now = now_ns();
  int at = 0, count = 0;
  for (;;) {
    if (c->in_length - at < 2) break;
    int length = c->in[at] << 8 | c->in[at + 1];
    if (c->in_length - at < length + 2) break;
    const uint8_t *reply = c->in + at + 2;
    uint16_t id = (uint16_t)(reply[0] << 8 | reply[1]);
    at += length + 2;
    if (c->sent_ns[id] == 0) continue;
    count_latency(now - c->sent_ns[id]);
    c->sent_ns[id] = 0;
    c->under_way--;
    count++;
    if (!is_expected(reply, length)) wrong++;
  }
  memmove(c->in, c->in + at, (size_t)(c->in_length - at));
  c->in_length -= at;
  answered += (uint64_t)count;
  return count;
}

static void wait_ms(int ms) {
  static struct pollfd polled[CONNECTIONS_MAX];
  for (int i = 0; i < connections_count; i++) {
    short events = (short)(POLLIN | (connections[i].out_length ? POLLOUT : 0));
    polled[i] = (struct pollfd){connections[i].closed ? -1 : connections[i].fd, events, 0};
  }
  poll(polled, (nfds_t)connections_count, ms);
}

static int take_all(void) {
  int count = 0;
  for (int i = 0; i < connections_count; i++) {
    if (!connections[i].closed) count += take(&connections[i]);
  }
  return count;
}

int main(int argc, char **argv) {
  const char *address = "127.0.0.1";
  int port = 0, window = 40, option;
  double seconds = 1;
  while ((option = getopt(argc, argv, "a:p:l:W:s:q:v:x:i:")) != -1) {
    if (option == 'a') address = optarg;
    else if (option == 'p') port = atoi(optarg);
    else if (option == 'l') seconds = atof(optarg);
    else if (option == 'W') window = atoi(optarg);
    else if (option == 's') connections_count = atoi(optarg);
    else if (option == 'q') read_template(optarg);
    else if (option == 'v') read_variation(optarg);
    else if (option == 'x') sscanf(optarg, "%d:%d", &expected_rcode, &expected_answers);
    else if (option == 'i') random_state ^= strtoull(optarg, NULL, 10) * 0x9e3779b97f4a7c15ull;
    else return 2;
  }
  if (connections_count < 1 || connections_count > CONNECTIONS_MAX || template_length < 12) return 2;
  server = endpoint_of(address, port);
  open_all();
  uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9), heard = begin;
  for (uint64_t now = begin; now < end; now = now_ns()) {
    for (int i = 0; i < connections_count; i++) {
      if (connections[i].closed) reopen(&connections[i]);
      fill(&connections[i], window);
    }
    if (take_all() > 0) heard = now;
    else wait_ms(1);
  }
  for (heard = now_ns(); answered < sent && now_ns() - heard < PATIENCE_MS * 1000000ull;) {
    for (int i = 0; i < connections_count; i++) {
      if (connections[i].closed) take_back(&connections[i]);
      else fill(&connections[i], 0);
    }
    if (take_all() > 0) heard = now_ns();
    else wait_ms(1);
  }
  print_figures((double)(heard - begin) / 1e9, sent, answered, wrong);
  return 0;
}
