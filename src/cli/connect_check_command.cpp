// fulmar connect-check: every step of a host's way to its first I/O, one line each.
#include "commands.hpp"
#include "exit.hpp"
#include "target_options.hpp"
#include "units.hpp"

#include <fulmar/host/discovery.hpp>
#include <fulmar/nvme/io_command.hpp>

#include <fmt/core.h>

#include <cstdio>
#include <memory>

namespace fulmar::cli {
namespace {

/// Says what is being tried, how long it took, and what came of it.
class steps {
  public:
    template <typename T>
    T value(const char* what, result<T> r) {
        const auto now = std::chrono::steady_clock::now();
        fmt::print("{:<28} {:>9}  {}\n", what,
                   time_text(static_cast<double>((now - before_).count())), r ? "ok" : "FAILED");
        std::fflush(stdout);
        if (!r) leave(r.error());
        before_ = std::chrono::steady_clock::now();
        if constexpr (!std::is_void_v<T>) return std::move(r).value();
    }

  private:
    std::chrono::steady_clock::time_point before_ = std::chrono::steady_clock::now();
};

void run_connect_check(target_options& o) {
    steps step;
    if (o.nqn.empty()) {
        (void)step.value("discovery", host::discover(o.controller()));
        // connect() below names the subsystem, or says why none can be chosen.
    }
    const auto c = step.value("connect, enable, identify",
                              result<std::unique_ptr<host::controller>>(connect(o)));
    step.value("keep alive", c->keep_alive());
    const open_namespace ns =
        step.value("namespace", result<open_namespace>(find_namespace(*c, o)));
    host::queue* const q =
        step.value("I/O queue", result<host::queue*>(open_queues(*c, 1, 1).front()));
    std::vector<std::byte> block(ns.block_bytes);
    host::command read{.direction = host::transfer::from_controller, .data = block};
    read.sqe.opcode = static_cast<std::uint8_t>(nvme::io_opcode::read);
    read.sqe.nsid = ns.nsid;
    nvme::encode_block_range(read.sqe, {.slba = 0, .blocks = 1});
    const host::deadline until(c->options().timeout);
    (void)step.value("read of block 0", host::execute_ok(*q, read, until, "read"));
    const bool clean = checkers_are_clean(*c);
    step.value("shutdown", c->shutdown());
    fmt::print("\n{}: {} of {} blocks of {} in namespace {}\n", o.nqn,
               size_text(ns.blocks * ns.block_bytes), ns.blocks, ns.block_bytes, ns.nsid);
    if (!clean) leave(exit_code::failed);
}

}  // namespace

void add_connect_check(CLI::App& app) {
    auto o = std::make_shared<target_options>();
    CLI::App* const c =
        app.add_subcommand("connect-check", "try every step from connecting to reading a block");
    add_target(*c, *o);
    add_nsid(*c, *o);
    c->footer(
        "Reads one block and writes nothing.\n"
        "\n"
        "Examples:\n"
        "  fulmar connect-check\n"
        "  fulmar connect-check -a 192.0.2.7 --nqn nqn.2026-11.io.fulmar:disk --header-digest "
        "--data-digest");
    c->callback([o] { run_connect_check(*o); });
}

}  // namespace fulmar::cli
