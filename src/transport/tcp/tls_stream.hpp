// A connection of a listener that knows TLS. Its first byte tells what it is: 16h begins a TLS
// record, 00h an ICReq (NVMe/TCP Transport 1.0, section 3.6.1.1).
#pragma once

#include "byte_stream.hpp"
#include "socket_stream.hpp"
#include "tls_desk.hpp"

#include <fulmar/base/unique_fd.hpp>
#include <fulmar/core/secure_channel.hpp>
#include <fulmar/engine/reactor.hpp>

#include <cstdint>
#include <memory>
#include <string_view>

namespace fulmar::transport::tcp {

/// Called on: owning reactor, all methods; made on the control reactor.
class tls_stream final : public byte_stream {
  public:
    /// `desk` and `reactor` are those of the group that the connection is for.
    tls_stream(unique_fd fd, bool plain_allowed, tls_desk& desk, engine::reactor& reactor) noexcept
        : socket_(std::move(fd)), desk_(desk), reactor_(reactor), plain_allowed_(plain_allowed) {}

    [[nodiscard]] result receive(std::span<iovec> into) noexcept override;
    [[nodiscard]] result send(std::span<iovec> from) noexcept override;
    void end_output() noexcept override;
    [[nodiscard]] int descriptor() const noexcept override { return socket_.descriptor(); }
    [[nodiscard]] bool may_encrypt() const noexcept override { return true; }
    [[nodiscard]] bool push() noexcept override;
    [[nodiscard]] const core::secure_channel* channel() const noexcept override {
        return stage_ == stage::open ? &channel_ : nullptr;
    }
    [[nodiscard]] wear worn() const noexcept override;
    [[nodiscard]] std::string_view why_broken() const noexcept override { return why_; }

  private:
    enum class stage : std::uint8_t {
        undecided,  ///< nothing has come
        plain,      ///< it is no TLS, and need not be
        hello,      ///< the peer's first message has not been read
        finishing,  ///< it has been answered
        open,
        broken,
    };
    /// Moves on as far as what has come allows. `moved`: it is plain, or open.
    [[nodiscard]] result begin() noexcept;
    [[nodiscard]] result decide() noexcept;
    [[nodiscard]] result shake_hands() noexcept;
    [[nodiscard]] result become_open() noexcept;
    [[nodiscard]] result fail(std::string_view why) noexcept;

    socket_stream socket_;
    tls_desk& desk_;
    engine::reactor& reactor_;
    const bool plain_allowed_;
    bool ending_ = false;  // the end is told once the last record has left
    stage stage_ = stage::undecided;
    std::unique_ptr<security::tls_socket> tls_;
    core::secure_channel channel_;
    std::uint64_t renewal_ = 0;  // after so many records
    std::string_view why_;
};

}  // namespace fulmar::transport::tcp
