// fulmard: read the options and the configuration, build the daemon, run it.
#include "crash.hpp"
#include "daemon.hpp"
#include "idle_memory.hpp"
#include "options.hpp"
#include "signals.hpp"

#include <fulmar/admin/config_machine.hpp>
#include <fulmar/admin/journal_check.hpp>
#include <fulmar/base/descriptors.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/mem/environment.hpp>
#include <fulmar/security/secret.hpp>

#include <cstdio>
#include <string>

using namespace fulmar;

namespace {

void print(const admin::problem_list& problems, const std::string& path) {
    for (const std::string& line : problems.lines(path)) std::fprintf(stderr, "%s\n", line.c_str());
}

int print(const result<admin::journal_report>& report) {
    if (!report) std::fprintf(stderr, "%s\n", report.error().text().c_str());
    if (!report) return report.error().code == errc::not_found ? 0 : 1;
    for (const std::string& line : report->lines) std::printf("%s\n", line.c_str());
    return report->good ? 0 : 1;
}

/// What is broken, in the text or on this machine, and what is merely odd.
int check_config(const std::string& path) {
    const auto strict = admin::load_config(path);
    if (!strict) print(strict.error(), path);
    const auto config = strict ? strict : admin::load_config_leniently(path);
    if (!config) return 1;
    const admin::problem_list twice = admin::check_files(*config);
    print(twice, path);
    const admin::problem_list machine = admin::check_machine(*config);
    print(machine, path);
    for (const auto* warnings : {&config->config.warnings, &machine.warnings()})
        for (const admin::problem& warning : *warnings)
            std::printf("warning: %s\n", warning.text(path).c_str());
    if (!strict || !twice.empty() || !machine.empty()) return 1;
    std::printf("%s: good\n", path.c_str());
    return 0;
}

/// `path` is a configuration file, or the journal itself.
int check_journal(const std::string& path) {
    if (path.ends_with(".journal")) return print(admin::check_journal(admin::system_disk(), path));
    const auto config = admin::load_config_leniently(path);
    if (!config) print(config.error(), path);
    if (!config) return 1;
    return print(admin::check_journal(admin::system_disk(),
                                      admin::journal_path(path, config->config.options.state_dir)));
}

}  // namespace

int main(int argc, char** argv) {
    const app::parsed_command_line parsed = app::parse_command_line(argc, argv);
    if (!parsed.command) return parsed.exit_code;
    const std::string& path = parsed.command->config_path;
    using task = app::command_line::task;
    if (parsed.command->what == task::check_journal) return check_journal(path);
    if (parsed.command->what == task::check_config) return check_config(path);
    auto config = admin::load_config_leniently(path);
    if (!config) {
        print(config.error(), path);
        return 1;
    }
    if (parsed.command->what == task::recover)
        return print(admin::recover_journal(
            admin::system_disk(), admin::journal_path(path, config->config.options.state_dir),
            *config));
    app::signals::block();
    app::return_large_blocks();
    descriptors::raise_limit();
    app::dump_on_crash();
    security::keep_private_numbers_out_of_dumps();
    log::initialise(config->config.options.log_level);
    int exit_code = 1;
    if (auto built = app::daemon::create(*parsed.command, std::move(*config)))
        exit_code = (*built)->run();
    else
        log::error("{}", built.error().text());
    log::shut_down();
    if (mem::environment::retry_without_hugepages())
        mem::environment::execute_again_without_hugepages(argv);
    return exit_code;
}
