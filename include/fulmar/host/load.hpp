// A load: reads and writes on a set of queues, as many under way as asked, each one timed, and
// checked when asked. `perf`, `verify` and `write --pattern` are all this.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/host/histogram.hpp>
#include <fulmar/host/pattern.hpp>
#include <fulmar/host/queue.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fulmar::host {

struct load_options {
    std::uint32_t nsid = 1;
    std::uint32_t block_bytes = 4096;  ///< of the namespace
    std::uint64_t first_lba = 0;       ///< the region, in blocks
    std::uint64_t region_blocks = 0;
    std::uint32_t io_bytes = 4096;  ///< of one command; the last of a pass may be shorter
    std::uint32_t depth = 1;        ///< commands under way on each queue
    unsigned read_percent = 100;
    bool random = true;          ///< else ascending, wrapping round
    bool once = false;           ///< ascending, each block once, then end
    double seconds = 1.0;        ///< unless `once`
    std::uint64_t commands = 0;  ///< end after so many instead; 0: by time
    /// Commands a second, evenly; 0: as many as the depth allows. Latencies then count from when a
    /// command was due, so that a target that stalls cannot hide it by holding the load up.
    double rate = 0;
    std::optional<std::uint64_t> seed =
        {};  ///< write this pattern, and compare what is read with it
    std::uint64_t random_seed = 1;
    bool spin = true;  ///< never block while waiting; else sleep when nothing comes
    const std::atomic<bool>* stop = nullptr;  ///< ends the load early
    bool stop_at_error = true;  ///< nothing is sent after the first failure; else go on, and count
};

/// What has happened so far, or in all.
struct load_report {
    double seconds = 0;
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t read_bytes = 0;
    std::uint64_t written_bytes = 0;
    std::uint64_t failed = 0;              ///< answered with another status than success
    std::uint64_t slowest_failure_ns = 0;  ///< from sending one of these to its answer
    nvme::status first_failure{};
    std::uint64_t first_failure_lba = 0;
    std::uint64_t last_answer_ns = 0;  ///< monotonic; 0: there was none
    std::uint64_t mismatches = 0;      ///< commands whose data was not the pattern
    std::optional<pattern::mismatch> first_mismatch;
    histogram read_latency;
    histogram write_latency;
    double busy_share = 0;  ///< of the wall time, how much was spent on turns that found something
    double cpu_share = 0;   ///< CPU time of this thread by wall time

    [[nodiscard]] std::uint64_t commands() const noexcept { return reads + writes; }
};

/// Called ten times a second, between turns; also the place to poll a controller.
class load_watcher {
  public:
    /// False ends the load.
    virtual bool tick(const load_report& so_far) noexcept = 0;

  protected:
    ~load_watcher() = default;
};

/// One thread. All memory is taken at construction.
class load {
  public:
    /// `queues` outlive the load.
    load(std::span<queue* const> queues, const load_options& options);
    ~load();
    load(const load&) = delete;
    load& operator=(const load&) = delete;

    /// Runs to its end. Errors: a queue closed, or a bad option; the report so far is in report().
    result<void> run(load_watcher* watcher = nullptr);
    [[nodiscard]] const load_report& report() const noexcept { return report_; }

  private:
    struct io;
    struct range {
        std::uint64_t lba = 0;
        std::uint32_t blocks = 0;
    };

    [[nodiscard]] result<void> check_options() const;
    void issue(io& one) noexcept;
    void finished(io& one) noexcept;
    void count(io& one) noexcept;
    void compare(io& one) noexcept;
    [[nodiscard]] bool next_range(range& out) noexcept;
    [[nodiscard]] std::uint64_t random() noexcept;
    void retry_waiting() noexcept;
    [[nodiscard]] std::uint64_t due_ns() const noexcept;
    bool issue_due() noexcept;
    bool turn() noexcept;
    void loop(load_watcher* watcher);
    void drain();
    void snapshot(std::uint64_t now) noexcept;

    std::vector<queue*> queues_;
    load_options options_;
    pattern pattern_;
    load_report report_;
    std::unique_ptr<std::byte[]> memory_;
    std::vector<std::unique_ptr<io>> ios_;
    std::vector<io*> waiting_;  // the queue was full
    std::vector<io*> early_;    // its command is not due yet
    std::uint64_t random_state_;
    std::uint64_t issued_ = 0;
    std::uint64_t next_block_ = 0;  // of the region
    std::uint32_t under_way_ = 0;
    bool issuing_ = true;
    std::uint64_t begun_ns_ = 0;
    std::uint64_t busy_ns_ = 0;
    std::uint64_t cpu_from_ns_ = 0;
};

}  // namespace fulmar::host
