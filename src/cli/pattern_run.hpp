// One pass over a region with a pattern: writing it, or reading and comparing it, with progress.
#pragma once

#include "exit.hpp"
#include "region.hpp"

#include <fulmar/host/controller.hpp>

#include <atomic>
#include <cstdint>

namespace fulmar::cli {

enum class pass_kind { write, check };

struct pass_result {
    exit_code code = exit_code::ok;
};

/// Uses the first I/O queue, and opens it when there is none. A write pass ends with a flush.
/// Says on stderr how far it is, and on stdout what came of it.
pass_result run_pass(host::controller& c, const open_namespace& ns, const region& where,
                     std::uint64_t seed, pass_kind kind, const std::atomic<bool>& stop);

}  // namespace fulmar::cli
