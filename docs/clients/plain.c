/* A client with libzmq only, after docs/wire.md: a start for your own, in C or C++.

       cc plain.c -o plain -lzmq
       ./plain tcp://127.0.0.1:5555 10                               ten frames
       ./plain ask tcp://127.0.0.1:5557 '{"command": "state"}'       a command and its reply
       ./plain FILE                                                  one message, such as tests/vectors/positions.bin

   The machine must be little-endian, as x86 and ARM are. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_include) && __has_include(<zmq.h>)
#include <zmq.h>
#else /* without the header: the declarations used here */
extern void *zmq_ctx_new(void);
extern int zmq_ctx_term(void *context);
extern void *zmq_socket(void *context, int type);
extern int zmq_close(void *socket);
extern int zmq_connect(void *socket, const char *address);
extern int zmq_setsockopt(void *socket, int option, const void *value, size_t size);
extern int zmq_recv(void *socket, void *buffer, size_t size, int flags);
extern int zmq_send(void *socket, const void *buffer, size_t size, int flags);
enum { ZMQ_SUB = 2, ZMQ_REQ = 3, ZMQ_SUBSCRIBE = 6, ZMQ_LINGER = 17, ZMQ_RCVTIMEO = 27, ZMQ_CONFLATE = 54 };
#endif

struct header {
    uint16_t version, header_size, row_size, reserved;
    uint64_t session, seq, frame;
    int64_t camera_number;
    double t_s;
    int64_t t_exposed_ns, t_received_ns, t_started_ns, t_localized_ns, t_linked_ns, t_published_ns, wall_ns;
    uint64_t skipped, lost;
    uint32_t geometry, width, height;
    int32_t x_origin, y_origin;
    uint32_t binning;
    double pixel_size_um;
    uint32_t row_count, reserved_2;
    int64_t target;
};

struct row {
    int64_t id;
    float x, y, x_std, y_std, xy_cov, intensity, score, angle, vx, vy;
    uint32_t flags;
};

static unsigned char message[1 << 24];

/* Print a positions message of `size` bytes; return 0, or 1 if it is invalid. */
static int print_positions(long size) {
    struct header header;
    if (size < (long)(8 + sizeof header) || memcmp(message, "lt.pos\0\0", 8) != 0) {
        fprintf(stderr, "not a positions message\n");
        return 1;
    }
    memcpy(&header, message + 8, sizeof header);
    if (header.version != 1 || header.header_size < sizeof header || header.row_size < sizeof(struct row) - 4 ||
        size < 8 + header.header_size + (long)header.row_count * header.row_size) {
        fprintf(stderr, "a truncated message, or one of another version\n");
        return 1;
    }
    printf("frame %llu seq %llu t_s %.6f target %lld rows %u\n", (unsigned long long)header.frame,
           (unsigned long long)header.seq, header.t_s, (long long)header.target, header.row_count);
    for (uint32_t i = 0; i < header.row_count; i++) {
        struct row row = {0};
        memcpy(&row, message + 8 + header.header_size + (size_t)i * header.row_size, 52);
        printf("%lld %.4f %.4f %.4f %.4f %u\n", (long long)row.id, row.x, row.y, row.vx, row.vy, row.flags);
    }
    return 0;
}

static int listen_to(const char *address, int count) {
    const int on = 1, timeout_ms = 10000;
    int failed = 0;
    void *context = zmq_ctx_new();
    void *positions = zmq_socket(context, ZMQ_SUB);
    zmq_setsockopt(positions, ZMQ_CONFLATE, &on, sizeof on); /* keep only the newest message, for control */
    zmq_setsockopt(positions, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt(positions, ZMQ_SUBSCRIBE, "lt.pos\0\0", 8);
    failed = zmq_connect(positions, address);
    for (int i = 0; i < count && !failed; i++) {
        int size = zmq_recv(positions, message, sizeof message, 0);
        failed = size < 0 || size > (int)sizeof message || print_positions(size);
    }
    zmq_close(positions);
    zmq_ctx_term(context);
    return failed;
}

static int ask(const char *address, const char *request) {
    const int timeout_ms = 10000, linger_ms = 0;
    void *context = zmq_ctx_new();
    void *commands = zmq_socket(context, ZMQ_REQ);
    zmq_setsockopt(commands, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt(commands, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    int size = -1;
    if (zmq_connect(commands, address) == 0 && zmq_send(commands, request, strlen(request), 0) >= 0)
        size = zmq_recv(commands, message, sizeof message, 0);
    if (size >= 0)
        printf("%.*s\n", size, (const char *)message);
    zmq_close(commands);
    zmq_ctx_term(context);
    return size < 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "ask") == 0)
        return ask(argv[2], argv[3]);
    if (argc == 3)
        return listen_to(argv[1], atoi(argv[2]));
    if (argc == 2) {
        FILE *file = fopen(argv[1], "rb");
        if (!file)
            return 2;
        long size = (long)fread(message, 1, sizeof message, file);
        fclose(file);
        return print_positions(size);
    }
    fprintf(stderr, "usage: plain ADDRESS COUNT, plain ask ADDRESS REQUEST, or plain FILE\n");
    return 2;
}
