// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A stream of bytes: where one message ends and the next begins means nothing, and a read() gets as many bytes as
 * there are. The writer is waited for and waits: together a pipe, but for those who lag, who would see the gap.
 */
#include "common.h"

#define BYTES	200000

static unsigned char byte(size_t at)
{
	return (unsigned char)(at * 7 + at / 256);
}

/* Writes the stream in pieces of all lengths, in another process. */
static pid_t write_stream(int fd, __u32 source)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (child)
		return child;
	alarm(SECONDS);
	for (size_t done = 0, piece = 1; done < BYTES; piece = piece % 97 + 1) {
		struct {
			struct rtnotify_post head;
			unsigned char body[97];
		} post = { .head = { .size = sizeof(post.head), .source = source } };
		size_t len = BYTES - done < piece ? BYTES - done : piece;
		size_t whole = sizeof(post.head) + len;

		post.head.payload_len = len;
		for (size_t i = 0; i < len; i++)
			post.body[i] = byte(done + i);
		while (write(fd, &post, whole) != (ssize_t)whole)
			CHECK(errno == EINTR);
		done += len;
	}
	_exit(0);
}

int main(void)
{
	int signo = SIGRTMIN + 1, status;
	size_t done = 0, reads = 0;

	alarm(SECONDS);
	block(signo);

	int fd = open(RTNOTIFY_DEVICE, O_RDWR | O_CLOEXEC);
	int writer = open(RTNOTIFY_DEVICE, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && writer >= 0);

	struct rtnotify_create_source create = {
		.size = sizeof(create),
		.flags = RTNOTIFY_SOURCE_STREAM | RTNOTIFY_SOURCE_BLOCKING,
		.source_type = RTNOTIFY_SOURCE_USER,
		.max_payload = 97,
	};

	snprintf(create.name, sizeof(create.name), "c-stream-%d", getpid());
	CHECK(!ioctl(writer, RTNOTIFY_IOC_CREATE_SOURCE, &create));

	struct rtnotify_register request = {
		.size = sizeof(request),
		.flags = RTNOTIFY_REG_STREAM,
		.signo = signo,
		.mode = RTNOTIFY_MODE_COALESCED,
		.queue_len = 32,
		.policy = RTNOTIFY_POLICY_BLOCK,
		.clock = RTNOTIFY_CLOCK_MONOTONIC,
	};

	CHECK(!ioctl(fd, RTNOTIFY_IOC_REGISTER, &request));
	subscribe(fd, create.number);

	pid_t child = write_stream(writer, create.number);

	while (done < BYTES) {
		unsigned char buffer[256];
		ssize_t len = read(fd, buffer, 1 + done % sizeof(buffer));

		if (len < 0) {
			CHECK(errno == EINTR);
			continue;
		}
		CHECK(len > 0);
		for (ssize_t i = 0; i < len; i++)
			CHECK(buffer[i] == byte(done + i));
		done += len;
		reads++;
	}
	while (waitpid(child, &status, 0) < 0)
		CHECK(errno == EINTR);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* The source ends with the last descriptor of its file, and so does the stream. */
	close(writer);
	CHECK(read(fd, &status, sizeof(status)) == 0);
	printf("stream: %zu bytes in %zu reads\n", done, reads);
	return 0;
}
