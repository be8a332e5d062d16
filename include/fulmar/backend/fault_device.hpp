// A ram device that errs, stalls, delays, loses and vanishes on command. For tests and the
// simulator; a fulmard has it only when it is built with FULMAR_FAULTS. It may allocate and lock,
// which real devices must not.
#pragma once

#include <fulmar/backend/device.hpp>
#include <fulmar/base/clock.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace fulmar::backend {

struct fault_options {
    std::uint64_t size_bytes = 0;
    std::uint32_t block_bytes = 512;
    bool volatile_write_cache =
        false;  ///< what geometry() says; nothing is ever lost but by a rule
    /// A file with commands (see command()), one a line, looked at every 10 ms for what was added.
    std::string script = {};
};

enum class fault_action : std::uint8_t {
    pass,   ///< like ram
    fail,   ///< answered with `status`; nothing moved
    stall,  ///< held until release(); its memory is touched only then
    delay,  ///< held for `delay`; its memory is touched only then
    lose,   ///< never answered, until reset(); an abort is ignored
};

/// What happens to the next operations.
struct fault_rule {
    fault_action action = fault_action::pass;
    std::optional<io_kind> kind{};  ///< nothing: any
    std::uint32_t count = 1;        ///< how many operations; 0: all, until clear()
    nvme::status status = nvme::sc::internal_error;
    duration delay{};
};

/// Odds in thousandths, drawn for each operation that no rule is for.
struct fault_odds {
    std::uint32_t fail = 0;
    std::uint32_t delay = 0;
    std::uint32_t lose = 0;
    duration max_delay = std::chrono::milliseconds(50);
    bool shuffle = false;         ///< answers come in any order
    bool inline_answers = false;  ///< some operations are answered inside submit()
};

/// What becomes of operations that are held when the device vanishes.
enum class held_fate : std::uint8_t {
    answered,  ///< with an internal error
    kept,      ///< not at all, until reset(): a device that went silent
};

/// Called on: control reactor, unless a method says otherwise. What is told here reaches channels
/// of other reactors within some milliseconds. Answers come in a later turn than the submission,
/// unless odds say otherwise.
class fault_device : public device {
  public:
    /// Rules apply in the order of their arrival; one that is used up is gone.
    virtual void add(const fault_rule& rule) = 0;
    /// Forgets rules and odds. What is held stays held.
    virtual void clear() = 0;
    virtual void randomise(std::uint64_t seed, const fault_odds& odds) = 0;

    /// What is stalled or delayed goes on.
    virtual void release() = 0;
    /// A device reset: everything that is held or lost is answered with `status`, and its memory is
    /// not touched any more.
    virtual void reset(nvme::status status = nvme::sc::aborted_by_request) = 0;
    /// The device is lost: the listener is told, later operations fail.
    virtual void vanish(held_fate fate,
                        const std::string& reason = "the fault device vanished on command") = 0;
    /// It is back, with its data, as after reopen(); nothing that was held is released by it.
    virtual void come_back() = 0;

    /// One of the above as text, for a command line or REST: "fail write 3", "stall any 0", "delay
    /// read 1 250" (ms), "lose flush 1", "clear", "release", "reset", "vanish answered", "vanish
    /// kept", "come_back", "random SEED FAIL DELAY LOSE". Errors: invalid_argument.
    result<void> command(std::string_view text);

    // Called on: any thread.

    [[nodiscard]] virtual std::uint64_t submitted() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t answered() const noexcept = 0;
    /// Stalled, delayed or lost, over all channels.
    [[nodiscard]] virtual std::uint64_t held() const noexcept = 0;
};

/// Called on: control reactor.  Errors: invalid_argument; no_memory. With a script, `control` runs
/// it.
result<std::unique_ptr<fault_device>> make_fault_device(const fault_options& options,
                                                        engine::reactor* control = nullptr);

}  // namespace fulmar::backend
