#include "connection.hpp"

#include "place.hpp"

#include <libnbd.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace fulmar::backend::nbd {

namespace {
std::uint32_t durable_flag(bool durable) noexcept {
    return durable ? std::uint32_t{LIBNBD_CMD_FLAG_FUA} : 0u;
}
}  // namespace

connection::~connection() { close(true); }

result<void> connection::listen(place& of) {
    place_ = &of;
    reactor_ = &of.reactor();
    return reactor_->watch(watch_, nbd_aio_get_fd(handle_.get()), EPOLLIN);
}

// A reset throws away what the kernel has not sent yet: a write that was given up does not leave
// this machine any more.
void connection::close(bool orderly) noexcept {
    if (reactor_ != nullptr) reactor_->unwatch(watch_);
    if (handle_ != nullptr && !dead() && orderly) nbd_aio_disconnect(handle_.get(), 0);
    if (handle_ != nullptr && !dead() && !orderly) {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(nbd_aio_get_fd(handle_.get()), SOL_SOCKET, SO_LINGER, &at_once,
                     sizeof at_once);
    }
    handle_.reset();
}

bool connection::dead() const noexcept {
    return handle_ == nullptr || nbd_aio_is_dead(handle_.get()) == 1 ||
           nbd_aio_is_closed(handle_.get()) == 1;
}

void connection::read(job& j, void* into, std::size_t bytes, std::uint64_t offset) noexcept {
    ++j.requests;
    requested(j, nbd_aio_pread(handle_.get(), into, bytes, offset,
                               {.callback = &ended, .user_data = &j, .free = nullptr}, 0));
}

void connection::write(job& j, const void* from, std::size_t bytes, std::uint64_t offset,
                       bool durable) noexcept {
    ++j.requests;
    requested(j, nbd_aio_pwrite(handle_.get(), from, bytes, offset,
                                {.callback = &ended, .user_data = &j, .free = nullptr},
                                durable_flag(durable)));
}

void connection::flush(job& j) noexcept {
    ++j.requests;
    requested(
        j, nbd_aio_flush(handle_.get(), {.callback = &ended, .user_data = &j, .free = nullptr}, 0));
}

void connection::trim(job& j, std::uint64_t bytes, std::uint64_t offset, bool durable) noexcept {
    ++j.requests;
    requested(j, nbd_aio_trim(handle_.get(), bytes, offset,
                              {.callback = &ended, .user_data = &j, .free = nullptr},
                              durable_flag(durable)));
}

void connection::zero(job& j, std::uint64_t bytes, std::uint64_t offset, bool durable) noexcept {
    ++j.requests;
    requested(j, nbd_aio_zero(handle_.get(), bytes, offset,
                              {.callback = &ended, .user_data = &j, .free = nullptr},
                              durable_flag(durable)));
}

// A request that libnbd does not take has no answer.
void connection::requested(job& j, std::int64_t cookie) noexcept {
    if (cookie < 0) {
        int why = nbd_get_errno();
        if (why == 0 || dead()) why = ENOTCONN;
        ended(&j, &why);
    }
    heed_direction();
}

// libnbd calls this, inside one of its own functions: nothing of it may be called here.
int connection::ended(void* of, int* error) noexcept {
    job& j = *static_cast<job*>(of);
    if (*error != 0 && j.error == 0) j.error = *error;
    j.at->request_ended(j);
    return 1;  // libnbd forgets the request
}

void connection::ready(std::uint32_t events) noexcept {
    if (wants_to_write_ && (events & EPOLLOUT) != 0) nbd_aio_notify_write(handle_.get());
    if ((events & ~std::uint32_t{EPOLLOUT}) != 0 && !dead()) read_answers();
    heed_direction();
    place_->answer_ended();
}

// One call reads one answer. A call that finds none leaves libnbd in the middle of an answer that
// has not begun, where it sends nothing; one more call takes it back.
void connection::read_answers() noexcept {
    for (std::uint32_t budget = answers_per_turn; budget != 0; --budget) {
        const std::uint64_t before = place_->answers();
        if (nbd_aio_notify_read(handle_.get()) != 0) return;
        if (place_->answers() != before) continue;
        if (nbd_aio_is_processing(handle_.get()) == 1 &&
            nbd_aio_get_direction(handle_.get()) == LIBNBD_AIO_DIRECTION_READ)
            nbd_aio_notify_read(handle_.get());
        return;
    }
}

void connection::heed_direction() noexcept {
    if (dead()) {
        reactor_->unwatch(watch_);
        return place_->connection_died();
    }
    const bool wants = (nbd_aio_get_direction(handle_.get()) & LIBNBD_AIO_DIRECTION_WRITE) != 0;
    if (wants == wants_to_write_) return;
    wants_to_write_ = wants;
    reactor_->unwatch(watch_);
    const std::uint32_t events = wants ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (!reactor_->watch(watch_, nbd_aio_get_fd(handle_.get()), events)) place_->connection_died();
}

}  // namespace fulmar::backend::nbd
