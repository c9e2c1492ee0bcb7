// SPDX-License-Identifier: MIT OR Apache-2.0
/*
 * A 32-bit program that tries the device: freestanding, so that no 32-bit library is needed. Every `ioctl` must
 * be refused with EOPNOTSUPP, and everything else must be clean. Exits with the number of the first step that
 * was not as it must be, or 0. SOURCE is a user source that takes 8 bytes.
 */
#define SYS_exit 1
#define SYS_read 3
#define SYS_write 4
#define SYS_open 5
#define SYS_close 6
#define SYS_ioctl 54
#define SYS_poll 168
#define SYS_pread64 180
#define SYS_mmap2 192

#define O_RDWR 2
#define O_NONBLOCK 04000
#define EFAULT 14
#define EINVAL 22
#define ENODEV 19
#define ENOTCONN 107
#define EOPNOTSUPP 95
#define POLLOUT 4

/* As in the uapi header, whose includes a machine need not have in a 32-bit form. */
#define RTNOTIFY_IOC(number) (3u << 30 | 0xb7u << 8 | (number))
#define RTNOTIFY_IOC_REGISTER RTNOTIFY_IOC(1)

struct post {
	unsigned int size;
	unsigned int source;
	unsigned short kind;
	unsigned short flags;
	unsigned int payload_len;
	unsigned long long value;
	unsigned long long reserved;
	char payload[8];
} __attribute__((packed, aligned(4)));

struct pollfd {
	int fd;
	short events;
	short revents;
};

static long call(long number, long a, long b, long c, long d, long e)
{
	long ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return ret;
}

static void must(int step, long got, long wanted)
{
	if (got != wanted) {
		for (;;)
			call(SYS_exit, step, 0, 0, 0, 0);
	}
}

static const char path[] = "/dev/rtnotify";
static unsigned int request[1024] __attribute__((aligned(8)));
static char buffer[4096];

void _start(void)
{
	struct post post = {
		.size = 32,
		.source = SOURCE,
		.payload_len = 8,
		.payload = "32 bits",
	};
	struct pollfd pollfd = { .events = POLLOUT };
	long fd = call(SYS_open, (long)path, O_RDWR | O_NONBLOCK, 0, 0, 0);
	unsigned int number;

	must(1, fd < 0, 0);
	/* A good registration: of signal 35, window mode. */
	request[0] = 96;
	request[3] = 35;
	request[6] = 2;
	request[9] = 1;
	request[10] = 1;
	must(2, call(SYS_ioctl, fd, RTNOTIFY_IOC_REGISTER, (long)request, 0, 0), -EOPNOTSUPP);
	must(3, request[2], 0);
	for (number = 0; number < 64; number++)
		must(4, call(SYS_ioctl, fd, RTNOTIFY_IOC(number), (long)request, 0, 0),
		     -EOPNOTSUPP);
	must(5, call(SYS_ioctl, fd, RTNOTIFY_IOC_REGISTER, 0, 0, 0), -EOPNOTSUPP);
	must(6, call(SYS_read, fd, (long)buffer, sizeof(buffer), 0, 0), -ENOTCONN);
	must(7, call(SYS_pread64, fd, (long)buffer, sizeof(buffer), 0x00a00000, 0), -ENOTCONN);
	must(8, call(SYS_write, fd, (long)buffer, 8, 0, 0), -EINVAL);
	must(9, call(SYS_write, fd, 4, 64, 0, 0), -EFAULT);
	must(10, call(SYS_write, fd, (long)&post, sizeof(post), 0, 0), sizeof(post));
	pollfd.fd = fd;
	must(11, call(SYS_poll, (long)&pollfd, 1, 0, 0, 0), 1);
	must(12, pollfd.revents, POLLOUT);
	must(13, call(SYS_close, fd, 0, 0, 0, 0), 0);
	for (;;)
		call(SYS_exit, 0, 0, 0, 0, 0);
}
