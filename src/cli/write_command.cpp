// fulmar write: blocks of a namespace from stdin, from a file or from a pattern.
#include "block_stream.hpp"
#include "commands.hpp"
#include "exit.hpp"
#include "interrupt.hpp"
#include "pattern_run.hpp"
#include "region.hpp"
#include "target_options.hpp"
#include "units.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <optional>

namespace fulmar::cli {
namespace {

struct write_settings {
    target_options target;
    region_options region;
    std::string input = "-";
    std::optional<std::uint64_t> seed;
};

void run_write(write_settings& s) {
    const std::atomic<bool>& stop = catch_interrupts();
    const auto c = connect(s.target);
    const open_namespace ns = find_namespace(*c, s.target);
    const region where = resolve(s.region, ns);
    if (s.seed) {
        const pass_result done = run_pass(*c, ns, where, *s.seed, pass_kind::write, stop);
        leave(done.code);
    }
    block_stream stream(*c, *open_queues(*c, 1, block_stream::depth).front(), ns);
    std::FILE* const from = s.input == "-" ? stdin : std::fopen(s.input.c_str(), "rb");
    if (from == nullptr) leave({errc::io_error, "cannot read " + s.input, {}, {}});
    const std::uint64_t written =
        value_or_leave(stream.write(where.lba, where.blocks, [&](std::span<std::byte> room) {
            return stop ? 0 : std::fread(room.data(), 1, room.size(), from);
        }));
    value_or_leave(stream.flush());
    if (std::ferror(from) != 0) leave({errc::io_error, "cannot read " + s.input, {}, {}});
    const bool more = !stop && std::fgetc(from) != EOF;
    if (from != stdin) std::fclose(from);
    (void)c->shutdown();
    fmt::print(stderr, "{} written from LBA {}\n", size_text(written), where.lba);
    if (stop) leave(exit_code::interrupted);
    if (more)
        leave(
            {errc::io_error, "the input does not fit the range; its rest was not written", {}, {}});
}

}  // namespace

void add_write(CLI::App& app) {
    auto s = std::make_shared<write_settings>();
    CLI::App* const c =
        app.add_subcommand("write", "copy stdin, a file or a pattern to blocks of a namespace");
    add_target(*c, s->target);
    add_nsid(*c, s->target);
    add_region(*c, s->region, "what the input has; with --pattern to the end of the namespace");
    auto* input = c->add_option("-f,--file", s->input, "file (- for stdin)")->capture_default_str();
    c->add_option("--pattern", s->seed, "write the pattern of this seed, which `verify` knows")
        ->excludes(input);
    c->footer(
        "THIS DESTROYS what the blocks held. A last block that the input does not fill ends in "
        "zeroes;\n"
        "a flush ends it.\n"
        "\n"
        "Examples:\n"
        "  echo hello | fulmar write\n"
        "  fulmar write --file disk.img --lba 0\n"
        "  fulmar write --pattern 7 && fulmar verify --pattern 7 --read-only-check");
    c->callback([s] { run_write(*s); });
}

}  // namespace fulmar::cli
