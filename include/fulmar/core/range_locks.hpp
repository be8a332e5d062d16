// Locks of ranges of blocks, for commands that must be alone in theirs: fused Compare and Write
// (NVM Command Set 1.0, sections 2.4 and 3.2.2). One per namespace that has ever seen such a
// command; until then there is none, and nobody pays.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fulmar::core {

/// A namespace is striped, and stripes that are a multiple of 4 MiB apart share a lock: false
/// conflicts cost time, and nothing else. A command shares the stripes that it touches, all or
/// none; one that must be alone claims them in ascending order and keeps what it has, so that
/// nobody waits in a circle. A claim keeps newcomers out from its first moment on.
/// Called on: any thread, all methods. Must never: block, or wait for another thread.
class range_locks {
  public:
    static constexpr unsigned stripes = 64;
    static constexpr unsigned stripe_shift = 16;  ///< 64 KiB
    /// Bit i: the lock of the stripes whose number is i modulo `stripes`.
    using stripe_set = std::uint64_t;
    static constexpr stripe_set all = ~stripe_set{0};

    /// What `count` blocks from `first` on touch; `count` is not 0.
    [[nodiscard]] static stripe_set touched(std::uint64_t first, std::uint64_t count,
                                            unsigned block_shift) noexcept;

    enum class sharing : std::uint8_t {
        yes,
        no,            ///< somebody claims one of them
        for_a_moment,  ///< likewise; some were shared meanwhile, and a claim may have met that
    };
    [[nodiscard]] sharing share(stripe_set wanted) noexcept;
    void unshare(stripe_set shared) noexcept;
    /// Goes on where it stopped: `claimed` is what it has, and may have become more. True: nobody
    /// else is in `wanted` any more.
    [[nodiscard]] bool claim(stripe_set wanted, stripe_set& claimed) noexcept;
    void unclaim(stripe_set claimed) noexcept;

    // Who could not have its stripes announces itself, tries once more, and is told by whoever
    // gives some back after that.
    void announce(std::uint32_t reactor) noexcept { waiting_.fetch_or(bit(reactor)); }
    [[nodiscard]] bool somebody_waits() const noexcept { return waiting_.load() != 0; }
    /// Bit i: poll group i has announced itself since the last call.
    [[nodiscard]] std::uint64_t take_announced() noexcept { return waiting_.exchange(0); }

  private:
    [[nodiscard]] static constexpr std::uint64_t bit(std::uint32_t number) noexcept {
        return std::uint64_t{1} << number;
    }
    static constexpr std::uint32_t claimed_bit = std::uint32_t{1} << 31;  // below: how many share

    struct alignas(64) stripe_lock {
        std::atomic<std::uint32_t> word{0};
    };
    std::array<stripe_lock, stripes> locks_{};
    alignas(64) std::atomic<std::uint64_t> waiting_{0};
};

/// What one command has of the locks of its namespace.
struct range_hold {
    range_locks::stripe_set stripes = 0;
    bool alone = false;  ///< it claims them; else it shares them
};

}  // namespace fulmar::core
