// What happened, as a hash (two runs of one seed must agree) and as the last lines (for people).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace fulmar::sim {

/// Called on: one thread.
class trace {
  public:
    void mix(std::uint64_t value) noexcept {
        hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15u;
        hash_ ^= hash_ >> 29;
    }

    template <typename... Args>
    void note(std::uint64_t now_us, fmt::format_string<Args...> form, Args&&... args) {
        std::string line = fmt::format("{:>9}.{:03} ", now_us / 1000, now_us % 1000) +
                           fmt::format(form, std::forward<Args>(args)...);
        for (const char c : line) mix(static_cast<unsigned char>(c));
        if (echo) fmt::print("{}\n", line);
        lines_.push_back(std::move(line));
        if (lines_.size() > kept) lines_.pop_front();
    }

    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] std::string tail() const {
        std::string all;
        for (const std::string& line : lines_) all += line + '\n';
        return all;
    }

    static inline bool echo = false;  ///< --trace

  private:
    static constexpr std::size_t kept = 120;
    std::uint64_t hash_ = 14695981039346656037u;
    std::deque<std::string> lines_;
};

}  // namespace fulmar::sim
