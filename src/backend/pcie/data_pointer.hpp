// From pieces of memory, as the drive sees them, to the data pointer of a command: PRP entries and
// lists, or SGL descriptors. Pure. NVMe Base 2.0, sections 4.1.1 and 4.1.2.
#pragma once

#include <fulmar/nvme/command.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fulmar::backend::pcie {

/// Neighbours in the data, wherever they are in memory.
struct dma_piece {
    std::uint64_t address = 0;  ///< as the drive sees it
    std::uint64_t bytes = 0;    ///< not 0
};

/// Memory that holds what does not fit into the command. Its address is a multiple of the page.
struct list_memory {
    std::span<nvme::le64> entries;  ///< PRPs; two make an SGL descriptor
    std::uint64_t address = 0;      ///< of entries[0], as the drive sees it
};

/// Nothing when PRPs cannot say it: a piece other than the first does not begin at a page, one
/// other than the last does not end at one, an address is not a multiple of 4, or the list is too
/// small. `page_bytes` is CC.MPS's, a power of two. Lists that fill a page go on in the next one.
[[nodiscard]] std::optional<nvme::prp_pair> build_prps(std::span<const dma_piece> pieces,
                                                       std::uint64_t page_bytes,
                                                       const list_memory& list) noexcept;

/// Nothing when the list is too small. `dword_aligned`: the drive wants multiples of 4.
[[nodiscard]] std::optional<nvme::sgl_descriptor> build_sgl(std::span<const dma_piece> pieces,
                                                            bool dword_aligned,
                                                            const list_memory& list) noexcept;

}  // namespace fulmar::backend::pcie
