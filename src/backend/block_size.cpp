#include "block_size.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fulmar::backend {

result<std::uint64_t> blocks_in(std::uint64_t size_bytes, std::uint32_t block_bytes) {
    if (block_bytes != 512 && block_bytes != 4096)
        return fail(errc::invalid_argument,
                    fmt::format("a block size of {} bytes is not supported", block_bytes),
                    "/block_size", "use 512 or 4096");
    if (size_bytes == 0 || size_bytes % block_bytes != 0 || size_bytes > INT64_MAX)
        return fail(errc::invalid_argument,
                    fmt::format("{} bytes are not a whole number of {}-byte blocks", size_bytes,
                                block_bytes),
                    "/size", "use a multiple of the block size above 0");
    return size_bytes / block_bytes;
}

result<void> check_shrinking(std::uint64_t from, std::uint64_t to, std::uint32_t block_bytes,
                             shrinking smaller) {
    if (to >= from || smaller == shrinking::allowed) return {};
    return fail(errc::conflict,
                fmt::format("it has {} bytes and would have {}: what is behind that would be lost",
                            from * block_bytes, to * block_bytes),
                "/size",
                "where that is wanted, say so: \"allow_shrink\": true over REST, "
                "fulmar device resize --shrink");
}

bool in_bounds(const io_op& op, std::uint64_t block_count) noexcept {
    const auto ranges_lie_within = [&] {
        return std::ranges::all_of(op.ranges, [&](const block_range& range) {
            return lies_within(range.first, range.count, block_count);
        });
    };
    switch (op.kind) {
        case io_kind::flush: return true;
        case io_kind::deallocate: return ranges_lie_within();
        case io_kind::copy:
            return ranges_lie_within() && lies_within(op.first_block, op.block_count, block_count);
        case io_kind::read:
        case io_kind::write:
        case io_kind::write_zeroes:
        case io_kind::compare:
        case io_kind::write_uncorrectable:
        case io_kind::verify: return lies_within(op.first_block, op.block_count, block_count);
    }
    return false;
}

}  // namespace fulmar::backend
