// What the channels of a device have to know of its export.
#pragma once

#include "handle.hpp"
#include "remote_states.hpp"
#include "write_ledger.hpp"

#include <fulmar/base/clock.hpp>

#include <atomic>
#include <cstdint>

namespace fulmar::backend::nbd {

/// Who is told that connections must be given up. Called on: any thread.
class loss_reporter {
  public:
    /// The first cause counts. From the return on nothing is submitted any more.
    virtual void report(remote_loss why) noexcept = 0;

  protected:
    ~loss_reporter() = default;
};

/// Read on any thread. What is no atomic changes only while no reactor has a connection.
struct export_view {
    std::atomic<bool> lost{true};
    std::atomic<std::uint64_t> block_count{0};
    write_ledger ledger{};
    unsigned shift = 9;
    bool write_through = false;
    export_facts facts{};
    duration command_limit{};
    loss_reporter* reporter = nullptr;

    /// `op` is to be durable before it is answered.
    [[nodiscard]] bool must_last(const io_op& op) const noexcept {
        return fills_cache(op.kind) && (op.fua || write_through);
    }
};

}  // namespace fulmar::backend::nbd
