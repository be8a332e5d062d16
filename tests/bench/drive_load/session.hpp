// Brings one drive up, lets a reader at it, and gives it back.
#pragma once

#include "bench/drive_load/reader.hpp"

#include <fulmar/base/result.hpp>
#include <fulmar/vfio/pci_address.hpp>

#include <cstdint>

namespace fulmar::bench {

struct drive_load_options {
    static constexpr std::uint32_t most_depth = 255;  ///< what the driver's queue holds

    vfio::pci_address address{};
    std::uint32_t depth = 32;
    std::uint32_t io_bytes = 4096;
    std::uint64_t region_bytes = 0;  ///< 0: the whole drive
    double seconds = 5;
    double warmup_seconds = 0.5;
    std::uint32_t busy_poll_us = 100;  ///< as fulmard's own default
    int cpu = -1;
};

/// Called on: main thread, once. Errors: whatever keeps the drive from serving.
result<drive_load_report> run_drive_load(const drive_load_options& options);

}  // namespace fulmar::bench
