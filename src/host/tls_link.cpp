#include <fulmar/host/tls_link.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <utility>

namespace fulmar::host {

namespace {

using security::tls_io;

ssize_t as_socket_call(const tls_io& io) noexcept {
    switch (io.what) {
        case tls_io::outcome::moved:
            if (io.bytes != 0) return static_cast<ssize_t>(io.bytes);
            [[fallthrough]];
        case tls_io::outcome::would_block: errno = EAGAIN; return -1;
        case tls_io::outcome::ended: return 0;
        case tls_io::outcome::broken: break;
    }
    errno = EPROTO;
    return -1;
}

}  // namespace

result<std::unique_ptr<tls_link>> tls_link::open(int fd, const security::tls_psk& key,
                                                 const endpoint& to, const deadline& until) {
    std::unique_ptr<tls_link> made(new tls_link);
    security::tls_psk own{key.identity, key.key.clone(), key.suite};
    FULMAR_TRY(made->socket_,
               security::tls_socket::connect(fd, {made->scratch_.get(), limits::tls_scratch_bytes},
                                             std::move(own)));
    for (;;) {
        const tls_io io = made->socket_->shake_hands();
        if (io.what == tls_io::outcome::moved) return made;
        if (io.what != tls_io::outcome::would_block)
            return fail(errc::io_error,
                        fmt::format("the TLS handshake failed: {}", made->session().why_broken()),
                        to.text(),
                        "has the target this key for this host and this subsystem, and does the "
                        "listener speak TLS?");
        if (wait_readable(fd, until) == readiness::timed_out)
            return fail(errc::timed_out, "the TLS handshake was not answered in time", to.text(),
                        "does the listener speak TLS?");
    }
}

ssize_t tls_link::receive(std::span<iovec> into) noexcept {
    return as_socket_call(socket_->receive(into));
}

ssize_t tls_link::send(std::span<const iovec> from) noexcept {
    return as_socket_call(socket_->send(from));
}

bool tls_link::holds_output() noexcept {
    return socket_->holds_output() && socket_->flush() && socket_->holds_output();
}

}  // namespace fulmar::host
