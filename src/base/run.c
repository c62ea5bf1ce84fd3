/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/run.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/text.h"

#define CHILD_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What came through a pipe. keep_end: once full, the oldest bytes go. */
struct stream {
	int fd;
	char *data;
	size_t size;
	size_t max;
	bool keep_end;
	bool overflow;
};

static void stream_done(struct stream *s)
{
	s->fd = close_fd(s->fd);
	free(s->data);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static int stream_append(struct stream *s, const char *data, size_t n)
{
	if (s->size + n > s->max && s->keep_end) {
		size_t drop = s->size + n - s->max;
		if (drop > s->size)
			drop = s->size;
		memmove(s->data, s->data + drop, s->size - drop);
		s->size -= drop;
	}
	if (s->size + n > s->max) {
		s->overflow = true;
		return 0;
	}
	char *larger = realloc(s->data, s->size + n + 1);
	if (!larger)
		return -ENOMEM;
	s->data = larger;
	memcpy(s->data + s->size, data, n);
	s->size += n;
	s->data[s->size] = '\0';
	return 0;
}

/* Takes what is there; at the end of the stream the descriptor is closed. */
static int stream_read(struct stream *s)
{
	char chunk[RUN_DIAGNOSTIC_MAX];
	ssize_t n = read(s->fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0) {
		s->fd = close_fd(s->fd);
		return 0;
	}
	return stream_append(s, chunk, (size_t)n);
}

/* Waits for the descriptors: as poll(2), and 0 each time the caller's tick is due; -ETIMEDOUT. */
static int wait_for(struct pollfd *polls, nfds_t n, const struct run_options *options,
		    int64_t deadline)
{
	int64_t left = deadline - now_ms();

	if (left <= 0)
		return -ETIMEDOUT;
	if (options->tick && left > RUN_TICK_MS)
		left = RUN_TICK_MS;
	int r = poll(polls, n, (int)left);
	if (r == 0 && options->tick)
		options->tick(options->user);
	return r < 0 ? (errno == EINTR ? 0 : -errno) : r;
}

/* Reads both streams until they end, or until the deadline: -ETIMEDOUT. */
static int collect(struct stream *out, struct stream *err, const struct run_options *options,
		   int64_t deadline)
{
	while (out->fd >= 0 || err->fd >= 0) {
		struct pollfd polls[] = {
			{ .fd = out->fd, .events = POLLIN },
			{ .fd = err->fd, .events = POLLIN },
		};
		int n = wait_for(polls, ARRAY_SIZE(polls), options, deadline);
		if (n < 0)
			return n;
		if (n == 0)
			continue;
		int r = polls[0].revents ? stream_read(out) : 0;
		if (r == 0 && polls[1].revents)
			r = stream_read(err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int reap(pid_t pid, int *ret_status)
{
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* The child closed its streams and may still run: waits for its end through a pidfd. */
static int wait_for_exit(pid_t pid, const struct run_options *options, int64_t deadline,
			 int *ret_status)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	while (pidfd >= 0) {
		int n = wait_for(&p, 1, options, deadline);
		if (n < 0)
			return n;
		if (n > 0)
			break;
	}
	return reap(pid, ret_status);
}

static int build_environment(const struct run_options *options, char ***ret)
{
	_cleanup_strv_ char **list = NULL;
	int r = strv_add(&list, CHILD_PATH);

	if (r == 0)
		r = strv_add(&list, "LC_ALL=C");
	for (const char *const *e = options->environ; r == 0 && e && *e; e++)
		r = strv_add(&list, *e);
	if (r == 0)
		*ret = TAKE_PTR(list);
	return r;
}

struct child {
	const char *const *argv;
	const struct run_options *options;
	char **environment;
	int out, err;
	pid_t parent;
	int result; /* why it could not be run */
};

static int put_at(int fd, int number)
{
	int r = fd == number ? fcntl(fd, F_SETFD, 0) : dup2(fd, number);

	return r < 0 ? -errno : 0;
}

static int set_streams(const struct child *c)
{
	const struct run_options *o = c->options;
	int in = o->stdin_fd > 0 ? o->stdin_fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r = in < 0 ? -errno : put_at(in, STDIN_FILENO);

	if (r == 0)
		r = put_at(o->output_is_words ? c->err
			   : o->stdout_fd > 0 ? o->stdout_fd
					      : c->out,
			   STDOUT_FILENO);
	return r < 0 ? r : put_at(c->err, STDERR_FILENO);
}

/* Who died before we could ask to be told has no more use for us. */
static int tie_to_parent(const struct child *c)
{
	if (!c->options->ends_with_us)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	return getppid() == c->parent ? 0 : -ESRCH;
}

/* In the child, whose memory is the parent's: nothing but system calls. Returns only if it could not be run. */
static int become(const struct child *c)
{
	sigset_t none;
	int r = tie_to_parent(c);

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL);
	if (r == 0)
		r = set_streams(c);
	if (r == 0 && c->options->directory && chdir(c->options->directory) < 0)
		r = -errno;
	sigemptyset(&none);
	if (r == 0 && sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		r = -errno;
	if (r < 0)
		return r;
	execvpe(c->argv[0], (char *const *)c->argv, c->environment);
	return -errno;
}

static pid_t start(struct child *c)
{
	pid_t pid = vfork();

	if (pid != 0)
		return pid;
	c->result = become(c);
	_exit(127);
}

/* As posix_spawn(3) does it, which cannot tie a child to its parent. */
static int spawn_child(struct child *c, pid_t *ret_pid)
{
	sigset_t all, before;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	c->parent = getpid();
	pid_t pid = start(c);
	if (pid < 0)
		r = -errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return r;
	if (c->result < 0) {
		(void)reap(pid, NULL);
		return c->result;
	}
	*ret_pid = pid;
	return 0;
}

/* The last words of a program on one line, without space around them. */
static const char *last_words(struct stream *err)
{
	char *words = err->data;

	if (!words)
		return "it said nothing";
	for (char *c = words; *c; c++)
		if (strchr("\n\r\t", *c))
			*c = ' ';
	while (*words == ' ')
		words++;
	for (size_t n = strlen(words); n > 0 && words[n - 1] == ' '; n--)
		words[n - 1] = '\0';
	return *words ? words : "it said nothing";
}

static int judge(const char *program, const struct run_options *options, int status,
		 struct stream *err, struct diag *diag)
{
	if (WIFSIGNALED(status))
		return diag_set(diag, -ECHILD, "%s was killed by signal %d (%s): %s", program,
				WTERMSIG(status), strsignal(WTERMSIG(status)), last_words(err));
	int code = WEXITSTATUS(status);
	uint64_t success = options->success ? options->success : 1;
	if (code < 64 && (success >> code & 1))
		return code;
	return diag_set(diag, -ECHILD, "%s failed with exit status %d: %s", program, code,
			last_words(err));
}

int run_program(const char *const argv[], const struct run_options *options, char **ret_output,
		struct diag *diag)
{
	static const struct run_options defaults = { 0 };
	_cleanup_(stream_done) struct stream out = { .fd = -1, .max = RUN_OUTPUT_MAX };
	_cleanup_(stream_done) struct stream err = { .fd = -1,
						     .max = RUN_DIAGNOSTIC_MAX,
						     .keep_end = true };
	_cleanup_strv_ char **environment = NULL;
	int out_pipe[2], err_pipe[2], status = 0;
	pid_t pid = -1;

	if (!options)
		options = &defaults;
	unsigned timeout = options->timeout_ms ? options->timeout_ms : RUN_TIMEOUT_MS;
	int64_t deadline = now_ms() + timeout;
	int r = build_environment(options, &environment);
	if (r < 0)
		return r;
	if (pipe2(out_pipe, O_CLOEXEC) < 0)
		return -errno;
	out.fd = out_pipe[0];
	_cleanup_close_ int out_write = out_pipe[1];
	if (pipe2(err_pipe, O_CLOEXEC) < 0)
		return -errno;
	err.fd = err_pipe[0];
	_cleanup_close_ int err_write = err_pipe[1];

	struct child child = { .argv = argv,
			       .options = options,
			       .environment = environment,
			       .out = out_write,
			       .err = err_write };
	r = spawn_child(&child, &pid);
	if (r < 0)
		return diag_set(diag, r, "cannot run %s: %s", argv[0], strerror(-r));
	out_write = close_fd(out_write);
	err_write = close_fd(err_write);

	r = collect(&out, &err, options, deadline);
	if (r == 0)
		r = wait_for_exit(pid, options, deadline, &status);
	if (r < 0) {
		kill(pid, SIGKILL);
		(void)reap(pid, &status);
		if (r == -ETIMEDOUT)
			return diag_set(diag, r, "%s did not end within %u s and was killed: %s",
					argv[0], timeout / 1000, last_words(&err));
		return diag_set(diag, r, "%s: %s", argv[0], strerror(-r));
	}
	r = judge(argv[0], options, status, &err, diag);
	if (r < 0)
		return r;
	if (out.overflow && ret_output)
		return diag_set(diag, -EFBIG, "%s printed more than %d MiB", argv[0],
				RUN_OUTPUT_MAX >> 20);
	if (ret_output) {
		if (!out.data && !(out.data = strdup("")))
			return -ENOMEM;
		*ret_output = TAKE_PTR(out.data);
	}
	return r;
}
