// An NBD server of our own, in threads of the test, that misbehaves when it is told to.
#pragma once

#include <fulmar/base/unique_fd.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fulmar::test {

/// Of the NBD protocol, as it numbers them.
namespace nbd_wire {
inline constexpr std::uint16_t read = 0, write = 1, disconnect = 2, flush = 3, trim = 4, zero = 6;
inline constexpr std::uint16_t has_flags = 1, read_only = 2, send_flush = 4, send_fua = 8,
                               send_trim = 32, send_zero = 64, multi_conn = 256;
inline constexpr std::uint16_t flag_fua = 1;
}  // namespace nbd_wire

struct nbd_request {
    std::uint16_t flags = 0;
    std::uint16_t type = 0;
    std::uint64_t cookie = 0;
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
    std::size_t connection = 0;  ///< counts from 0
};

/// What the server does with a request.
enum class nbd_deed : std::uint8_t {
    serve,
    refuse,        ///< with fake_nbd_server::error
    keep_silent,   ///< carries it out, and never answers
    cut,           ///< closes the connection
    cut_short,     ///< half of the answer, then it closes the connection
    answer_other,  ///< under a cookie that nobody has
    answer_twice,
    talk_nonsense,  ///< bytes that are no answer
};

class fake_nbd_server {
  public:
    struct options {
        std::uint64_t size = 1 << 20;
        std::uint64_t told_size = 0;  ///< a lie; 0: the truth
        std::uint16_t flags = nbd_wire::has_flags | nbd_wire::send_flush | nbd_wire::send_fua |
                              nbd_wire::send_trim | nbd_wire::send_zero | nbd_wire::multi_conn;
        std::uint32_t least = 0, preferred = 0, most = 0;  ///< block sizes; 0: not told
        std::string description{};
        std::uint32_t error = 5;  ///< of nbd_deed::refuse
        std::function<nbd_deed(const nbd_request&)> deed{};
    };

    explicit fake_nbd_server(std::string socket) : socket_(std::move(socket)) {}
    ~fake_nbd_server() { stop(); }
    fake_nbd_server(const fake_nbd_server&) = delete;
    fake_nbd_server& operator=(const fake_nbd_server&) = delete;

    /// What was written stays from one start to the next.
    void start(options how);
    void stop();

    [[nodiscard]] std::vector<nbd_request> seen() const;
    [[nodiscard]] std::size_t count(std::uint16_t type) const;
    [[nodiscard]] std::size_t connections() const;
    [[nodiscard]] std::vector<std::byte> content() const;

  private:
    void accept_all();
    void talk(int fd, std::size_t number);
    bool shake_hands(int fd);
    bool answer_option(int fd, std::uint32_t option, const std::vector<std::byte>& data);
    bool serve(int fd, const nbd_request& request, const std::vector<std::byte>& payload);

    std::string socket_;
    options how_;
    unique_fd listener_;
    std::thread acceptor_;
    mutable std::mutex lock_;
    std::vector<int> talking_;
    std::vector<std::thread> talkers_;
    std::vector<nbd_request> seen_;
    std::vector<std::byte> data_;
    std::size_t connections_ = 0;
    bool stopping_ = false;
};

}  // namespace fulmar::test
