// Floods a server over UDP, many datagrams a call (UDP GSO), and never reads a reply: it costs a quarter of what a
// generator does that reads, so that servers of two threads have nearly two processors. What the server took is the
// growth of the kernel's InDatagrams, which counts datagrams that somebody read.
//
//   flood -a ADDRESS -p PORT -l SECONDS -s SOCKETS -q HEX [-v VARIATION] -i SEED

#define _GNU_SOURCE
#include "queries.h"
#include <netinet/udp.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define SOCKETS_MAX 256
#define SEGMENTS 32

static uint64_t datagrams_read(void) {
  FILE *file = fopen("/proc/net/snmp", "r");
  char line[512];
  uint64_t count = 0;
  if (!file) fail("/proc/net/snmp");
  for (int seen = 0; fgets(line, sizeof line, file);) {
    if (!strncmp(line, "Udp:", 4) && seen++ == 1) sscanf(line, "Udp: %lu", &count);
  }
  fclose(file);
  return count;
}

int main(int argc, char **argv) {
  const char *address = "127.0.0.1";
  int port = 0, sockets = 64, option, fds[SOCKETS_MAX];
  double seconds = 1;
  while ((option = getopt(argc, argv, "a:p:l:s:W:q:v:x:i:")) != -1) {
    if (option == 'a') address = optarg;
    else if (option == 'p') port = atoi(optarg);
    else if (option == 'l') seconds = atof(optarg);
    else if (option == 's') sockets = atoi(optarg);
    else if (option == 'q') read_template(optarg);
    else if (option == 'v') read_variation(optarg);
    else if (option == 'i') random_state ^= strtoull(optarg, NULL, 10) * 0x9e3779b97f4a7c15ull;
    else if (option != 'x' && option != 'W') return 2;
  }
  if (sockets < 1 || sockets > SOCKETS_MAX || template_length < 12) return 2;
  struct endpoint to = endpoint_of(address, port);
  for (int i = 0; i < sockets; i++) {
    int small = 4096, large = 4 << 20;
    fds[i] = socket(to.at.any.sa_family, SOCK_DGRAM, 0);
    // Replies are dropped where they arrive.
    setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
    if (connect(fds[i], &to.at.any, to.length)) fail("connect");
  }
  static uint8_t octets[SEGMENTS * QUERY_OCTETS_MAX];
  char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
  struct iovec vector = {octets, (size_t)(SEGMENTS * template_length)};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *segment = CMSG_FIRSTHDR(&message);
  segment->cmsg_level = SOL_UDP;
  segment->cmsg_type = UDP_SEGMENT;
  segment->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  *(uint16_t *)CMSG_DATA(segment) = (uint16_t)template_length;
  uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9), sent = 0, before = datagrams_read();
  for (uint16_t id = 0; now_ns() < end;) {
    for (int s = 0; s < sockets; s++) {
      for (int i = 0; i < SEGMENTS; i++) write_query(octets + i * template_length, id++);
      if (sendmsg(fds[s], &message, 0) > 0) sent += SEGMENTS;
    }
  }
  uint64_t taken = datagrams_read() - before, finished = now_ns();
  print_figures((double)(finished - begin) / 1e9, sent, taken, 0);
  return 0;
}
