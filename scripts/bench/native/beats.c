// Sends heartbeats of nodes over HTTP, at a rate, over connections that are kept (docs/AGENT.md).
//
//   beats -a ADDRESS -p PORT -l SECONDS -R RATE -s CONNECTIONS -f FILE -b FIRST
//
// FILE has a line for each node: its id, and the credential that it shows. They take turns, FIRST before the others.

#define _GNU_SOURCE
#include "queries.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define NODES_MAX 100000
#define LINE_OCTETS 1024
#define IN_OCTETS 65536
#define PATIENCE_NS 2000000000ull

struct connection {
  int fd, is_asked, length;
  uint64_t due_ns;
  char in[IN_OCTETS];
};

static struct connection *connections;
static int connections_count = 128;
static char (*nodes)[LINE_OCTETS];
static int nodes_count;
static uint64_t sent, answered, wrong;

static void read_nodes(const char *path) {
  FILE *file = fopen(path, "r");
  nodes = malloc(sizeof *nodes * NODES_MAX);
  if (!file || !nodes) fail(path);
  while (nodes_count < NODES_MAX && fgets(nodes[nodes_count], LINE_OCTETS, file)) {
    nodes[nodes_count][strcspn(nodes[nodes_count], "\n")] = 0;
    nodes_count++;
  }
  fclose(file);
  if (nodes_count == 0) fail(path);
}

static void open_all(const char *address, int port) {
  struct endpoint server = endpoint_of(address, port);
  connections = calloc((size_t)connections_count, sizeof *connections);
  if (!connections) fail("calloc");
  for (int i = 0; i < connections_count; i++) {
    int one = 1, fd = socket(server.at.any.sa_family, SOCK_STREAM, 0);
    if (connect(fd, &server.at.any, server.length)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connections[i].fd = fd;
  }
}

static void ask(struct connection *c, uint64_t number, uint64_t due_ns) {
  static char request[2 * LINE_OCTETS], body[256], id[LINE_OCTETS], credential[LINE_OCTETS];
  if (sscanf(nodes[number % (uint64_t)nodes_count], "%1023s %1023s", id, credential) != 2) fail("a node");
  int length = snprintf(body, sizeof body,
    "{\"load\":{\"cpu\":0.%03d,\"memory\":0.5,\"network\":%d,\"connections\":%d}}",
    (int)(random_number() % 1000), (int)(random_number() % 1000000), (int)(random_number() % 100));
  length = snprintf(request, sizeof request,
    "PUT /v1/nodes/%s/beat HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n"
    "Content-Type: application/json\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
    id, credential, length, body);
  if (send(c->fd, request, (size_t)length, MSG_NOSIGNAL) != length) fail("send");
  c->is_asked = 1;
  c->length = 0;
  c->due_ns = due_ns;
  sent++;
}

// Whether a response is there whole: by its length, or by its last chunk.
static int is_whole(const struct connection *c) {
  const char *end = strstr(c->in, "\r\n\r\n");
  if (!end) return 0;
  const char *length = strcasestr(c->in, "\r\ncontent-length:");
  if (length && length < end) return c->length >= (int)(end + 4 - c->in) + atoi(length + 17);
  return c->length >= 5 && strcmp(c->in + c->length - 5, "0\r\n\r\n") == 0;
}

static void take(struct connection *c) {
  ssize_t n = recv(c->fd, c->in + c->length, (size_t)(IN_OCTETS - 1 - c->length), MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN)) fail("recv");
  if (n <= 0) return;
  c->length += (int)n;
  c->in[c->length] = 0;
  if (!is_whole(c)) return;
  count_latency(now_ns() - c->due_ns);
  answered++;
  if (strncmp(c->in, "HTTP/1.1 200", 12) != 0) {
    if (wrong++ == 0) fprintf(stderr, "%.400s\n", c->in);
  }
  c->is_asked = 0;
}

static void wait_until(uint64_t ns) {
  static struct pollfd polled[CONNECTIONS_MAX];
  uint64_t now = now_ns(), wait = ns > now ? ns - now : 0;
  struct timespec patience = {(time_t)(wait / 1000000000ull), (long)(wait % 1000000000ull)};
  for (int i = 0; i < connections_count; i++) {
    polled[i] = (struct pollfd){connections[i].is_asked ? connections[i].fd : -1, POLLIN, 0};
  }
  if (ppoll(polled, (nfds_t)connections_count, &patience, NULL) <= 0) return;
  for (int i = 0; i < connections_count; i++) {
    if (polled[i].revents) take(&connections[i]);
  }
}

static struct connection *free_one(void) {
  static int next;
  for (int i = 0; i < connections_count; i++) {
    struct connection *c = &connections[next++ % connections_count];
    if (!c->is_asked) return c;
  }
  return NULL;
}

int main(int argc, char **argv) {
  const char *address = "127.0.0.1", *path = "";
  int port = 0, option;
  double seconds = 1, rate = 1000;
  uint64_t first = 0;
  while ((option = getopt(argc, argv, "a:p:l:R:s:f:b:")) != -1) {
    if (option == 'a') address = optarg;
    else if (option == 'p') port = atoi(optarg);
    else if (option == 'l') seconds = atof(optarg);
    else if (option == 'R') rate = atof(optarg);
    else if (option == 's') connections_count = atoi(optarg);
    else if (option == 'f') path = optarg;
    else if (option == 'b') first = strtoull(optarg, NULL, 10);
    else return 2;
  }
  if (connections_count < 1 || connections_count > CONNECTIONS_MAX || rate <= 0) return 2;
  read_nodes(path);
  open_all(address, port);
  uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9), total = (uint64_t)(seconds * rate);
  while (sent < total) {
    uint64_t due = begin + (uint64_t)((double)sent * 1e9 / rate), now = now_ns();
    struct connection *c = now >= due ? free_one() : NULL;
    if (c) ask(c, first + sent, due);
    else wait_until(now >= due ? now + 1000000 : due);
    if (now > end + PATIENCE_NS) break;
  }
  for (uint64_t from = now_ns(); answered < sent && now_ns() - from < PATIENCE_NS;) wait_until(now_ns() + 1000000);
  print_figures((double)(now_ns() - begin) / 1e9, sent, answered, wrong);
  return 0;
}
