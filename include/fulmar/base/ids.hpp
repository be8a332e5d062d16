// Identifiers as types, so that an nsid is never an index and a leftover is never mistaken for its
// successor.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace fulmar {

/// A number with a meaning; explicit in both directions, no arithmetic.
template <typename Tag, typename Rep>
class strong_id {
  public:
    using rep = Rep;
    constexpr strong_id() noexcept = default;
    constexpr explicit strong_id(Rep value) noexcept : value_(value) {}
    [[nodiscard]] constexpr Rep value() const noexcept { return value_; }
    friend constexpr auto operator<=>(strong_id, strong_id) noexcept = default;

  private:
    Rep value_{};
};

using nsid = strong_id<struct nsid_tag, std::uint32_t>;  ///< 1-based; 0 and ffffffffh are special
using cid = strong_id<struct cid_tag, std::uint16_t>;    ///< command identifier, the host's choice
using qid = strong_id<struct qid_tag, std::uint16_t>;    ///< 0 is the admin queue
using cntlid =
    strong_id<struct cntlid_tag, std::uint16_t>;  ///< controller id, unique in a subsystem
using reactor_id =
    strong_id<struct reactor_id_tag, std::uint16_t>;  ///< index into the reactor pool

/// A place in a table plus the incarnation that lives there. A stale slot_id compares unequal to
/// its successor.
template <typename Tag>
struct slot_id {
    std::uint32_t index = 0;
    std::uint32_t generation = 0;  ///< 0 means "nobody": the first incarnation is 1

    [[nodiscard]] constexpr bool valid() const noexcept { return generation != 0; }
    friend constexpr auto operator<=>(slot_id, slot_id) noexcept = default;
};

using subsystem_id = slot_id<struct subsystem_tag>;
using namespace_id = slot_id<struct namespace_tag>;  ///< index = nsid - 1 inside its subsystem
using controller_id = slot_id<struct controller_tag>;
using qpair_id = slot_id<struct qpair_tag>;
using device_id = slot_id<struct device_tag>;

}  // namespace fulmar

template <typename Tag, typename Rep>
struct std::hash<fulmar::strong_id<Tag, Rep>> {
    std::size_t operator()(fulmar::strong_id<Tag, Rep> id) const noexcept {
        return std::hash<Rep>{}(id.value());
    }
};
