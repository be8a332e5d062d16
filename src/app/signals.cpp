#include "signals.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>

namespace fulmar::app {

namespace {
sigset_t handled() noexcept {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}
}  // namespace

void signals::block() noexcept {
    sigset_t set = handled();
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

result<std::unique_ptr<signals>> signals::watch(engine::reactor& control,
                                                std::function<void(int)> on_signal) {
    const sigset_t set = handled();
    unique_fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return fail_errno("cannot receive signals", errno);
    std::unique_ptr<signals> made(new signals(control, std::move(fd), std::move(on_signal)));
    FULMAR_CHECK(control.watch(made->watch_, made->fd_.get(), EPOLLIN));
    return made;
}

signals::signals(engine::reactor& control, unique_fd fd, std::function<void(int)> on_signal)
    : control_(control), fd_(std::move(fd)), on_signal_(std::move(on_signal)) {}

signals::~signals() { control_.unwatch(watch_); }

void signals::read_all() noexcept {
    signalfd_siginfo info{};
    while (::read(fd_.get(), &info, sizeof info) == sizeof info)
        on_signal_(static_cast<int>(info.ssi_signo));
}

}  // namespace fulmar::app
