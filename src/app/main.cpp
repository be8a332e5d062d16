// fulmard: read the options and the configuration, build the daemon, run it.
#include <fulmar/admin/config.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/mem/environment.hpp>

#include <cstdio>
#include <cstring>

#include "daemon.hpp"
#include "signals.hpp"

using namespace fulmar;

int main(int argc, char** argv) {
    if (argc != 3 || std::strcmp(argv[1], "--config") != 0) {
        std::fprintf(stderr, "usage: fulmard --config FILE\n");
        return 2;
    }
    auto config = admin::load_config(argv[2]);
    if (!config) {
        for (const std::string& line : config.error().lines(argv[2])) std::fprintf(stderr, "%s\n", line.c_str());
        return 1;
    }
    app::signals::block();
    log::initialise(config->config.options.log_level);
    int exit_code = 1;
    if (auto built = app::daemon::create(std::move(*config)))
        exit_code = (*built)->run();
    else
        log::error("{}", built.error().text());
    log::shut_down();
    if (mem::environment::retry_without_hugepages()) mem::environment::execute_again_without_hugepages(argv);
    return exit_code;
}
