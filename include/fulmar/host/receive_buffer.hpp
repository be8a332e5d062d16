// Where a turn's bytes land. One buffer serves all queues of a thread, one after the other, so that
// it stays in cache however many there are.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace fulmar::host {

class receive_buffer {
  public:
    static constexpr std::size_t default_bytes = 256 * 1024;

    explicit receive_buffer(std::size_t bytes = default_bytes)
        : bytes_(bytes), memory_(new std::byte[bytes]) {}

    [[nodiscard]] std::span<std::byte> all() noexcept { return {memory_.get(), bytes_}; }

  private:
    std::size_t bytes_;
    std::unique_ptr<std::byte[]> memory_;
};

}  // namespace fulmar::host
