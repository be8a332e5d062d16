// A drive in a slot, and what happens to it: the signs of its loss, and what brings it back.
#pragma once

#include "job_runner.hpp"
#include "support/fake_drive.hpp"

#include <cstdint>
#include <functional>
#include <random>
#include <string_view>

namespace fulmar::sim {

enum class drive_fault : std::uint8_t {
    request,       ///< the kernel asks for it
    bus_error,     ///< the bus reports one of it
    removed,       ///< the kernel says that it is gone
    silent_zeros,  ///< the drive is pulled; its registers read 0
    silent_ones,   ///< or all ones
    fatal,         ///< its status says so, and it does no more
    stuck,         ///< it completes nothing, nor ends it when asked to
    hostile,       ///< it completes what nobody sent
    detach,        ///< an operator takes it
    drain,         ///< and lets what is there end
    arrival,       ///< the kernel found a drive
    attach,        ///< an operator wants it again
};
inline constexpr std::size_t drive_fault_count = static_cast<std::size_t>(drive_fault::attach) + 1;
[[nodiscard]] std::string_view to_string(drive_fault what) noexcept;

/// Called on: one thread.
class sim_drive {
  public:
    /// Whoever opens it does so in jobs of `jobs`.
    sim_drive(test::fake_drive::options what, job_runner& jobs, std::mt19937_64& random);

    /// True when that is the drive's, the slot's or the bus's to give: then it is given.
    bool give(drive_fault what);
    /// Mends what can be mended at once. Another drive cannot be put in before the former one has
    /// been let go of: call it again until healthy().
    void heal();
    [[nodiscard]] bool healthy() const { return !silent_ && !fatal(); }
    /// Another drive in the slot. True: the former one has been let go of.
    bool replace(test::fake_drive::options with);

    /// Before and after a drive of that serial has been without power. Set once, at first.
    void watch_power(std::function<void(bool after)> what) { at_power_loss_ = std::move(what); }

    [[nodiscard]] test::fake_drive& drive() { return drive_; }
    [[nodiscard]] const test::fake_drive& drive() const { return drive_; }
    [[nodiscard]] const test::fake_drive::options& what() const { return what_; }
    [[nodiscard]] bool silent() const { return silent_; }
    [[nodiscard]] bool fatal() const {
        return fatal_opening_ == drive_.openings() && drive_.is_open();
    }
    [[nodiscard]] bool requested() const { return requested_; }  ///< by the kernel, at least once
    [[nodiscard]] bool closing() const { return closing_ != 0; }

  private:
    void block(test::fake_drive::moment which);
    [[nodiscard]] std::uint64_t pick(std::uint64_t below) { return random_() % below; }

    test::fake_drive::options what_;
    job_runner& jobs_;
    std::mt19937_64& random_;
    test::fake_drive drive_;
    std::function<void(bool)> at_power_loss_;
    bool requested_ = false;
    bool silent_ = false;
    std::uint32_t fatal_opening_ = 0;  // the one of which it reported a fatal error
    int closing_ = 0;
};

}  // namespace fulmar::sim
