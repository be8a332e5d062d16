// Which namespaces of its subsystem a host does not see: worked out when it connects and when that
// changes, so that a command asks for one bit. Must never: allocate but at Connect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace fulmar::core {

/// A bit for each NSID. Called on: the reactor of its queue or controller.
class hidden_namespaces {
  public:
    hidden_namespaces() noexcept = default;
    /// For NSIDs up to `most`; none is hidden. Throws when there is no memory.
    explicit hidden_namespaces(std::uint32_t most)
        : bits_(std::make_unique<std::uint64_t[]>(words(most))), most_(most) {}
    /// Likewise. False: no memory.
    [[nodiscard]] bool make_room(std::uint32_t most) noexcept {
        bits_.reset(new (std::nothrow) std::uint64_t[words(most)]());
        most_ = bits_ != nullptr ? most : 0;
        count_ = 0;
        return bits_ != nullptr;
    }
    /// An NSID that cannot be is not hidden.
    [[nodiscard]] bool has(std::uint32_t nsid) const noexcept {
        return nsid <= most_ && bits_ != nullptr && (bits_[nsid / 64] >> nsid % 64 & 1) != 0;
    }
    [[nodiscard]] bool any() const noexcept { return count_ != 0; }
    /// True: it was not so before.
    bool set(std::uint32_t nsid, bool hidden) noexcept {
        if (nsid > most_ || has(nsid) == hidden) return false;
        bits_[nsid / 64] ^= std::uint64_t{1} << nsid % 64;
        count_ += hidden ? 1 : -1;
        return true;
    }

  private:
    static constexpr std::size_t words(std::uint32_t most) noexcept { return most / 64 + 1; }

    std::unique_ptr<std::uint64_t[]> bits_;
    std::uint32_t most_ = 0;
    std::int32_t count_ = 0;
};

}  // namespace fulmar::core
