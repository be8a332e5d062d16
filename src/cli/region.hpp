// A range of blocks, as the command line gives it.
#pragma once

#include "target_options.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>

namespace fulmar::cli {

struct region_options {
    std::uint64_t lba = 0;
    std::uint64_t count = 0;  ///< blocks; 0: by size
    std::string size;         ///< empty: to the end
};

struct region {
    std::uint64_t lba = 0;
    std::uint64_t blocks = 0;
};

/// `otherwise` says what is meant when neither count nor size is given.
void add_region(CLI::App& app, region_options& o, const std::string& otherwise);
/// Inside the namespace; leaves when it is not.
region resolve(const region_options& o, const open_namespace& ns);

}  // namespace fulmar::cli
