// The sections of the configuration file. See fulmar/admin/config.hpp.
#include "field_json.hpp"
#include "read_target.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/core/fields/option_fields.hpp>

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <set>

namespace fulmar::admin {

namespace {

constexpr std::array<std::string_view, 3> hugepage_words{"auto", "on", "off"};
constexpr std::array<std::string_view, 5> level_words{"trace", "debug", "info", "warn", "error"};
constexpr std::size_t max_socket_path = 107;  // sun_path
constexpr std::uint32_t max_cpu = 4095;
constexpr std::uint32_t max_pool_mib = 1024 * 1024;

bool is_loopback(const std::string& address) {
    in_addr four{};
    if (::inet_pton(AF_INET, address.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
    in6_addr six{};
    return ::inet_pton(AF_INET6, address.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

void read_socket_mode(object_reader& reader, std::uint32_t& mode) {
    std::string text;
    if (!reader.read("socket_mode", text)) return;
    std::uint32_t bits = 0;
    bool good = text.size() == 3 || (text.size() == 4 && text[0] == '0');
    for (const char c : text) {
        good = good && c >= '0' && c <= '7';
        bits = bits * 8 + static_cast<std::uint32_t>(c - '0');
    }
    if (!good)
        reader.complain("socket_mode", "is not a file mode", "such as \"0660\"");
    else if ((bits & 0111) != 0 || (bits & 0600) != 0600)
        reader.complain("socket_mode", "must let the owner read and write, and nobody execute",
                        "such as \"0660\" or \"0600\"");
    else
        mode = bits;
}

void read_tcp(json_place where, problem_list& problems, admin_options& options) {
    if (where.node == nullptr) return;
    tcp_options tcp;
    object_reader reader(std::move(where), problems);
    if (reader.read("address", tcp.address) && !is_loopback(tcp.address))
        reader.complain("address", "is not a loopback address",
                        "REST over TCP is served on 127.0.0.1 or ::1 only, until it has TLS");
    reader.read("port", tcp.port, 0);
    reader.require("token_file", "a file with the bearer token, mode 0600");
    if (reader.read("token_file", tcp.token_file) && tcp.token_file.empty())
        reader.complain("token_file", "must not be empty",
                        "a file with the bearer token, mode 0600");
    reader.finish();
    options.tcp = std::move(tcp);
}

void read_admin(json_place where, problem_list& problems, admin_options& options) {
    object_reader reader(std::move(where), problems);
    if (reader.read("unix_socket", options.unix_socket) &&
        options.unix_socket.size() > max_socket_path)
        reader.complain("unix_socket", fmt::format("is longer than {} bytes", max_socket_path),
                        "the kernel allows no more; choose a shorter path");
    read_socket_mode(reader, options.socket_mode);
    read_tcp(reader.member("tcp"), problems, options);
    reader.read("audit", options.audit);
    reader.finish();
}

void read_cores(json_place where, problem_list& problems, core_options& options) {
    object_reader reader(std::move(where), problems);
    reader.read("data", options.data, 1, limits::max_data_reactors);
    const std::vector<json_place> cpus = reader.items("cpus", limits::max_data_reactors);
    for (const json_place& item : cpus) {
        if (item.node->kind != json_kind::natural || item.node->natural > max_cpu)
            problems.add({item.pointer, item.node->line, "is not the number of a CPU",
                          "such as 0; `lscpu -e` lists them"});
        else
            options.cpus.push_back(static_cast<int>(item.node->natural));
    }
    if (!cpus.empty() && cpus.size() != options.data)
        reader.complain(
            "cpus", fmt::format("names {} CPUs for {} data reactors", cpus.size(), options.data),
            "one CPU for each, or none");
    if (std::set(options.cpus.begin(), options.cpus.end()).size() != options.cpus.size())
        reader.complain("cpus", "names a CPU twice", "one CPU for each data reactor, or none");
    constexpr std::uint32_t longest_busy_us = 1'000'000;
    reader.read("busy_poll_us", options.busy_poll_us, 0, longest_busy_us);
    reader.finish();
}

void read_memory(json_place where, problem_list& problems, memory_options& options) {
    object_reader reader(std::move(where), problems);
    reader.read("pool_mib", options.pool_mib, limits::min_pool_bytes >> 20, max_pool_mib);
    if (std::size_t word = 0; reader.read_word("hugepages", word, hugepage_words))
        options.hugepages = static_cast<hugepage_use>(word);
    reader.finish();
}

void read_pattern(object_reader& reader, drive_pattern& into) {
    constexpr std::size_t longest = 128;
    bool any = false;
    for (auto [key, text] : {std::pair{"address", &into.address}, std::pair{"serial", &into.serial},
                             std::pair{"model", &into.model}}) {
        if (!reader.read(key, *text)) continue;
        any = true;
        if (text->empty() || text->size() > longest)
            reader.complain(key, fmt::format("must be 1 to {} characters", longest),
                            "a pattern such as \"0000:0b:*\", or leave it out");
    }
    if (!any)
        reader.complain({}, "names no drives",
                        "give it an address, a serial or a model; \"*\" is all of them");
}

void read_drives(json_place where, problem_list& problems, drive_options& options) {
    object_reader reader(std::move(where), problems);
    if (reader.has("allow")) options.allow.emplace();
    for (const json_place& item : reader.items("allow", limits::max_drive_patterns)) {
        object_reader one(item, problems);
        read_pattern(one, options.allow->emplace_back());
        one.finish();
    }
    for (const json_place& item : reader.items("auto_attach", limits::max_drive_patterns)) {
        attach_rule& rule = options.auto_attach.emplace_back();
        object_reader one(item, problems);
        read_pattern(one, rule.which);
        if (one.read("subsystem", rule.subsystem))
            if (auto wrong = check_subsystem_nqn(rule.subsystem))
                one.complain("subsystem", std::move(*wrong),
                             "such as \"nqn.2026-11.io.fulmar:disk1\"");
        read_loss(one, rule.use);
        read_write_cache(one, rule.write_cache);
        one.finish();
    }
    reader.finish();
}

void read_log(json_place where, problem_list& problems, std::string& level) {
    object_reader reader(std::move(where), problems);
    if (std::size_t word = 0; reader.read_word("level", word, level_words))
        level = level_words[word];
    reader.finish();
}

void read_discovery(json_place where, problem_list& problems, core::target_options& options) {
    object_reader reader(std::move(where), problems);
    if (reader.read("nqn", options.discovery_nqn) && !options.discovery_nqn.empty())
        if (auto wrong = check_subsystem_nqn(options.discovery_nqn))
            reader.complain("nqn", std::move(*wrong),
                            "a unique one; the well-known name is served in any case");
    reader.finish();
}

void read_limits(json_place where, problem_list& problems, core::target_options& options) {
    object_reader reader(std::move(where), problems);
    read_fields(reader, core::limit_fields, options, document::file);
    if ((options.max_transfer_bytes & (options.max_transfer_bytes - 1)) != 0)
        reader.complain("max_transfer", "must be a power of two",
                        "hosts learn it as MDTS, which counts in powers of two");
    if (options.in_capsule_bytes % 512 != 0)
        reader.complain("in_capsule", "must be a multiple of 512", "such as \"8KiB\", or 0");
    reader.finish();
}

void read_timeouts(json_place where, problem_list& problems, core::target_options& options) {
    object_reader reader(std::move(where), problems);
    read_fields(reader, core::timeout_fields, options, document::file);
    reader.finish();
}

}  // namespace

namespace {

/// Linux reads the largest ANA log there could be, in one command, or does without ANA.
void warn_of_ana(const daemon_config& config, problem_list& problems) {
    const std::uint64_t most = config.options.target.max_transfer_bytes;
    for (std::size_t i = 0; i < config.spec.subsystems.size(); ++i) {
        const core::subsystem_spec& one = config.spec.subsystems[i];
        if (const std::size_t log = limits::ana_log_bytes(one.max_namespaces); log > most)
            problems.warn(
                {fmt::format("/subsystems/{}/max_namespaces", i), 0,
                 fmt::format("Linux hosts do without ANA, whose log may have {} bytes then "
                             "while a transfer has {}",
                             log, most),
                 "raise limits/max_transfer to 256KiB or more"});
    }
}

daemon_config read_document(const json_node& root, problem_list& problems,
                            const std::string& folder) {
    daemon_config config;
    daemon_options& options = config.options;
    object_reader reader({&root, ""}, problems);
    std::string schema;
    reader.read("$schema", schema);  // for editors
    read_admin(reader.member("admin"), problems, options.admin);
    read_cores(reader.member("cores"), problems, options.cores);
    read_memory(reader.member("memory"), problems, options.memory);
    read_drives(reader.member("drives"), problems, options.drives);
    read_log(reader.member("log"), problems, options.log_level);
    reader.read("state_dir", options.state_dir);
    read_discovery(reader.member("discovery"), problems, options.target);
    read_limits(reader.member("limits"), problems, options.target);
    read_timeouts(reader.member("timeouts"), problems, options.target);
    config.spec = read_target(reader, options.target.discovery_nqn, folder);
    warn_of_ana(config, problems);
    reader.finish();
    return config;
}

}  // namespace

config_outcome parse_config(std::string_view text, const std::string& folder) {
    problem_list problems;
    const std::optional<json_node> root = parse_json(text, config_bounds, problems);
    if (!root) return tl::unexpected(std::move(problems));
    daemon_config config = read_document(*root, problems, folder);
    if (!problems.empty()) return tl::unexpected(std::move(problems));
    config.warnings = problems.warnings();
    return config;
}

config_outcome parse_config_leniently(std::string_view text, const std::string& folder) {
    problem_list syntax;
    const std::optional<json_node> root = parse_json(text, config_bounds, syntax);
    if (!root) return tl::unexpected(std::move(syntax));
    problem_list problems(config_bounds.values);
    daemon_config config = read_document(*root, problems, folder);
    if (!problems.empty() && !set_aside(config.spec, *root, problems.all(), folder, config.broken))
        return parse_config(text, folder);  // with as many problems as are shown
    config.warnings = problems.warnings();
    return config;
}

}  // namespace fulmar::admin
