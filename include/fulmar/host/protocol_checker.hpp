// The checker of a queue: every command that was sent is answered exactly once, or its connection
// was closed. Whatever a target does otherwise is an entry, and the tests read them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fulmar::host {

enum class violation : std::uint8_t {
    unknown_cid,          ///< an answer, data or R2T for a command that was never sent
    answered_twice,       ///< the CID is known, but its command had been answered before
    sqhd_out_of_range,    ///< the SQ head moved past what was sent, or backwards
    sqhd_behind,          ///< more commands were answered than the SQ head says were taken
    success_not_allowed,  ///< C2HData with SUCCESS on a queue with SQ flow control
    data_not_asked,       ///< C2HData for a command that reads nothing
    data_out_of_range,    ///< data beyond the command's length, or out of order
    data_missing,         ///< success, but less data than the command asked for
    data_digest,          ///< the data digest did not match
    r2t_not_asked,        ///< R2T for a command that writes nothing, or whose data was in-capsule
    r2t_out_of_range,     ///< an R2T beyond the command's length, or out of order
    r2t_limit,            ///< more R2Ts outstanding than the ICReq allowed
    reserved_field,       ///< a reserved field of a completion was not zero
};

[[nodiscard]] std::string_view describe(violation what) noexcept;

/// Counts, and keeps the first violations with their particulars. One thread; no allocation.
class protocol_checker {
  public:
    struct entry {
        violation what{};
        std::uint16_t cid = 0;
        std::uint64_t value = 0;     ///< what was seen (an SQ head, an offset)
        std::uint64_t expected = 0;  ///< what it should have been at most, or exactly
    };

    void sent() noexcept { ++sent_; }
    void answered() noexcept { ++answered_; }
    void lost(std::uint64_t commands) noexcept { lost_ += commands; }
    void record(violation what, std::uint16_t cid, std::uint64_t value = 0,
                std::uint64_t expected = 0) noexcept;

    [[nodiscard]] std::uint64_t commands_sent() const noexcept { return sent_; }
    [[nodiscard]] std::uint64_t commands_answered() const noexcept { return answered_; }
    /// Never answered, because their connection ended.
    [[nodiscard]] std::uint64_t commands_lost() const noexcept { return lost_; }
    [[nodiscard]] std::uint64_t outstanding() const noexcept { return sent_ - answered_ - lost_; }

    [[nodiscard]] bool clean() const noexcept { return violations_ == 0; }
    [[nodiscard]] std::uint64_t violations() const noexcept { return violations_; }
    /// The first ones.
    [[nodiscard]] std::span<const entry> entries() const noexcept;
    /// One line per kept entry; empty when clean.
    [[nodiscard]] std::string text() const;

  private:
    static constexpr std::size_t kept_max = 32;
    std::uint64_t sent_ = 0;
    std::uint64_t answered_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t violations_ = 0;
    std::array<entry, kept_max> kept_{};
};

}  // namespace fulmar::host
