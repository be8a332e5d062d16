// fulmard: read the options and the configuration, build the daemon, run it.
#include "crash.hpp"
#include "daemon.hpp"
#include "options.hpp"
#include "signals.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/mem/environment.hpp>

#include <cstdio>
#include <string>

using namespace fulmar;

int main(int argc, char** argv) {
    const app::parsed_command_line parsed = app::parse_command_line(argc, argv);
    if (!parsed.command) return parsed.exit_code;
    const std::string& path = parsed.command->config_path;
    auto config = admin::load_config(path);
    if (!config) {
        for (const std::string& line : config.error().lines(path))
            std::fprintf(stderr, "%s\n", line.c_str());
        return 1;
    }
    if (parsed.command->check_only) {
        const admin::problem_list twice = admin::check_files(*config);
        for (const std::string& line : twice.lines(path))
            std::fprintf(stderr, "%s\n", line.c_str());
        if (!twice.empty()) return 1;
        for (const admin::problem& warning : config->config.warnings)
            std::printf("warning: %s\n", warning.text(path).c_str());
        std::printf("%s: good\n", path.c_str());
        return 0;
    }
    app::signals::block();
    app::dump_on_crash();
    log::initialise(config->config.options.log_level);
    int exit_code = 1;
    if (auto built = app::daemon::create(path, std::move(*config)))
        exit_code = (*built)->run();
    else
        log::error("{}", built.error().text());
    log::shut_down();
    if (mem::environment::retry_without_hugepages())
        mem::environment::execute_again_without_hugepages(argv);
    return exit_code;
}
