// fulmar perf: load on a namespace, and what it measures.
#include "commands.hpp"
#include "exit.hpp"
#include "interrupt.hpp"
#include "option_checks.hpp"
#include "perf_report.hpp"
#include "target_options.hpp"
#include "units.hpp"

#include <fulmar/host/load.hpp>

#include <fmt/core.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

namespace fulmar::cli {
namespace {

constexpr const char* perf_examples =
    "Examples:\n"
    "  fulmar perf                                       4 KiB random reads, one at a time\n"
    "  fulmar perf --queue-depth 128 --seconds 10\n"
    "  fulmar perf --mix 70 --queue-depth 32             70 % reads, 30 % writes\n"
    "  fulmar perf --block-size 128k --sequential --mix write --queue-depth 32\n"
    "  fulmar perf --connections 16 --queue-depth 8      16 I/O queues, 8 commands on each\n"
    "  fulmar perf --queue-depth 128 --rate 100000       no more than that, and how long each "
    "took\n"
    "  fulmar perf --verify 7 --mix 50                   check every block read (fills the region "
    "first)\n"
    "  fulmar perf --json result.json --pin 1            for scripts; the generator on CPU 1\n"
    "\n"
    "WRITES DESTROY DATA. --mix defaults to reads only. The load generator spins; its busy share "
    "says\n"
    "how much of its core it needed: near 100 % it is the bottleneck, not the target.";

struct perf_settings {
    target_options target;
    std::string block_size = "4k";
    std::string region;
    std::uint64_t first_lba = 0;
    std::string mix = "read";
    std::uint32_t depth = 1;
    std::uint32_t connections = 1;
    double seconds = 5;
    double warmup = 0.5;
    bool sequential = false;
    bool random = false;
    std::optional<std::uint64_t> verify;
    std::string json;
    int cpu = -1;
    int target_pid = 0;
    std::uint64_t commands = 0;
    double rate = 0;
    bool idle = false;
    bool go_on = false;
    bool asleep = false;
    bool quiet = false;
};

unsigned read_percent(const std::string& mix) {
    if (mix == "read") return 100;
    if (mix == "write") return 0;
    const auto number = parse_size(mix);
    if (!number || *number > 100)
        leave({errc::invalid_argument, "--mix is read, write, or the percentage of reads", {}, {}});
    return static_cast<unsigned>(*number);
}

void pin(int cpu) {
    if (cpu < 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpu), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
        leave({errc::invalid_argument, fmt::format("cannot run on CPU {}", cpu), {}, {}});
}

/// CPU time of a process, or 0 when there is no such process.
std::uint64_t process_cpu_ns(int pid) {
    clockid_t clock{};
    timespec spent{};
    if (pid <= 0 || ::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &spent) != 0)
        return 0;
    return static_cast<std::uint64_t>(spent.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(spent.tv_nsec);
}

/// As many controllers as it takes to have `connections` queues.
struct connected {
    std::vector<std::unique_ptr<host::controller>> controllers;
    std::vector<host::queue*> queues;
};

connected connect_all(perf_settings& s) {
    connected all;
    while (all.queues.size() < s.connections) {
        all.controllers.push_back(connect(s.target));
        const auto missing = s.connections - static_cast<std::uint32_t>(all.queues.size());
        const auto opened = open_queues(*all.controllers.back(), missing, s.depth);
        all.queues.insert(all.queues.end(), opened.begin(), opened.end());
    }
    return all;
}

class watcher final : public host::load_watcher {
  public:
    watcher(connected& all, bool quiet) : all_(all), quiet_(quiet) {}

    bool tick(const host::load_report& so_far) noexcept override {
        for (const auto& c : all_.controllers) c->poll();
        if (++ticks_ % 10 != 0 || quiet_) return true;
        const std::uint64_t commands = so_far.commands();
        const std::uint64_t bytes = so_far.read_bytes + so_far.written_bytes;
        const double seconds = so_far.seconds - seconds_;
        fmt::print(
            stderr, "{:5.1f} s  {:>8} IO/s  {:>10}/s{}\n", so_far.seconds,
            count_text(static_cast<double>(commands - commands_) / seconds),
            size_text(static_cast<std::uint64_t>(static_cast<double>(bytes - bytes_) / seconds)),
            so_far.failed == 0 ? "" : fmt::format("  {} failed", so_far.failed));
        commands_ = commands;
        bytes_ = bytes;
        seconds_ = so_far.seconds;
        return true;
    }

  private:
    connected& all_;
    bool quiet_;
    unsigned ticks_ = 0;
    std::uint64_t commands_ = 0;
    std::uint64_t bytes_ = 0;
    double seconds_ = 0;
};

host::load_options make_options(const perf_settings& s, const open_namespace& ns,
                                const std::atomic<bool>& stop) {
    const auto block = parse_size(s.block_size);
    const auto region = s.region.empty() ? std::optional<std::uint64_t>(0) : parse_size(s.region);
    if (!block || *block == 0 || *block > (64u << 20) || !region)
        leave({errc::invalid_argument, "a size is a number with k, M or G behind it", {}, {}});
    if (*block % ns.block_bytes != 0)
        leave({errc::invalid_argument,
               fmt::format("--block-size must be a multiple of {}", ns.block_bytes),
               {},
               {}});
    if (s.first_lba >= ns.blocks)
        leave({errc::invalid_argument, "--lba is behind the end of the namespace", {}, {}});
    const std::uint64_t there = ns.blocks - s.first_lba;
    return {.nsid = ns.nsid,
            .block_bytes = ns.block_bytes,
            .first_lba = s.first_lba,
            .region_blocks = *region == 0 ? there : std::min(there, *region / ns.block_bytes),
            .io_bytes = static_cast<std::uint32_t>(*block),
            .depth = s.depth,
            .read_percent = read_percent(s.mix),
            .random = !s.sequential,
            .seconds = s.seconds,
            .commands = s.commands,
            .rate = s.rate,
            .seed = s.verify,
            .spin = !s.asleep,
            .stop = &stop,
            .stop_at_error = !s.go_on};
}

/// With --verify, blocks that were never written must not count as wrong.
void fill(const connected& all, host::load_options o, host::load_watcher& w) {
    o.once = true;
    o.commands = 0;
    o.rate = 0;
    o.read_percent = 0;
    o.stop_at_error = true;
    host::load one(all.queues, o);
    if (const auto done = one.run(&w); !done) leave(done.error());
    if (one.report().failed != 0)
        leave({errc::io_error,
               "cannot fill the region: " + host::text_of(one.report().first_failure),
               {},
               {}});
}

/// Connections that do nothing but stay: what they cost is measured at the target.
void hold(const perf_settings& s, connected& all, const std::atomic<bool>& stop) {
    fmt::print("{} connections are open and idle\n", all.queues.size());
    std::fflush(stdout);
    const host::deadline until(
        std::chrono::duration_cast<duration>(std::chrono::duration<double>(s.seconds)));
    bool alive = true;
    while (alive && !stop && !until.passed()) {
        for (const auto& c : all.controllers) alive &= c->poll();
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    if (!alive) leave({errc::unavailable, "the target closed a connection", {}, {}});
    for (const auto& c : all.controllers) (void)c->shutdown();
}

void run_perf(perf_settings& s) {
    const std::atomic<bool>& stop = catch_interrupts();
    pin(s.cpu);
    connected all = connect_all(s);
    const open_namespace ns = find_namespace(*all.controllers.front(), s.target);
    if (s.idle) return hold(s, all, stop);
    host::load_options o = make_options(s, ns, stop);
    o.depth = std::min(o.depth, all.queues.front()->room());  // open_queues() has said so
    watcher quiet(all, true);
    watcher loud(all, s.quiet || s.json == "-");
    if (s.verify) fill(all, o, loud);
    if (s.warmup > 0 && !stop) {
        o.seconds = s.warmup;
        o.commands = 0;
        if (const auto done = host::load(all.queues, o).run(&quiet); !done) leave(done.error());
        o.seconds = s.seconds;
        o.commands = s.commands;
    }
    host::load measured(all.queues, o);
    const std::uint64_t target_cpu = process_cpu_ns(s.target_pid);
    const auto outcome = measured.run(&loud);
    perf_result result{
        .options = o,
        .report = measured.report(),
        .target = host::endpoint{.address = s.target.address, .port = s.target.port}.text(),
        .nqn = s.target.nqn,
        .queues = static_cast<std::uint32_t>(all.queues.size()),
        .flow_control = !s.target.no_flow_control,
        .target_cpu_ns = process_cpu_ns(s.target_pid) - target_cpu,
        .target_watched = s.target_pid != 0};
    bool clean = true;
    for (const auto& c : all.controllers) {
        clean &= checkers_are_clean(*c);
        result.violations += c->admin().checker().violations();
        for (const auto& q : c->io_queues()) {
            result.violations += q->checker().violations();
            result.unanswered += q->checker().commands_lost() + q->checker().outstanding();
        }
    }
    if (!s.quiet && s.json != "-") print(result);
    if (!s.json.empty()) write_json(result, s.json);
    if (!outcome) leave(outcome.error());
    for (const auto& c : all.controllers) (void)c->shutdown();
    const bool as_wanted = s.go_on || result.report.failed == 0;
    if (!as_wanted || result.report.mismatches != 0 || !clean) leave(exit_code::failed);
    if (stop) leave(exit_code::interrupted);
}

}  // namespace

void add_perf(CLI::App& app) {
    auto s = std::make_shared<perf_settings>();
    CLI::App* const c = app.add_subcommand("perf", "measure reads and writes");
    c->footer(perf_examples);
    add_target(*c, s->target);
    add_nsid(*c, s->target);
    c->add_option("-b,--block-size", s->block_size, "bytes of one command: 4k, 128k")
        ->capture_default_str();
    c->add_option("-q,--queue-depth", s->depth, "commands under way on each connection")
        ->check(between(1u, 4095u))
        ->capture_default_str();
    c->add_option("-c,--connections", s->connections, "I/O queues")
        ->check(between(1u, 4096u))
        ->capture_default_str();
    c->add_option("-m,--mix", s->mix, "read, write, or the percentage of reads")
        ->capture_default_str();
    auto* sequential = c->add_flag("--sequential", s->sequential, "ascending, wrapping round");
    c->add_flag("--random", s->random, "all over the region (default)")->excludes(sequential);
    c->add_option("--lba", s->first_lba, "first block of the region")->capture_default_str();
    c->add_option("--size", s->region, "size of the region: 64M (default: to the end)");
    c->add_option("-t,--seconds", s->seconds, "how long")
        ->check(between(0.01, 1e6))
        ->capture_default_str();
    c->add_option("--warmup", s->warmup, "seconds before, not counted")
        ->check(between(0.0, 1e6))
        ->capture_default_str();
    c->add_option("--commands", s->commands, "end after so many commands instead");
    c->add_option("--rate", s->rate,
                  "commands a second, evenly; latencies count from when each was due")
        ->check(between(1.0, 1e9));
    c->add_flag("--go-on", s->go_on,
                "count commands that fail and go on: what must hold is that each has one answer");
    c->add_flag("--asleep", s->asleep, "sleep while there is nothing to do, instead of spinning");
    c->add_flag("--idle", s->idle, "open the connections and send nothing for --seconds");
    c->add_option("--verify", s->verify,
                  "write this pattern's seed, compare what is read (fills the region first)");
    CLI::Option* const json =
        c->add_option("--json", s->json, "as JSON, instead of the table; or into this file as well")
            ->expected(0, 1)
            ->type_name("[FILE]");
    c->add_option("--pin", s->cpu, "CPU to run on");
    c->add_option("--target-pid", s->target_pid,
                  "also report the CPU time of this process per command");
    c->add_flag("--quiet", s->quiet, "no progress, no table");
    c->callback([s, json] {
        if (json->count() != 0 && json->results().front().empty()) s->json = "-";
        run_perf(*s);
    });
}

}  // namespace fulmar::cli
