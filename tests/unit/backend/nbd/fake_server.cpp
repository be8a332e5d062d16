#include "fake_server.hpp"

#include <boost/endian/conversion.hpp>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace fulmar::test {

namespace {

bool receive(int fd, void* into, std::size_t bytes) {
    return bytes == 0 || ::recv(fd, into, bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes);
}

bool send_bytes(int fd, const void* from, std::size_t bytes) {
    const auto* at = static_cast<const std::byte*>(from);
    while (bytes != 0) {
        const ssize_t sent = ::send(fd, at, bytes, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        at += sent;
        bytes -= static_cast<std::size_t>(sent);
    }
    return true;
}

/// A message in the order of the network.
class nbd_message {
  public:
    template <typename T>
    nbd_message& add(T value) {
        const T big = boost::endian::native_to_big(value);
        return add_bytes(&big, sizeof big);
    }
    nbd_message& add_bytes(const void* from, std::size_t count) {
        const auto* at = static_cast<const std::byte*>(from);
        bytes_.insert(bytes_.end(), at, at + count);
        return *this;
    }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    bool send(int fd, std::size_t most = SIZE_MAX) const {
        return send_bytes(fd, bytes_.data(), std::min(most, bytes_.size()));
    }

  private:
    std::vector<std::byte> bytes_;
};

template <typename T>
bool receive_number(int fd, T& into) {
    if (!receive(fd, &into, sizeof into)) return false;
    boost::endian::big_to_native_inplace(into);
    return true;
}

constexpr std::uint64_t have_option = 0x49484156454F5054;
constexpr std::uint32_t option_go = 7, option_info = 6;
constexpr std::uint32_t reply_ack = 1, reply_info = 3, reply_unsupported = 0x80000001;

bool reply_to_option(int fd, std::uint32_t option, std::uint32_t type, const nbd_message& data) {
    nbd_message m;
    m.add(std::uint64_t{0x0003e889045565a9}).add(option).add(type);
    m.add(static_cast<std::uint32_t>(data.size()));
    return m.send(fd) && data.send(fd);
}

}  // namespace

void fake_nbd_server::start(options how) {
    stop();
    how_ = std::move(how);
    data_.resize(how_.size);
    stopping_ = false;
    ::unlink(socket_.c_str());
    listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strncpy(at.sun_path, socket_.c_str(), sizeof at.sun_path - 1);
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    ASSERT_EQ(::listen(listener_.get(), 64), 0);
    acceptor_ = std::thread([this] { accept_all(); });
}

void fake_nbd_server::stop() {
    if (!acceptor_.joinable()) return;
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
        for (const int fd : talking_) ::shutdown(fd, SHUT_RDWR);
    }
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (std::thread& t : talkers_) t.join();
    talkers_.clear();
    listener_.reset();
    ::unlink(socket_.c_str());
}

void fake_nbd_server::accept_all() {
    for (;;) {
        const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
        const std::lock_guard guard(lock_);
        if (fd < 0 || stopping_) {
            if (fd >= 0) ::close(fd);
            return;
        }
        talking_.push_back(fd);
        talkers_.emplace_back([this, fd, number = connections_++] { talk(fd, number); });
    }
}

void fake_nbd_server::talk(int fd, std::size_t number) {
    bool goes_on = shake_hands(fd);
    while (goes_on) {
        std::uint32_t magic = 0;
        nbd_request r{.connection = number};
        goes_on = receive_number(fd, magic) && magic == 0x25609513 && receive_number(fd, r.flags) &&
                  receive_number(fd, r.type) && receive(fd, &r.cookie, sizeof r.cookie) &&
                  receive_number(fd, r.offset) && receive_number(fd, r.length);
        if (!goes_on) break;
        std::vector<std::byte> payload(r.type == nbd_wire::write ? r.length : 0);
        goes_on = receive(fd, payload.data(), payload.size()) && r.type != nbd_wire::disconnect &&
                  serve(fd, r, payload);
    }
    const std::lock_guard guard(lock_);
    std::erase(talking_, fd);
    ::close(fd);
}

bool fake_nbd_server::shake_hands(int fd) {
    nbd_message hello;
    hello.add(std::uint64_t{0x4e42444d41474943}).add(have_option).add(std::uint16_t{3});
    std::uint32_t client_flags = 0;
    if (!hello.send(fd) || !receive_number(fd, client_flags)) return false;
    for (;;) {
        std::uint64_t magic = 0;
        std::uint32_t option = 0, length = 0;
        if (!receive_number(fd, magic) || magic != have_option || !receive_number(fd, option) ||
            !receive_number(fd, length))
            return false;
        std::vector<std::byte> data(length);
        if (!receive(fd, data.data(), data.size())) return false;
        if (!answer_option(fd, option, data)) return false;
        if (option == option_go) return true;
    }
}

bool fake_nbd_server::answer_option(int fd, std::uint32_t option, const std::vector<std::byte>&) {
    if (option != option_go && option != option_info)
        return reply_to_option(fd, option, reply_unsupported, {});
    nbd_message size;
    size.add(std::uint16_t{0}).add(how_.told_size != 0 ? how_.told_size : how_.size);
    size.add(how_.flags);
    if (!reply_to_option(fd, option, reply_info, size)) return false;
    nbd_message text;
    text.add(std::uint16_t{2}).add_bytes(how_.description.data(), how_.description.size());
    if (!how_.description.empty() && !reply_to_option(fd, option, reply_info, text)) return false;
    nbd_message blocks;
    blocks.add(std::uint16_t{3}).add(how_.least).add(how_.preferred).add(how_.most);
    if (how_.least != 0 && !reply_to_option(fd, option, reply_info, blocks)) return false;
    return reply_to_option(fd, option, reply_ack, {});
}

// False: the connection ends.
bool fake_nbd_server::serve(int fd, const nbd_request& r, const std::vector<std::byte>& payload) {
    const nbd_deed deed = how_.deed ? how_.deed(r) : nbd_deed::serve;
    nbd_message answer;
    answer.add(std::uint32_t{0x67446698});
    answer.add(deed == nbd_deed::refuse ? how_.error : 0u);
    const std::uint64_t cookie = deed == nbd_deed::answer_other ? ~r.cookie : r.cookie;
    answer.add_bytes(&cookie, sizeof cookie);
    {
        const std::lock_guard guard(lock_);
        seen_.push_back(r);
        if (deed != nbd_deed::refuse && deed != nbd_deed::cut) {
            const auto at = data_.begin() + static_cast<std::ptrdiff_t>(r.offset);
            if (r.type == nbd_wire::write) std::copy(payload.begin(), payload.end(), at);
            if (r.type == nbd_wire::zero || r.type == nbd_wire::trim)
                std::fill_n(at, r.length, std::byte{0});
            if (r.type == nbd_wire::read) answer.add_bytes(&*at, r.length);
        }
    }
    switch (deed) {
        case nbd_deed::keep_silent: return true;
        case nbd_deed::cut: return false;
        case nbd_deed::cut_short: answer.send(fd, answer.size() / 2); return false;
        case nbd_deed::talk_nonsense: return send_bytes(fd, "no answer at all", 16);
        case nbd_deed::answer_twice: return answer.send(fd) && answer.send(fd);
        case nbd_deed::serve:
        case nbd_deed::refuse:
        case nbd_deed::answer_other: break;
    }
    return answer.send(fd);
}

std::vector<nbd_request> fake_nbd_server::seen() const {
    const std::lock_guard guard(lock_);
    return seen_;
}

std::size_t fake_nbd_server::count(std::uint16_t type) const {
    const std::lock_guard guard(lock_);
    return static_cast<std::size_t>(
        std::ranges::count_if(seen_, [type](const nbd_request& r) { return r.type == type; }));
}

std::size_t fake_nbd_server::connections() const {
    const std::lock_guard guard(lock_);
    return connections_;
}

std::vector<std::byte> fake_nbd_server::content() const {
    const std::lock_guard guard(lock_);
    return data_;
}

}  // namespace fulmar::test
