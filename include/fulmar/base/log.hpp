// Logging for the control plane, and a limiter for whatever a peer can provoke. Never called per
// command.
//
// A line is put together in log.cpp alone: in a header the formatter would cost each file that logs
// three seconds of compilation.
#pragma once

#include <fulmar/base/clock.hpp>

#include <fmt/core.h>

#include <cstdint>
#include <string_view>

namespace fulmar::log {

enum class level : std::uint8_t { trace, debug, info, warn, error, off };

/// Any thread, once, before reactors start. `level` is one of trace debug info warn error.
/// Lines go to stdout; a full queue drops the oldest line rather than stall a reactor.
bool initialise(std::string_view level);

/// Writes out what is queued; what is logged afterwards is lost. Any thread, once, when the
/// reactors have stopped.
void shut_down();

/// Lines below `least` are not written. Any thread.
void set_level(level least) noexcept;

/// Any thread. When the values cannot be formatted, for lack of memory, the line is its format.
void write(level of_line, fmt::string_view format, fmt::format_args values) noexcept;

/// For text that is no format: braces are only braces.
void write(level of_line, std::string_view line) noexcept;

template <typename... Values>
void debug(fmt::format_string<Values...> format, Values&&... values) noexcept {
    write(level::debug, format, fmt::make_format_args(values...));
}

template <typename... Values>
void info(fmt::format_string<Values...> format, Values&&... values) noexcept {
    write(level::info, format, fmt::make_format_args(values...));
}

template <typename... Values>
void warn(fmt::format_string<Values...> format, Values&&... values) noexcept {
    write(level::warn, format, fmt::make_format_args(values...));
}

template <typename... Values>
void error(fmt::format_string<Values...> format, Values&&... values) noexcept {
    write(level::error, format, fmt::make_format_args(values...));
}

/// Lets at most `burst` lines through per `period`; counts what it held back. One thread.
class limiter {
  public:
    explicit limiter(std::uint32_t burst = 5, duration period = std::chrono::seconds(10)) noexcept
        : burst_(burst), period_(period) {}

    /// True when a line may be written now. `held_back()` tells how many were not, since it was
    /// made.
    bool allow(instant now) noexcept;
    [[nodiscard]] std::uint64_t held_back() const noexcept { return held_back_; }

  private:
    std::uint32_t burst_;
    duration period_;
    instant window_start_{};
    std::uint32_t in_window_ = 0;
    std::uint64_t held_back_ = 0;
};

}  // namespace fulmar::log
