// What every generator here shares: the clock, random numbers, and queries made of one template.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define QUERY_OCTETS_MAX 512
#define NETWORKS_MAX 65536

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

// Marsaglia's xorshift, 64 bit.
static uint64_t random_state = 88172645463325252ull;
static uint64_t random_number(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

// A query, and the part of it that is another one each time.
enum vary { VARY_NOTHING, VARY_LETTERS, VARY_NUMBER, VARY_NETWORK4, VARY_NETWORK6 };
static uint8_t template_octets[QUERY_OCTETS_MAX];
static int template_length;
static enum vary varies;
static int vary_at, vary_length, vary_count;

// IPv6 networks to draw from: 16 octets and a prefix length each.
static uint8_t (*networks)[17];
static int networks_count;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void read_template(const char *hex) {
  unsigned octet;
  for (; template_length < QUERY_OCTETS_MAX && sscanf(hex, "%2x", &octet) == 1; hex += 2) {
    template_octets[template_length++] = (uint8_t)octet;
  }
}

static void read_networks(const char *path) {
  FILE *file = fopen(path, "rb");
  networks = malloc(sizeof *networks * NETWORKS_MAX);
  if (!file || !networks) fail(path);
  networks_count = (int)fread(networks, sizeof *networks, NETWORKS_MAX, file);
  fclose(file);
  if (networks_count == 0) fail(path);
}

// KIND:AT:LENGTH:COUNT[:FILE], as the TypeScript side writes it.
static void read_variation(const char *text) {
  char kind[16], path[4096] = "";
  if (sscanf(text, "%15[a-z0-9]:%d:%d:%d:%4095s", kind, &vary_at, &vary_length, &vary_count, path) < 4) {
    fprintf(stderr, "bad variation %s\n", text);
    exit(2);
  }
  varies = !strcmp(kind, "letters")    ? VARY_LETTERS
           : !strcmp(kind, "number")   ? VARY_NUMBER
           : !strcmp(kind, "network4") ? VARY_NETWORK4
           : !strcmp(kind, "network6") ? VARY_NETWORK6
                                       : VARY_NOTHING;
  if (varies == VARY_NETWORK6) read_networks(path);
}

// Writes the next query: random as told, with this message ID. Returns its length.
static int write_query(uint8_t *to, uint16_t id) {
  memcpy(to, template_octets, (size_t)template_length);
  to[0] = (uint8_t)(id >> 8);
  to[1] = (uint8_t)id;
  uint8_t *at = to + vary_at;
  uint64_t r = varies == VARY_NOTHING ? 0 : random_number();
  if (varies == VARY_LETTERS) {
    for (int i = 0; i < vary_length; i++, r >>= 5) {
      if (i == 12) r = random_number();
      at[i] = (uint8_t)('a' + (r & 31) % 26);
    }
  } else if (varies == VARY_NUMBER) {
    int number = (int)(r % (uint64_t)vary_count);
    for (int i = vary_length - 1; i >= 0; i--, number /= 10) at[i] = (uint8_t)('0' + number % 10);
  } else if (varies == VARY_NETWORK4) {
    at[0] = (uint8_t)(1 + r % 223);
    at[1] = (uint8_t)(r >> 16);
    at[2] = (uint8_t)(r >> 24);
  } else if (varies == VARY_NETWORK6) {
    // A network of the list, and of those of the wanted length within it a random one.
    const uint8_t *network = networks[(r >> 8) % (uint64_t)networks_count];
    uint64_t tail = random_number();
    for (int i = 0; i < vary_length; i++, tail >>= 8) {
      int free_bits = 8 * (i + 1) - network[16];
      uint8_t mask = free_bits <= 0 ? 0 : free_bits >= 8 ? 255 : (uint8_t)((1 << free_bits) - 1);
      at[i] = (uint8_t)(network[i] | (tail & mask));
    }
  }
  return template_length;
}

// What a reply must be to count as right.
static int expected_rcode, expected_answers;
static int is_expected(const uint8_t *reply, int length) {
  return length >= 12 && (reply[2] & 0x80) && (reply[3] & 15) == expected_rcode &&
         (reply[6] << 8 | reply[7]) >= expected_answers;
}

struct endpoint {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } at;
  socklen_t length;
};

// A loopback address and a port. Nothing here sends anywhere else.
static struct endpoint endpoint_of(const char *address, int port) {
  struct endpoint e;
  memset(&e, 0, sizeof e);
  if (!strcmp(address, "::1")) {
    e.at.v6.sin6_family = AF_INET6;
    e.at.v6.sin6_port = htons((uint16_t)port);
    e.at.v6.sin6_addr = in6addr_loopback;
    e.length = sizeof e.at.v6;
  } else if (!strcmp(address, "127.0.0.1")) {
    e.at.v4.sin_family = AF_INET;
    e.at.v4.sin_port = htons((uint16_t)port);
    e.at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    e.length = sizeof e.at.v4;
  } else {
    fprintf(stderr, "only 127.0.0.1 and ::1: got %s\n", address);
    exit(2);
  }
  return e;
}

static void enlarge_buffers(int fd) {
  int octets = 4 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
}

// Latencies by logarithmic bins, 64 to a doubling: within 1.6 % of what was measured.
#define BINS 4096
static uint64_t bins[BINS];
static void count_in(uint64_t *counts, uint64_t ns) {
  int exponent = ns < 64 ? 0 : 63 - __builtin_clzll(ns) - 5;
  counts[exponent * 64 + (int)((exponent ? ns >> exponent : ns) & 63)]++;
}
static void count_latency(uint64_t ns) {
  count_in(bins, ns);
}

static void print_bins(const char *name, const uint64_t *counts) {
  printf(",\"%s\":[", name);
  const char *comma = "";
  for (int i = 0; i < BINS; i++) {
    if (counts[i] == 0) continue;
    printf("%s[%d,%lu]", comma, i, counts[i]);
    comma = ",";
  }
  printf("]");
}

// Likewise what of it was the server's own, where a generator can tell; NULL = it cannot.
static uint64_t *server_bins;

static void print_figures(double seconds, uint64_t sent, uint64_t answered, uint64_t wrong) {
  printf("{\"seconds\":%.6f,\"sent\":%lu,\"answered\":%lu,\"wrong\":%lu", seconds, sent, answered, wrong);
  print_bins("bins", bins);
  if (server_bins) print_bins("serverBins", server_bins);
  printf("}\n");
}
