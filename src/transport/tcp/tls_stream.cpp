#include "tls_stream.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/security/digest.hpp>

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <exception>

namespace fulmar::transport::tcp {

namespace {

using security::tls_io;
using outcome = byte_stream::outcome;

constexpr std::byte first_of_tls_record{0x16};

byte_stream::result from_tls(tls_io io) noexcept {
    switch (io.what) {
        case tls_io::outcome::moved: return {.what = outcome::moved, .bytes = io.bytes};
        case tls_io::outcome::would_block: return {};
        case tls_io::outcome::ended: return {.what = outcome::ended};
        case tls_io::outcome::broken: return {.what = outcome::broken};
    }
    return {.what = outcome::broken};
}

// Another point for each connection, so that the paths of a host do not end together.
std::uint64_t choose_renewal() noexcept {
    std::array<std::byte, 4> random{};
    (void)security::fill_random(random);
    std::uint64_t value = 0;
    for (const std::byte b : random) value = value << 8 | std::to_integer<std::uint64_t>(b);
    const std::uint64_t percent = tls_desk::records_per_key() / 100;
    const std::uint64_t spread = percent * limits::tls_records_renewal_spread;
    return percent * limits::tls_records_renewal_percent + value % spread;
}

}  // namespace

byte_stream::result tls_stream::fail(std::string_view why) noexcept {
    stage_ = stage::broken;
    why_ = why;
    return {.what = outcome::broken};
}

byte_stream::result tls_stream::decide() noexcept {
    std::byte first{};
    const ssize_t got = ::recv(descriptor(), &first, sizeof first, MSG_DONTWAIT | MSG_PEEK);
    if (got == 0) return {.what = outcome::ended};
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? result{} : result{.what = outcome::broken};
    if (first != first_of_tls_record) {
        if (!plain_allowed_) return fail("it does not speak TLS, and this listener requires it");
        stage_ = stage::plain;
        return {.what = outcome::moved};
    }
    stage_ = stage::hello;
    return {.what = outcome::moved};
}

byte_stream::result tls_stream::shake_hands() noexcept {
    const bool begins = stage_ == stage::hello;
    if (begins && !desk_.may_begin(reactor_.now())) return {.what = outcome::moved};
    const instant begun = reactor_.fresh_now();
    if (tls_ == nullptr) {
        try {
            const security::tls_socket::scratch room = desk_.scratch();
            if (room.empty()) return fail("memory is short");
            auto made = security::tls_socket::accept(descriptor(), room, desk_.keys());
            if (!made) return fail("memory is short");
            tls_ = std::move(*made);
        } catch (const std::exception&) {
            return fail("memory is short");
        }
    }
    const tls_io io = tls_->shake_hands();
    if (begins) desk_.spent(begun, reactor_.fresh_now());
    if (begins && !tls_->session().identity().empty()) stage_ = stage::finishing;
    if (io.what == tls_io::outcome::moved) return become_open();
    if (io.what != tls_io::outcome::would_block) (void)fail(tls_->session().why_broken());
    return from_tls(io);
}

byte_stream::result tls_stream::become_open() noexcept {
    const auto who = security::read_tls_identity(tls_->session().identity());
    if (!who) return fail("its identity cannot be read");
    try {
        channel_ = {.host_nqn = std::string(who->host_nqn),
                    .subsystem_nqn = std::string(who->subsystem_nqn),
                    .suite = tls_->session().suite()};
    } catch (const std::exception&) {
        return fail("memory is short");
    }
    renewal_ = choose_renewal();
    stage_ = stage::open;
    return {.what = outcome::moved};
}

byte_stream::result tls_stream::begin() noexcept {
    if (stage_ == stage::undecided)
        if (const result decided = decide(); decided.what != outcome::moved) return decided;
    if (stage_ == stage::hello || stage_ == stage::finishing) return shake_hands();
    return {.what = stage_ == stage::broken ? outcome::broken : outcome::moved};
}

byte_stream::result tls_stream::receive(std::span<iovec> into) noexcept {
    if (stage_ == stage::plain) return socket_.receive(into);
    if (stage_ != stage::open) {
        const result begun = begin();
        if (begun.what != outcome::moved) return begun;
        if (stage_ == stage::plain) return socket_.receive(into);
        if (stage_ != stage::open) return begun;  // it has to wait, and comes again the next turn
    }
    if (ending_ && !push()) return {.what = outcome::broken};
    const tls_io got = tls_->receive(into);
    if (got.what == tls_io::outcome::broken) (void)fail(tls_->session().why_broken());
    return from_tls(got);
}

byte_stream::result tls_stream::send(std::span<iovec> from) noexcept {
    if (stage_ == stage::plain) return socket_.send(from);
    if (stage_ != stage::open) return {};
    return from_tls(tls_->send(from));
}

bool tls_stream::push() noexcept {
    if (tls_ == nullptr) return true;
    if (!tls_->flush()) return false;
    if (ending_ && !tls_->holds_output()) {
        ending_ = false;
        socket_.end_output();
    }
    return true;
}

void tls_stream::end_output() noexcept {
    if (tls_ == nullptr) return socket_.end_output();
    if (stage_ == stage::open) tls_->end_output();
    ending_ = true;
    (void)push();
}

byte_stream::wear tls_stream::worn() const noexcept {
    if (stage_ != stage::open) return wear::none;
    const std::uint64_t records = tls_->session().records();
    if (records < renewal_) return wear::none;
    return records < tls_desk::records_per_key() ? wear::soon : wear::now;
}

}  // namespace fulmar::transport::tcp
