// fulmar verify: writes a pattern that knows its place, reads it back and compares.
#include "commands.hpp"
#include "exit.hpp"
#include "interrupt.hpp"
#include "pattern_run.hpp"
#include "region.hpp"
#include "target_options.hpp"

#include <memory>

namespace fulmar::cli {
namespace {

struct verify_settings {
    target_options target;
    region_options region;
    std::uint64_t seed = 1;
    bool read_only = false;
};

void run_verify(verify_settings& s) {
    const std::atomic<bool>& stop = catch_interrupts();
    const auto c = connect(s.target);
    const open_namespace ns = find_namespace(*c, s.target);
    const region where = resolve(s.region, ns);
    pass_result done{};
    if (!s.read_only) done = run_pass(*c, ns, where, s.seed, pass_kind::write, stop);
    if (done.code == exit_code::ok) done = run_pass(*c, ns, where, s.seed, pass_kind::check, stop);
    if (!checkers_are_clean(*c)) leave(exit_code::failed);
    if (done.code == exit_code::ok) (void)c->shutdown();
    leave(done.code);
}

}  // namespace

void add_verify(CLI::App& app) {
    auto s = std::make_shared<verify_settings>();
    CLI::App* const c = app.add_subcommand("verify", "write a pattern, read it back, compare");
    add_target(*c, s->target);
    add_nsid(*c, s->target);
    add_region(*c, s->region, "to the end of the namespace");
    c->add_option("--pattern", s->seed, "seed of the pattern")->capture_default_str();
    c->add_flag("--read-only-check", s->read_only,
                "write nothing: compare with the pattern that is there");
    c->footer(
        "THIS DESTROYS what the blocks held, unless --read-only-check is given. Every block of the "
        "pattern\n"
        "depends on the seed and on its own LBA: data that is stale, lost or in the wrong place is "
        "found,\n"
        "and named.\n"
        "\n"
        "Examples:\n"
        "  fulmar verify --size 64MiB\n"
        "  fulmar verify --pattern 7               the whole namespace\n"
        "  fulmar verify --pattern 7 --read-only-check");
    c->callback([s] { run_verify(*s); });
}

}  // namespace fulmar::cli
