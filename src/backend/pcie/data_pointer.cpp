#include "data_pointer.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace fulmar::backend::pcie {

namespace {

constexpr std::uint64_t dword_mask = 3;

// Puts PRPs into a list, page after page: the last entry of a full page points to the next one.
class prp_list {
  public:
    prp_list(const list_memory& memory, std::uint64_t page_bytes) noexcept
        : memory_(memory), per_page_(page_bytes / sizeof(nvme::le64)) {}

    bool add(std::uint64_t address) noexcept {
        // Only the entry after the last of a page turns that last one into a pointer.
        if (used_ != 0 && used_ % per_page_ == 0) {
            if (used_ >= memory_.entries.size()) return false;
            memory_.entries[used_] = memory_.entries[used_ - 1].value();
            memory_.entries[used_ - 1] = memory_.address + used_ * sizeof(nvme::le64);
            ++used_;
        }
        if (used_ >= memory_.entries.size()) return false;
        memory_.entries[used_++] = address;
        return true;
    }

  private:
    const list_memory& memory_;
    std::size_t per_page_;
    std::size_t used_ = 0;
};

}  // namespace

std::optional<nvme::prp_pair> build_prps(std::span<const dma_piece> pieces,
                                         std::uint64_t page_bytes,
                                         const list_memory& list) noexcept {
    const std::uint64_t page_mask = page_bytes - 1;
    prp_list further(list, page_bytes);
    nvme::prp_pair prps{};
    std::size_t count = 0;
    std::uint64_t second = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        std::uint64_t at = pieces[i].address;
        const std::uint64_t end = at + pieces[i].bytes;
        if ((at & dword_mask) != 0 || (i != 0 && (at & page_mask) != 0) ||
            (i + 1 != pieces.size() && (end & page_mask) != 0))
            return std::nullopt;
        for (; at < end; at = (at | page_mask) + 1, ++count) {
            if (count == 0) {
                prps.prp1 = at;
                continue;
            }
            if (count == 1)
                second = at;  // a list only if there is a third
            else if (count == 2 && (!further.add(second) || !further.add(at)))
                return std::nullopt;
            else if (count > 2 && !further.add(at))
                return std::nullopt;
        }
    }
    if (count == 2) prps.prp2 = second;
    if (count > 2) prps.prp2 = list.address;
    return prps;
}

std::optional<nvme::sgl_descriptor> build_sgl(std::span<const dma_piece> pieces, bool dword_aligned,
                                              const list_memory& list) noexcept {
    constexpr auto block =
        nvme::sgl_identifier(nvme::sgl_type::data_block, nvme::sgl_subtype::address);
    constexpr auto last_segment =
        nvme::sgl_identifier(nvme::sgl_type::last_segment, nvme::sgl_subtype::address);
    constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
    const bool fits = std::all_of(pieces.begin(), pieces.end(), [&](const dma_piece& p) noexcept {
        return p.bytes <= most && (!dword_aligned || ((p.address | p.bytes) & dword_mask) == 0);
    });
    if (pieces.empty() || !fits) return std::nullopt;
    const auto describe = [](const dma_piece& p) noexcept {
        return nvme::make_sgl(block, p.address, static_cast<std::uint32_t>(p.bytes));
    };
    if (pieces.size() == 1) return describe(pieces.front());
    if (pieces.size() * 2 > list.entries.size()) return std::nullopt;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        const auto pair = std::bit_cast<std::array<nvme::le64, 2>>(describe(pieces[i]));
        list.entries[2 * i] = pair[0];
        list.entries[2 * i + 1] = pair[1];
    }
    return nvme::make_sgl(last_segment, list.address,
                          static_cast<std::uint32_t>(pieces.size() * sizeof(nvme::sgl_descriptor)));
}

}  // namespace fulmar::backend::pcie
