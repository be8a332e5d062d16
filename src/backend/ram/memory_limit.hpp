// How much memory a process here can ever have, and has now. Blocking reads of /proc and /sys; for
// control code.
#pragma once

#include <fulmar/base/result.hpp>

#include <cstdint>
#include <string>

namespace fulmar::backend {

struct memory_limit {
    std::uint64_t total_bytes = UINT64_MAX;      ///< unknown: no limit
    std::uint64_t available_bytes = UINT64_MAX;  ///< now
    std::string of = "this machine";             ///< or "this control group"
};

/// The machine's memory, or the limit of the process's control group where that is less. Files are
/// looked for below `root`, for tests.
memory_limit read_memory_limit(const std::string& root = "");

/// Of what a process can ever have, RAM devices together may promise all but this part: the daemon
/// and its buffers need some too.
constexpr std::uint64_t kept_from_ram_devices(std::uint64_t total_bytes) noexcept {
    constexpr std::uint64_t most = std::uint64_t{512} << 20;
    return total_bytes / 16 < most ? total_bytes / 16 : most;
}

/// What the RAM devices of this process have promised their hosts together. Any thread.
[[nodiscard]] std::uint64_t promised_memory() noexcept;

/// A device's part of that, given back when it goes. Called on: control reactor.
class memory_promise {
  public:
    /// Errors: no_memory, where everything that is promised could never be written in full. Where
    /// it is more than is available now, it warns.
    static result<memory_promise> make(std::uint64_t bytes, const memory_limit& limit);
    memory_promise(memory_promise&& other) noexcept;
    memory_promise& operator=(memory_promise&&) = delete;
    ~memory_promise();

    /// Grows or shrinks it.  Errors: as make().
    result<void> change(std::uint64_t bytes, const memory_limit& limit);

  private:
    explicit memory_promise(std::uint64_t bytes) noexcept;
    std::uint64_t bytes_ = 0;
};

/// Whether `bytes` may be promised beside `promised`.
result<void> check_memory(std::uint64_t bytes, const memory_limit& limit,
                          std::uint64_t promised = 0);

}  // namespace fulmar::backend
