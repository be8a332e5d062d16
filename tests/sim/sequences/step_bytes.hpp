// Bytes from outside as small numbers, one after the other; behind their end all are 0.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace fulmar::sim {

/// Called on: one thread.
class step_bytes {
  public:
    explicit step_bytes(std::span<const std::uint8_t> all) : rest_(all) {}

    [[nodiscard]] bool empty() const { return rest_.empty(); }
    std::uint8_t next() {
        if (rest_.empty()) return 0;
        const std::uint8_t first = rest_.front();
        rest_ = rest_.subspan(1);
        return first;
    }
    /// Below `count`, which is at most 256.
    std::size_t pick(std::size_t count) { return next() % count; }
    bool one_in(unsigned n) { return next() % n == 0; }
    template <typename List>
    const auto& of_all(const List& list) {
        return list[pick(std::size(list))];
    }
    /// Some bytes, at most `most`.
    std::span<const std::uint8_t> some(std::size_t most) {
        const auto taken = rest_.first(std::min(most, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }

  private:
    std::span<const std::uint8_t> rest_;
};

}  // namespace fulmar::sim
