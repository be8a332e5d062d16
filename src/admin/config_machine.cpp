// What a configuration needs of the machine that it is for: a token, CPUs, folders.
#include "access.hpp"
#include "json_tree.hpp"
#include "tls_context.hpp"

#include <fulmar/admin/config_machine.hpp>

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <filesystem>

namespace fulmar::admin {

namespace {

/// As a data reactor does at a start; this thread may run where it could before.
int pin_to(int cpu) {
    cpu_set_t before;
    CPU_ZERO(&before);
    if (cpu >= CPU_SETSIZE) return EINVAL;
    if (const int failure = ::pthread_getaffinity_np(::pthread_self(), sizeof before, &before);
        failure != 0)
        return failure;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(cpu), &one);
    const int failure = ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one);
    if (failure == 0)
        static_cast<void>(::pthread_setaffinity_np(::pthread_self(), sizeof before, &before));
    return failure;
}

bool is_folder(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::is_directory(path, ignored);
}

/// What the administration reads beside the token file.
template <typename Found>
void check_access_files(const admin_options& options, const Found& found, problem_list& problems) {
    for (std::size_t i = 0; i < options.listeners.size(); ++i) {
        if (options.listeners[i].certificate.empty()) continue;
        if (const auto loaded = load_tls(options.listeners[i]); !loaded)
            problems.add(found(fmt::format("/admin/listeners/{}", i),
                               fmt::format("{}: {}", loaded.error().where, loaded.error().message),
                               loaded.error().remedy));
    }
}

}  // namespace

problem_list check_machine(const loaded_config& loaded) {
    problem_list problems;
    problem_list ignored;  // the text was accepted before
    const std::optional<json_node> root = parse_json(loaded.text, config_bounds, ignored);
    const daemon_options& options = loaded.config.options;
    const auto found = [&](std::string pointer, std::string message, std::string remedy) {
        const std::uint32_t line = root ? follow_pointer(*root, pointer).line : 0;
        return problem{std::move(pointer), line, std::move(message), std::move(remedy)};
    };
    check_access_files(options.admin, found, problems);
    if (options.admin.tcp && !options.admin.tcp->token_file.empty())
        if (const auto token = read_token(options.admin.tcp->token_file); !token)
            problems.add(found("/admin/tcp/token_file",
                               fmt::format("{}: {}", token.error().where, token.error().message),
                               token.error().remedy.empty()
                                   ? fmt::format("head -c 24 /dev/urandom | base64 > {0}; "
                                                 "chmod 600 {0}",
                                                 options.admin.tcp->token_file)
                                   : token.error().remedy));
    for (std::size_t i = 0; i < options.cores.cpus.size(); ++i)
        if (pin_to(options.cores.cpus[i]) != 0)
            problems.add(
                found(fmt::format("/cores/cpus/{}", i),
                      fmt::format("there is no CPU {} that fulmard may use", options.cores.cpus[i]),
                      "`lscpu -e` lists them; or leave \"cpus\" out"));
    // Whoever starts the service may make folders, and a file system may be mounted later.
    const auto need_folder = [&](const std::string& pointer, const std::filesystem::path& folder,
                                 const char* without) {
        if (!is_folder(folder))
            problems.warn(found(
                pointer, fmt::format("there is no folder {} yet: {}", folder.string(), without),
                "make it, or mount it, before fulmard starts"));
    };
    if (!options.admin.unix_socket.empty())  // the folder itself is made at the start
        need_folder("/admin/unix_socket",
                    std::filesystem::path(folder_of(options.admin.unix_socket)).parent_path(),
                    "REST cannot be served, and fulmard does not start");
    if (!options.state_dir.empty())
        need_folder("/state_dir", options.state_dir, "changes over REST are not durable");
    for (std::size_t i = 0; i < loaded.config.spec.devices.size(); ++i)
        if (const std::string& path = loaded.config.spec.devices[i].path; !path.empty())
            need_folder(fmt::format("/devices/{}/path", i), folder_of(path),
                        "the device is missing");
    return problems;
}

}  // namespace fulmar::admin
