#include "pattern_run.hpp"

#include "units.hpp"

#include <fulmar/host/load.hpp>

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace fulmar::cli {
namespace {

constexpr std::uint32_t depth = 32;
constexpr std::uint64_t io_bytes_max = 128 * 1024;

class progress final : public host::load_watcher {
  public:
    progress(host::controller& c, const char* verb, std::uint64_t bytes)
        : controller_(c), verb_(verb), bytes_(bytes), terminal_(::isatty(STDERR_FILENO) == 1) {}

    bool tick(const host::load_report& so_far) noexcept override {
        controller_.poll();
        if (++ticks_ % 10 != 0) return true;
        const std::uint64_t done = so_far.read_bytes + so_far.written_bytes;
        fmt::print(
            stderr, "{}{} {} of {} ({:.0f} %), {}/s{}", terminal_ ? "\r" : "", verb_,
            size_text(done), size_text(bytes_),
            100.0 * static_cast<double>(done) / static_cast<double>(bytes_),
            size_text(static_cast<std::uint64_t>(static_cast<double>(done) / so_far.seconds)),
            terminal_ ? "   " : "\n");
        shown_ = true;
        return true;
    }
    void end() const {
        if (shown_ && terminal_) fmt::print(stderr, "\n");
    }

  private:
    host::controller& controller_;
    const char* verb_;
    std::uint64_t bytes_;
    bool terminal_;
    bool shown_ = false;
    unsigned ticks_ = 0;
};

void print_mismatch(const host::pattern::mismatch& m) {
    fmt::print("LBA {} is wrong from byte {} on", m.lba, m.offset_bytes);
    if (m.all_zero) fmt::print(": it holds zeroes");
    if (m.belongs_to) fmt::print(": it holds the data of LBA {}", *m.belongs_to);
    fmt::print("\n");
}

exit_code judge(const host::load_report& r, bool stopped) {
    if (r.failed != 0) {
        fmt::print("{} commands failed, the first at LBA {}: {}\n", r.failed, r.first_failure_lba,
                   host::text_of(r.first_failure));
        return exit_code::failed;
    }
    if (r.mismatches != 0) {
        print_mismatch(*r.first_mismatch);
        return exit_code::failed;
    }
    return stopped ? exit_code::interrupted : exit_code::ok;
}

}  // namespace

pass_result run_pass(host::controller& c, const open_namespace& ns, const region& where,
                     std::uint64_t seed, pass_kind kind, const std::atomic<bool>& stop) {
    host::queue* const q =
        c.io_queues().empty() ? open_queues(c, 1, depth).front() : c.io_queues().front().get();
    const bool writing = kind == pass_kind::write;
    const std::uint64_t piece =
        std::min({c.max_transfer_bytes(), io_bytes_max, where.blocks * ns.block_bytes});
    progress shown(c, writing ? "written" : "checked", where.blocks * ns.block_bytes);
    host::load pattern_run(
        std::span(&q, 1),
        {.nsid = ns.nsid,
         .block_bytes = ns.block_bytes,
         .first_lba = where.lba,
         .region_blocks = where.blocks,
         .io_bytes = static_cast<std::uint32_t>(piece / ns.block_bytes * ns.block_bytes),
         .depth = std::min(depth, q->room()),
         .read_percent = writing ? 0u : 100u,
         .once = true,
         .seed = seed,
         .spin = false,
         .stop = &stop});
    const auto outcome = pattern_run.run(&shown);
    shown.end();
    if (!outcome) leave(outcome.error());
    if (writing && !stop) {
        host::command flush;
        flush.sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::flush);
        flush.sqe.nsid = ns.nsid;
        value_or_leave(host::execute_ok(*q, flush, host::deadline(c.options().timeout), "flush"));
    }
    const host::load_report& r = pattern_run.report();
    const exit_code code = judge(r, stop);
    const std::uint64_t bytes = r.read_bytes + r.written_bytes;
    fmt::print("{} {} of pattern {} from LBA {} in {:.2f} s ({}/s){}\n", size_text(bytes),
               writing ? "written" : "read and compared", seed, where.lba, r.seconds,
               size_text(static_cast<std::uint64_t>(static_cast<double>(bytes) / r.seconds)),
               code == exit_code::ok            ? ""
               : code == exit_code::interrupted ? ", interrupted"
                                                : ", FAILED");
    std::fflush(stdout);
    return {code};
}

}  // namespace fulmar::cli
