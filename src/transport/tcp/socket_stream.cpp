#include "socket_stream.hpp"

#include <sys/socket.h>

#include <cerrno>

namespace fulmar::transport::tcp {

namespace {
byte_stream::result from_error() noexcept {
    if (errno == EAGAIN || errno == EINTR) return {};
    return {.what = byte_stream::outcome::broken};
}
}  // namespace

byte_stream::result socket_stream::receive(std::span<iovec> into) noexcept {
    ssize_t got = 0;
    if (into.size() == 1) {
        got = ::recv(fd_.get(), into[0].iov_base, into[0].iov_len, MSG_DONTWAIT);
    } else {
        msghdr message{};
        message.msg_iov = into.data();
        message.msg_iovlen = into.size();
        got = ::recvmsg(fd_.get(), &message, MSG_DONTWAIT);
    }
    if (got > 0) return {.what = outcome::moved, .bytes = static_cast<std::size_t>(got)};
    if (got == 0) return {.what = outcome::ended};
    return from_error();
}

byte_stream::result socket_stream::send(std::span<iovec> from) noexcept {
    msghdr message{};
    message.msg_iov = from.data();
    message.msg_iovlen = from.size();
    const ssize_t put = ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put >= 0) return {.what = outcome::moved, .bytes = static_cast<std::size_t>(put)};
    return from_error();
}

void socket_stream::end_output() noexcept { ::shutdown(fd_.get(), SHUT_WR); }

}  // namespace fulmar::transport::tcp
