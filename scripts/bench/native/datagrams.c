// Puts load on a server over UDP, as fast as it answers (closed loop) or at a rate (open loop), and says what came back.
//
//   datagrams -a ADDRESS -p PORT -l SECONDS (-W WINDOW | -R RATE [-z] [-f]) -s SOCKETS -q HEX [-v VARIATION]
//     -x RCODE:ANSWERS -i SEED [-t MS: how long to wait for replies in the end]
//     [-k: count beside it how long the server took, whenever this program came to send and to look: from when a query
//      was really sent to when the kernel had the reply]
//   -z sleeps between queries; -f is never kept from its processor by others (SCHED_FIFO), and wants -z

#define _GNU_SOURCE
#include "queries.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SOCKETS_MAX 256
#define BATCH 32
#define SLOT 2048
#define PATIENCE_NS 250000000ull

struct lane {
  int fd;
  uint16_t next_id;
  int under_way;
  uint64_t heard_ns;
  // By message ID, when the query was due; 0 = none is under way.
  uint64_t due_ns[65536];
  // When it was sent, by the clock that the kernel stamps replies with.
  uint64_t sent_ns[65536];
};

static struct lane *lanes;
static int lanes_count = 16;
static uint64_t sent, answered, wrong;
static int stamps;
static uint8_t in_control[BATCH][64];
static uint8_t in_octets[BATCH][SLOT], out_octets[BATCH][QUERY_OCTETS_MAX];
static struct mmsghdr in_headers[BATCH], out_headers[BATCH];
static struct iovec in_vectors[BATCH], out_vectors[BATCH];

static void prepare(struct endpoint to) {
  lanes = calloc((size_t)lanes_count, sizeof *lanes);
  if (!lanes) fail("calloc");
  for (int i = 0; i < lanes_count; i++) {
    lanes[i].fd = socket(to.at.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    enlarge_buffers(lanes[i].fd);
    if (connect(lanes[i].fd, &to.at.any, to.length)) fail("connect");
    if (stamps && setsockopt(lanes[i].fd, SOL_SOCKET, SO_TIMESTAMPNS, &stamps, sizeof stamps)) fail("SO_TIMESTAMPNS");
  }
  for (int i = 0; i < BATCH; i++) {
    in_vectors[i] = (struct iovec){in_octets[i], SLOT};
    out_vectors[i] = (struct iovec){out_octets[i], 0};
    in_headers[i].msg_hdr.msg_iov = &in_vectors[i];
    out_headers[i].msg_hdr.msg_iov = &out_vectors[i];
    in_headers[i].msg_hdr.msg_iovlen = out_headers[i].msg_hdr.msg_iovlen = 1;
  }
}

static uint64_t stamp_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

// When the kernel had the datagram; 0 where it does not say.
static uint64_t stamp_of(struct msghdr *header) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    struct timespec t;
    memcpy(&t, CMSG_DATA(c), sizeof t);
    return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
  }
  return 0;
}

static void count_server(struct msghdr *header, uint64_t sent_ns) {
  uint64_t stamp = stamp_of(header);
  if (stamp >= sent_ns) count_in(server_bins, stamp - sent_ns);
}

static int send_on(struct lane *lane, int wanted, uint64_t due_ns) {
  int count = wanted < BATCH ? wanted : BATCH;
  for (int i = 0; i < count; i++) {
    out_vectors[i].iov_len = (size_t)write_query(out_octets[i], (uint16_t)(lane->next_id + i));
  }
  uint64_t stamp = stamps ? stamp_ns() : 0;
  int left = sendmmsg(lane->fd, out_headers, (unsigned)count, 0);
  if (left < 0) left = 0;
  if (lane->under_way == 0) lane->heard_ns = due_ns;
  for (int i = 0; i < left; i++) {
    lane->due_ns[(uint16_t)(lane->next_id + i)] = due_ns;
    lane->sent_ns[(uint16_t)(lane->next_id + i)] = stamp;
  }
  lane->next_id = (uint16_t)(lane->next_id + left);
  lane->under_way += left;
  sent += (uint64_t)left;
  return left;
}

static int receive_on(struct lane *lane) {
  for (int i = 0; stamps && i < BATCH; i++) {
    in_headers[i].msg_hdr.msg_control = in_control[i];
    in_headers[i].msg_hdr.msg_controllen = sizeof in_control[i];
  }
  int count = recvmmsg(lane->fd, in_headers, BATCH, MSG_DONTWAIT, NULL);
  if (count <= 0) return 0;
  uint64_t now = now_ns();
  lane->heard_ns = now;
  for (int i = 0; i < count; i++) {
    uint8_t *reply = in_octets[i];
    uint16_t id = (uint16_t)(reply[0] << 8 | reply[1]);
    // A reply to what was given up, or a second one.
    if (lane->due_ns[id] == 0) continue;
    count_latency(now - lane->due_ns[id]);
    if (stamps) count_server(&in_headers[i].msg_hdr, lane->sent_ns[id]);
    lane->due_ns[id] = 0;
    lane->under_way--;
    answered++;
    if (!is_expected(reply, (int)in_headers[i].msg_len)) wrong++;
  }
  return count;
}

static int receive_all(void) {
  int count = 0;
  for (int i = 0; i < lanes_count; i++) {
    if (lanes[i].under_way > 0) count += receive_on(&lanes[i]);
  }
  return count;
}

static void wait_ns(uint64_t ns) {
  static struct pollfd polled[SOCKETS_MAX];
  for (int i = 0; i < lanes_count; i++) polled[i] = (struct pollfd){lanes[i].fd, POLLIN, 0};
  struct timespec time = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
  ppoll(polled, (nfds_t)lanes_count, &time, NULL);
}

static void wait_ms(int ms) {
  wait_ns((uint64_t)ms * 1000000);
}

static int is_under_way(void) {
  for (int i = 0; i < lanes_count; i++) {
    if (lanes[i].under_way > 0) return 1;
  }
  return 0;
}

static uint64_t drain(uint64_t patience_ns) {
  uint64_t heard = now_ns();
  while (is_under_way() && now_ns() - heard < patience_ns) {
    if (receive_all() > 0) heard = now_ns();
    else wait_ms(1);
  }
  return heard;
}

// From half of `window` to `window` queries without reply, always.
static void push(double seconds, int window) {
  int share = window / lanes_count > 0 ? window / lanes_count : 1;
  uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9);
  for (uint64_t now = begin; now < end; now = now_ns()) {
    int received = 0;
    for (int i = 0; i < lanes_count; i++) {
      struct lane *lane = &lanes[i];
      // Replies may wait here for as long as this program did not run.
      if (lane->under_way > 0 && now - lane->heard_ns > PATIENCE_NS && receive_on(lane) == 0) {
        memset(lane->due_ns, 0, sizeof lane->due_ns);
        lane->under_way = 0;
      }
      // Half a window at a time: with single queries every call would carry one.
      if (lane->under_way <= share / 2) send_on(lane, share - lane->under_way, now);
      received += receive_on(lane);
    }
    if (received == 0) wait_ms(1);
  }
}

// Never sleeps, so that a reply does not wait for this program to wake up; unless that is wanted, for a load that is to
// leave its processor to others.
static void pace(double seconds, double rate, int sleeps) {
  uint64_t total = (uint64_t)(seconds * rate + 0.5), begin = now_ns();
  for (uint64_t i = 0; i < total; i++) {
    uint64_t due = begin + (uint64_t)((double)i * 1e9 / rate);
    for (;;) {
      int received = receive_all();
      uint64_t now = now_ns();
      if (now >= due) break;
      if (sleeps && received == 0) wait_ns(due - now);
    }
    send_on(&lanes[i % (uint64_t)lanes_count], 1, due);
  }
}

int main(int argc, char **argv) {
  const char *address = "127.0.0.1";
  int port = 0, window = 512, sleeps = 0, first = 0, option;
  double seconds = 1, rate = 0;
  uint64_t patience_ns = PATIENCE_NS;
  while ((option = getopt(argc, argv, "a:p:l:W:R:zfs:q:v:x:i:t:k")) != -1) {
    if (option == 'a') address = optarg;
    else if (option == 'p') port = atoi(optarg);
    else if (option == 'l') seconds = atof(optarg);
    else if (option == 'W') window = atoi(optarg);
    else if (option == 'R') rate = atof(optarg);
    else if (option == 'z') sleeps = 1;
    else if (option == 'f') first = 1;
    else if (option == 'k') stamps = 1, server_bins = calloc(BINS, sizeof *server_bins);
    else if (option == 's') lanes_count = atoi(optarg);
    else if (option == 'q') read_template(optarg);
    else if (option == 'v') read_variation(optarg);
    else if (option == 'x') sscanf(optarg, "%d:%d", &expected_rcode, &expected_answers);
    else if (option == 'i') random_state ^= strtoull(optarg, NULL, 10) * 0x9e3779b97f4a7c15ull;
    else if (option == 't') patience_ns = strtoull(optarg, NULL, 10) * 1000000;
    else return 2;
  }
  if (lanes_count < 1 || lanes_count > SOCKETS_MAX || template_length < 12 || (first && (!sleeps || rate <= 0))) return 2;
  prepare(endpoint_of(address, port));
  if (first && sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1})) fail("SCHED_FIFO");
  uint64_t begin = now_ns();
  // Sleeps are as long as they are meant to be, not up to 50 microseconds longer.
  if (sleeps) prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  if (rate > 0) pace(seconds, rate, sleeps);
  else push(seconds, window);
  uint64_t end = drain(patience_ns);
  print_figures((double)(end - begin) / 1e9, sent, answered, wrong);
  return 0;
}
