#include <fulmar/base/limits.hpp>
#include <fulmar/security/tls_socket.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>

namespace fulmar::security {

namespace {

constexpr std::size_t record_overhead = 256;  // its header, type and tag, and a KeyUpdate before it

/// How much of `bytes` the socket has taken; nothing: it is broken.
std::optional<std::size_t> offer(int fd, std::span<const std::byte> bytes) noexcept {
    if (bytes.empty()) return 0;
    const ssize_t put = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put >= 0) return static_cast<std::size_t>(put);
    if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) return 0;
    return std::nullopt;
}

}  // namespace

result<std::unique_ptr<tls_socket>> tls_socket::accept(int fd, scratch room,
                                                       const tls_psk_finder& keys) {
    std::unique_ptr<tls_socket> made(new tls_socket(fd, room));
    FULMAR_TRY(made->session_, tls_session::accept(*made, keys));
    return made;
}

result<std::unique_ptr<tls_socket>> tls_socket::connect(int fd, scratch room, tls_psk key) {
    std::unique_ptr<tls_socket> made(new tls_socket(fd, room));
    FULMAR_TRY(made->session_, tls_session::connect(*made, std::move(key)));
    return made;
}

// --- the wire ------------------------------------------------------------------------------------

tls_io tls_socket::receive_records(std::span<std::byte> into) noexcept {
    if (calls_left_ == 0) return {};
    --calls_left_;
    const ssize_t got = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
    if (got > 0) return {tls_io::outcome::moved, static_cast<std::size_t>(got)};
    if (got == 0) return {tls_io::outcome::ended, 0};
    if (errno != EAGAIN && errno != EINTR) return {tls_io::outcome::broken, 0};
    calls_left_ = limits::tls_receives_per_call + 1;  // the socket is empty: not that we stopped
    return {};
}

// send() has made room for a record; what OpenSSL says by itself is short.
bool tls_socket::put_records(std::span<const std::byte> bytes) noexcept {
    if (holds_output()) return keep(bytes);
    if (room_.size() - used_ < bytes.size()) return false;
    std::memcpy(room_.data() + used_, bytes.data(), bytes.size());
    used_ += bytes.size();
    return true;
}

// Bounded: whoever sends asks holds_output() first, and what OpenSSL says by itself is short.
bool tls_socket::keep(std::span<const std::byte> bytes) noexcept {
    if (kept_.size() - kept_from_ + bytes.size() > limits::tls_scratch_bytes) return false;
    try {
        kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(kept_from_));
        kept_from_ = 0;
        const std::size_t before = kept_.size();
        kept_.resize(before + bytes.size());
        std::memcpy(kept_.data() + before, bytes.data(), bytes.size());
        return true;
    } catch (const std::exception&) {
        return false;
    }
}

// What is in the scratch leaves; the rest of it is kept.
bool tls_socket::send_room() noexcept {
    const std::span<const std::byte> all = room_.first(used_);
    used_ = 0;
    const auto put = offer(fd_, all);
    if (!put) return false;
    return *put == all.size() || keep(all.subspan(*put));
}

bool tls_socket::flush() noexcept {
    if (!holds_output()) return true;
    const auto put = offer(fd_, std::span<const std::byte>(kept_).subspan(kept_from_));
    if (!put) return false;
    kept_from_ += *put;
    if (kept_from_ == kept_.size()) {
        kept_.clear();
        kept_from_ = 0;
    }
    return true;
}

// --- the owner -----------------------------------------------------------------------------------

// What the session has said by itself (its part of the handshake, an alert) leaves now.
tls_io tls_socket::answer(tls_io with) noexcept {
    if (!send_room() || !flush()) return {tls_io::outcome::broken, 0};
    return with;
}

tls_io tls_socket::shake_hands() noexcept {
    calls_left_ = limits::tls_receives_per_call;
    const tls_io done = session_->shake_hands();
    const bool endless = calls_left_ == 0 && done.what == tls_io::outcome::would_block;
    return answer(endless ? tls_io{tls_io::outcome::broken, 0} : done);
}

tls_io tls_socket::receive(std::span<iovec> into) noexcept {
    calls_left_ = limits::tls_receives_per_call;
    std::size_t total = 0;
    tls_io last{tls_io::outcome::moved, 0};
    for (const iovec& one : into) {
        std::size_t filled = 0;
        while (filled < one.iov_len) {
            last = session_->read(
                {static_cast<std::byte*>(one.iov_base) + filled, one.iov_len - filled});
            filled += last.bytes;
            total += last.bytes;
            if (last.what != tls_io::outcome::moved) break;
        }
        if (last.what != tls_io::outcome::moved) break;
    }
    const bool paused = calls_left_ == 0 && last.what == tls_io::outcome::would_block;
    if (total != 0 || paused) last = {tls_io::outcome::moved, total};
    return used_ == 0 ? last : answer(last);
}

// The next record's worth of `from`: where it lies, when it is large; else as many pieces as fit,
// one behind the other, so that headers and what belongs to them share a record.
std::span<const std::byte> tls_socket::next_record(std::span<const iovec>& from,
                                                   std::size_t& offset) noexcept {
    std::size_t packed = 0;
    while (!from.empty()) {
        const iovec& one = from.front();
        const std::span<const std::byte> rest(static_cast<const std::byte*>(one.iov_base) + offset,
                                              one.iov_len - offset);
        if (packed == 0 && rest.size() >= limits::tls_record_bytes) {
            offset += limits::tls_record_bytes;
            return rest.first(limits::tls_record_bytes);
        }
        const std::size_t here = std::min(rest.size(), limits::tls_record_bytes - packed);
        if (here != 0) std::memcpy(stage_.data() + packed, rest.data(), here);
        packed += here;
        offset += here;
        if (here < rest.size()) break;
        from = from.subspan(1);
        offset = 0;
    }
    return stage_.first(packed);
}

tls_io tls_socket::send(std::span<const iovec> from) noexcept {
    if (!flush()) return {tls_io::outcome::broken, 0};
    std::size_t total = 0;
    std::size_t offset = 0;
    while (!holds_output()) {
        if (room_.size() - used_ < limits::tls_record_bytes + record_overhead) {
            if (!send_room()) return {tls_io::outcome::broken, 0};
            continue;
        }
        const auto record = next_record(from, offset);
        if (record.empty()) break;
        const tls_io put = session_->write(record);
        if (put.what != tls_io::outcome::moved || put.bytes != record.size())
            return {tls_io::outcome::broken, 0};
        total += put.bytes;
    }
    if (!send_room()) return {tls_io::outcome::broken, 0};
    if (total == 0 && holds_output()) return {};
    return {tls_io::outcome::moved, total};
}

void tls_socket::end_output() noexcept {
    session_->end();
    (void)answer({});
}

bool tls_socket::update_keys() noexcept {
    return session_->update_keys() && answer({}).what != tls_io::outcome::broken;
}

}  // namespace fulmar::security
