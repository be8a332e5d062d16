#include "options.hpp"

#include <fulmar/base/version.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace fulmar::app {

namespace {
constexpr const char* about =
    R"(Serves block storage to NVMe hosts over TCP: RAM, files, block devices, from one JSON file.

  fulmard --config /etc/fulmar/fulmard.json        serve until TERM or INT
  fulmard --check-config /etc/fulmar/fulmard.json  say what is wrong with it, and serve nothing
  fulmard --check-journal FILE                     say what is whole, damaged, kept and lost in the
                                                   journal of a configuration file (or a journal)
  fulmard --recover --config FILE                  keep what is whole of a damaged journal, set the
                                                   rest aside, so that the next start is possible

While it runs: HUP applies what has changed in the file, TERM and INT stop it in order.
The REST endpoint is at the UNIX socket that the file names; the tool `fulmar` talks to it.
Exit codes: 0 stopped in order, 1 the configuration or the start failed, 2 wrong usage.)";
}  // namespace

parsed_command_line parse_command_line(int argc, char** argv) {
    CLI::App app(about);
    app.set_version_flag("--version", fmt::format("fulmard {}", version), "print the version");
    std::string config;
    std::string check;
    bool create_missing = false;
    CLI::Option* run =
        app.add_option("-c,--config", config, "serve what this file says")->type_name("FILE");
    app.add_option("--check-config", check, "check this file and exit")
        ->type_name("FILE")
        ->excludes(run);
    std::string journal;
    bool recover = false;
    app.add_option("--check-journal", journal, "check the journal of this file and exit")
        ->type_name("FILE")
        ->excludes(run);
    app.add_flag("--recover", recover, "with --config: mend its journal and exit")->needs(run);
    app.add_flag("--create-missing", create_missing,
                 "create the files of devices that are absent and have a size, this once")
        ->needs(run);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        const int code = app.exit(e);
        return {.command = std::nullopt, .exit_code = code == 0 ? 0 : 2};
    }
    if (config.empty() && check.empty() && journal.empty()) {
        fmt::print(stderr,
                   "fulmard needs a configuration: fulmard --config FILE (--help explains)\n");
        return {.command = std::nullopt, .exit_code = 2};
    }
    using task = command_line::task;
    if (!check.empty()) return {.command = command_line{check, task::check_config}};
    if (!journal.empty()) return {.command = command_line{journal, task::check_journal}};
    return {.command = command_line{config, recover ? task::recover : task::serve, create_missing}};
}

}  // namespace fulmar::app
