// fulmar read: blocks of a namespace to stdout or to a file.
#include "block_stream.hpp"
#include "commands.hpp"
#include "exit.hpp"
#include "interrupt.hpp"
#include "region.hpp"
#include "target_options.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <memory>

namespace fulmar::cli {
namespace {

struct read_settings {
    target_options target;
    region_options region;
    std::string output = "-";
};

void run_read(read_settings& s) {
    const std::atomic<bool>& stop = catch_interrupts();
    const auto c = connect(s.target);
    const open_namespace ns = find_namespace(*c, s.target);
    const region where = resolve(s.region, ns);
    block_stream stream(*c, *open_queues(*c, 1, block_stream::depth).front(), ns);
    std::FILE* const to = s.output == "-" ? stdout : std::fopen(s.output.c_str(), "wb");
    if (to == nullptr) leave({errc::io_error, "cannot write " + s.output, {}, {}});
    bool written = true;
    const auto outcome = stream.read(where.lba, where.blocks, [&](std::span<const std::byte> data) {
        written = std::fwrite(data.data(), 1, data.size(), to) == data.size();
        return written && !stop;
    });
    written &= std::fflush(to) == 0;
    if (to != stdout) written &= std::fclose(to) == 0;
    if (!outcome) leave(outcome.error());
    (void)c->shutdown();
    if (stop) leave(exit_code::interrupted);
    if (!written) leave({errc::io_error, "cannot write " + s.output, {}, {}});
}

}  // namespace

void add_read(CLI::App& app) {
    auto s = std::make_shared<read_settings>();
    CLI::App* const c =
        app.add_subcommand("read", "copy blocks of a namespace to stdout or a file");
    add_target(*c, s->target);
    add_nsid(*c, s->target);
    add_region(*c, s->region, "to the end of the namespace");
    c->add_option("-o,--output", s->output, "file (- for stdout)")->capture_default_str();
    c->footer(
        "Examples:\n"
        "  fulmar read --count 1 | xxd | head\n"
        "  fulmar read --lba 2048 --size 1GiB --output part.img");
    c->callback([s] { run_read(*s); });
}

}  // namespace fulmar::cli
