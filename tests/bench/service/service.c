/* The service of the benchmark: one static program without libraries, so that an image of it is small and
 * its start costs little.
 *
 *   service sleep                    waits to be stopped
 *   service serve PORT [AFTER_MS]    answers each HTTP request with $ANSWER, AFTER_MS milliseconds after its start
 *   service probe PORT               a health check: succeeds when something answers at PORT of this container
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The first process of a container ignores signals it has no handler for. */
static void stop(int signal) {
    (void)signal;
    _exit(0);
}

static struct sockaddr_in address(const char *port, in_addr_t host) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    at.sin_addr.s_addr = host;
    return at;
}

static int probe(const char *port) {
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = address(port, htonl(INADDR_LOOPBACK));
    return connect(connection, (struct sockaddr *)&at, sizeof at) == 0 ? 0 : 1;
}

static int serve(const char *port, long after_ms) {
    struct timespec pause = {after_ms / 1000, after_ms % 1000 * 1000000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in at = address(port, htonl(INADDR_ANY));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 128) != 0) {
        perror("service: cannot listen");
        return 1;
    }
    const char *answer = getenv("ANSWER") ? getenv("ANSWER") : "ok";
    char response[512], request[4096];
    int length = snprintf(response, sizeof response,
                          "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(answer), answer);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) {
            continue;
        }
        if (read(connection, request, sizeof request) > 0 && write(connection, response, (size_t)length) < 0) {
            perror("service: cannot answer");
        }
        close(connection);
    }
}

int main(int count, char **words) {
    struct sigaction on_stop = {.sa_handler = stop};
    sigaction(SIGTERM, &on_stop, NULL);
    sigaction(SIGINT, &on_stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (count >= 3 && strcmp(words[1], "serve") == 0) {
        return serve(words[2], count > 3 ? atol(words[3]) : 0);
    }
    if (count == 3 && strcmp(words[1], "probe") == 0) {
        return probe(words[2]);
    }
    if (count == 2 && strcmp(words[1], "sleep") == 0) {
        for (;;) {
            pause();
        }
    }
    fputs("usage: service sleep | serve PORT [AFTER_MS] | probe PORT\n", stderr);
    return 64;
}
