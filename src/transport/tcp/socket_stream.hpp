// A connected kernel socket as a byte stream.
#pragma once

#include "byte_stream.hpp"

#include <fulmar/base/unique_fd.hpp>

namespace fulmar::transport::tcp {

/// Called on: owning reactor, all methods.
class socket_stream final : public byte_stream {
  public:
    explicit socket_stream(unique_fd fd) noexcept : fd_(std::move(fd)) {}

    [[nodiscard]] result receive(std::span<iovec> into) noexcept override;
    [[nodiscard]] result send(std::span<iovec> from) noexcept override;
    void end_output() noexcept override;
    [[nodiscard]] int descriptor() const noexcept override { return fd_.get(); }

  private:
    unique_fd fd_;
};

}  // namespace fulmar::transport::tcp
