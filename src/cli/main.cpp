// fulmar: the command-line tool. What it knows is in the commands; this is only their list.
#include "commands.hpp"
#include "exit.hpp"
#include "rest_commands.hpp"
#include "suggest.hpp"

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <cstdio>

namespace {

constexpr const char* description =
    "Talks to an NVMe-over-Fabrics target over TCP, with no help from the kernel, and to the\n"
    "administration of a fulmard over REST. Without an address it means the target of ./dev run,\n"
    "127.0.0.1:4420, and the local fulmard.\n"
    "\n"
    "  fulmar discover                     what is there\n"
    "  fulmar identify                     what the controller and its namespaces are\n"
    "  fulmar verify --size 64MiB          write a pattern, read it back, compare\n"
    "  fulmar perf --queue-depth 32        how fast it is\n"
    "  fulmar read --lba 0 --count 8 | xxd | head\n"
    "  fulmar status                       how the daemon is\n"
    "  fulmar subsystem list               what it serves; create, delete, pause, resume\n"
    "  fulmar drive list                   the NVMe drives of this machine, and who has them\n"
    "\n"
    "Every command has its own --help. Exit codes: 0 done, 1 the target or the data is at fault,\n"
    "2 wrong usage, 3 no connection, 130 interrupted.";

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{description, "fulmar"};
    app.set_version_flag("--version", std::string("fulmar ") + FULMAR_VERSION);
    app.require_subcommand(1);
    app.get_formatter()->column_width(34);
    using namespace fulmar::cli;
    for (const auto add : {add_discover, add_connect_check, add_identify, add_read, add_write,
                           add_verify, add_perf, add_drive})
        add(app);
    add_rest_commands(app);
    try {
        app.parse(argc, argv);
    } catch (const CLI::RuntimeError& e) {  // leave()
        return e.get_exit_code();
    } catch (const CLI::ParseError& e) {
        return explain(app, e);
    } catch (const std::exception& e) {
        fmt::print(stderr, "fulmar: {}\n", e.what());
        return static_cast<int>(exit_code::failed);
    }
    return 0;
}
