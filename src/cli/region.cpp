#include "region.hpp"

#include "exit.hpp"
#include "option_checks.hpp"
#include "units.hpp"

#include <fulmar/nvme/io_command.hpp>

#include <fmt/core.h>

namespace fulmar::cli {

void add_region(CLI::App& app, region_options& o, const std::string& otherwise) {
    app.add_option("-l,--lba", o.lba, "first block")->capture_default_str();
    auto* count = app.add_option("-c,--count", o.count, "blocks (default: " + otherwise + ")")
                      ->check(between(std::uint64_t{1}, ~std::uint64_t{0}));
    app.add_option("-s,--size", o.size,
                   "instead of --count: 64k, 1GiB; a multiple of the block size")
        ->excludes(count);
}

region resolve(const region_options& o, const open_namespace& ns) {
    std::uint64_t blocks = o.count;
    if (!o.size.empty()) {
        const auto bytes = parse_size(o.size);
        if (!bytes || *bytes == 0 || *bytes % ns.block_bytes != 0)
            leave({errc::invalid_argument,
                   fmt::format("--size is not a multiple of {}: {}", ns.block_bytes, o.size),
                   {},
                   {}});
        blocks = *bytes / ns.block_bytes;
    }
    if (o.lba >= ns.blocks)
        leave({errc::invalid_argument,
               fmt::format("the namespace ends at LBA {}", ns.blocks),
               {},
               {}});
    if (blocks == 0) blocks = ns.blocks - o.lba;
    if (!nvme::lba_range_fits(o.lba, blocks, ns.blocks))
        leave({errc::invalid_argument,
               fmt::format("the namespace ends at LBA {}", ns.blocks),
               {},
               {}});
    return {o.lba, blocks};
}

}  // namespace fulmar::cli
