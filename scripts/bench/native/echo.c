// The least that a server can do: takes datagrams, many a call, puts one A record behind the question, and sends them
// back. What is left is what the kernel costs.
//
//   echo ADDRESS PORT

#define _GNU_SOURCE
#include "queries.h"

#define BATCH 32
#define SLOT 1500

static const uint8_t record[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  struct endpoint here = endpoint_of(argv[1], atoi(argv[2]));
  int fd = socket(here.at.any.sa_family, SOCK_DGRAM, 0);
  enlarge_buffers(fd);
  if (bind(fd, &here.at.any, here.length)) fail("bind");
  static uint8_t octets[BATCH][SLOT + sizeof record];
  static struct endpoint from[BATCH];
  static struct mmsghdr headers[BATCH];
  static struct iovec vectors[BATCH];
  for (int i = 0; i < BATCH; i++) {
    vectors[i].iov_base = octets[i];
    headers[i].msg_hdr.msg_iov = &vectors[i];
    headers[i].msg_hdr.msg_iovlen = 1;
    headers[i].msg_hdr.msg_name = &from[i].at;
  }
  for (;;) {
    for (int i = 0; i < BATCH; i++) {
      vectors[i].iov_len = SLOT;
      headers[i].msg_hdr.msg_namelen = sizeof from[i].at;
    }
    int count = recvmmsg(fd, headers, BATCH, MSG_WAITFORONE, NULL);
    for (int i = 0; i < count; i++) {
      uint8_t *packet = octets[i];
      int length = (int)headers[i].msg_len, end = 12;
      while (end < length && packet[end]) end += packet[end] + 1;
      end += 5;
      // EDNS stays behind the answer, so that replies are as long as a real server's.
      if (end < length) memmove(packet + end + sizeof record, packet + end, (size_t)(length - end));
      memcpy(packet + end, record, sizeof record);
      packet[2] |= 0x84;
      packet[7] = 1;
      vectors[i].iov_len = (size_t)length + sizeof record;
    }
    for (int sent = 0; sent < count;) {
      int left = sendmmsg(fd, headers + sent, (unsigned)(count - sent), 0);
      if (left <= 0) break;
      sent += left;
    }
  }
}
