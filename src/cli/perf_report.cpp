#include "perf_report.hpp"

#include "exit.hpp"
#include "units.hpp"

#include <fulmar/host/execute.hpp>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>

namespace fulmar::cli {
namespace {

using json = nlohmann::ordered_json;

constexpr double percentiles[] = {0.5, 0.9, 0.99, 0.999, 0.9999};

std::string rate_text(std::uint64_t bytes, double seconds) {
    return size_text(static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds)) + "/s";
}

void print_side(const char* name, std::uint64_t count, std::uint64_t bytes, double seconds,
                const host::histogram& latency) {
    if (count == 0) return;
    fmt::print("{:<6} {:>8} IO/s  {:>10}   mean {:>8}", name,
               count_text(static_cast<double>(count) / seconds), rate_text(bytes, seconds),
               time_text(latency.mean_ns()));
    for (const double p : percentiles)
        fmt::print("  p{:g} {}", p * 100, time_text(static_cast<double>(latency.percentile_ns(p))));
    fmt::print("  max {}\n", time_text(static_cast<double>(latency.max_ns())));
}

json side(std::uint64_t count, std::uint64_t bytes, double seconds,
          const host::histogram& latency) {
    const auto us = [&](double p) { return static_cast<double>(latency.percentile_ns(p)) / 1e3; };
    return {{"commands", count},
            {"iops", static_cast<double>(count) / seconds},
            {"bytes_per_s", static_cast<double>(bytes) / seconds},
            {"min_us", static_cast<double>(latency.min_ns()) / 1e3},
            {"mean_us", latency.mean_ns() / 1e3},
            {"p50_us", us(0.5)},
            {"p90_us", us(0.9)},
            {"p99_us", us(0.99)},
            {"p999_us", us(0.999)},
            {"p9999_us", us(0.9999)},
            {"max_us", static_cast<double>(latency.max_ns()) / 1e3}};
}

/// By the wall clock, for comparing with what the target says of the same moment.
std::int64_t unix_ms(std::uint64_t monotonic_ns) {
    using std::chrono::duration_cast, std::chrono::milliseconds, std::chrono::nanoseconds;
    const auto ago = std::chrono::steady_clock::now().time_since_epoch() -
                     nanoseconds(static_cast<std::int64_t>(monotonic_ns));
    const auto wall = std::chrono::system_clock::now().time_since_epoch() - ago;
    return duration_cast<milliseconds>(wall).count();
}

double per_command(const perf_result& r) {
    return r.report.commands() == 0 ? 0
                                    : static_cast<double>(r.target_cpu_ns) / 1e3 /
                                          static_cast<double>(r.report.commands());
}

}  // namespace

void print(const perf_result& r) {
    const host::load_report& all = r.report;
    fmt::print("{}, namespace {}, {} {}, {}, depth {} on {} {}\n", r.nqn, r.options.nsid,
               size_text(r.options.io_bytes), r.options.random ? "random" : "sequential",
               r.options.read_percent == 100 ? "reads"
               : r.options.read_percent == 0 ? "writes"
                                             : fmt::format("{} % reads", r.options.read_percent),
               r.options.depth, r.queues, r.queues == 1 ? "queue" : "queues");
    print_side("read", all.reads, all.read_bytes, all.seconds, all.read_latency);
    print_side("write", all.writes, all.written_bytes, all.seconds, all.write_latency);
    fmt::print("{:.2f} s; the load generator was busy {:.0f} % of its core", all.seconds,
               all.busy_share * 100);
    if (r.target_watched)
        fmt::print("; the target used {:.0f} % of a core, {:.2f} µs per command",
                   static_cast<double>(r.target_cpu_ns) / 1e7 / all.seconds, per_command(r));
    fmt::print("\n");
    if (all.failed != 0)
        fmt::print("{} commands failed, the first at LBA {}: {}; the slowest took {:.0f} ms\n",
                   all.failed, all.first_failure_lba, host::text_of(all.first_failure),
                   static_cast<double>(all.slowest_failure_ns) / 1e6);
    if (all.mismatches != 0)
        fmt::print("{} commands read wrong data, the first at LBA {}, byte {}\n", all.mismatches,
                   all.first_mismatch->lba, all.first_mismatch->offset_bytes);
    std::fflush(stdout);
}

void write_json(const perf_result& r, const std::string& file) {
    const host::load_report& all = r.report;
    json out{{"target", r.target},
             {"nqn", r.nqn},
             {"nsid", r.options.nsid},
             {"block_bytes", r.options.block_bytes},
             {"io_bytes", r.options.io_bytes},
             {"queue_depth", r.options.depth},
             {"connections", r.queues},
             {"read_percent", r.options.read_percent},
             {"random", r.options.random},
             {"verified", r.options.seed.has_value()},
             {"flow_control", r.flow_control},
             {"rate", r.options.rate},
             {"seconds", all.seconds},
             {"iops", static_cast<double>(all.commands()) / all.seconds},
             {"bytes_per_s", static_cast<double>(all.read_bytes + all.written_bytes) / all.seconds},
             {"read", side(all.reads, all.read_bytes, all.seconds, all.read_latency)},
             {"write", side(all.writes, all.written_bytes, all.seconds, all.write_latency)},
             {"failed", all.failed},
             {"slowest_failure_us", static_cast<double>(all.slowest_failure_ns) / 1e3},
             {"last_answer_unix_ms", unix_ms(all.last_answer_ns)},
             {"mismatches", all.mismatches},
             {"protocol_breaches", r.violations},
             {"unanswered", r.unanswered},
             {"load_generator", {{"busy_share", all.busy_share}, {"cpu_share", all.cpu_share}}}};
    if (r.target_watched)
        out["target_cpu"] = {{"share", static_cast<double>(r.target_cpu_ns) / 1e9 / all.seconds},
                             {"us_per_command", per_command(r)}};
    if (file == "-") {
        fmt::print("{}\n", out.dump(2));
        std::fflush(stdout);
        return;
    }
    const std::string text = out.dump(2) + "\n";
    std::FILE* const to = std::fopen(file.c_str(), "w");
    bool written = to != nullptr && std::fwrite(text.data(), 1, text.size(), to) == text.size();
    if (to != nullptr) written &= std::fclose(to) == 0;
    if (!written) leave({errc::io_error, "cannot write " + file, {}, {}});
}

}  // namespace fulmar::cli
